"""DIMSE out: send files as a modality does."""
