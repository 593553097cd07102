"""What is held, as other DICOM applications ask for it: found by keys, and handed out as files."""
