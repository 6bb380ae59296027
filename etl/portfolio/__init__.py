"""Many properties at once: the file that lists them, a process for each, one document and one report of all."""
