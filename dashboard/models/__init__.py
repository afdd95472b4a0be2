"""The page of registered models."""
