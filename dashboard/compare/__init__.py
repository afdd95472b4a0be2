"""The page that says which of several configurations is better."""
