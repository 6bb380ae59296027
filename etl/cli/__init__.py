"""Commands: parse options, call one job, print its result."""
