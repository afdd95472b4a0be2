"""A trained model in use: registered, pulled, image in and mask out."""
