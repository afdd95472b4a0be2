"""Images with masks over them: what is stored, and how it is shown."""
