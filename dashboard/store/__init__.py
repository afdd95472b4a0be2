"""What has been read of the store and is kept."""
