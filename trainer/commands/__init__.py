"""One module for each group of the `trainer` command's subcommands."""
