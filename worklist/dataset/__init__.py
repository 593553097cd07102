"""Folders of labelled radiographs, as training and evaluation read them; a DICOM object is a ``Dataset``.

record        one image and its label; images of one study
faults        what is wrong in a folder, each in a sentence with its path
mura          the layout of MURA-v1.1: four lists beside folders of PNG files
labels        a table of labels for DICOM files
dicom_folder  DICOM files beside such a table
layouts       which of the two a folder is
pixels        displayed greys, and fingerprints of them
duplicates    the same image or patient twice, above all on both sides of a split
summary       what is in a folder, in numbers
report        the numbers as a table and as JSON
synthesis     a folder in MURA's layout from drawn radiographs
traps         the known faults, planted into such a folder

Reading needs neither OpenCV nor TensorFlow, and no reader holds pixels.
"""
