"""Train segmentation models and keep what happened; importing this imports nothing else."""

__version__ = "0.1.0"
