"""The versions of the classifier: which one is in charge, and what its card says."""
