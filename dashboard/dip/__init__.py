"""The page that takes one epoch of a run apart."""
