"""DIMSE in: the storage SCP that modalities send to."""
