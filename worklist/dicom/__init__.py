"""DICOM knowledge without network or database."""
