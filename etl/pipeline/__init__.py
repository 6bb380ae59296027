"""One file per job: the only place where the rooms meet."""
