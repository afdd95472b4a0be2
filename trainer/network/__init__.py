"""From a batch to logits and loss, and where they are computed."""
