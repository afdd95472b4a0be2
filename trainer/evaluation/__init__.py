"""What a model scores, and what is kept of it."""
