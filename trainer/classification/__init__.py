"""A classifier on an encoder: an image's one class, by the parts that segmentation has."""
