"""The process roots and the command line, over one wiring file."""
