"""Searches over configurations: a YAML space, Optuna, workers. Importing it imports nothing."""
