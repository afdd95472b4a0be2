"""The page of curves, and what is told of a curve elsewhere."""
