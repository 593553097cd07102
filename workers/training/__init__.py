"""Training; the demo classifier has a trainer of its own in ``demo``."""
