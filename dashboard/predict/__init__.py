"""The page that runs a model on images."""
