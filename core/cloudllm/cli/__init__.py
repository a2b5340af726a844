"""The command line: the root command, its options and what puts a chat together."""
