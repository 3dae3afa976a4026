"""One module for each command, with the command in it as ``command``."""
