"""Folders of labelled radiographs, as training and evaluation read them; a DICOM object is a ``Dataset``.

record        one image and its label; images of one study
faults        what is wrong in a folder, each in a sentence with its path
mura          the layout of MURA-v1.1: four lists beside folders of PNG files
synthesis     a folder in MURA's layout from drawn radiographs

Reading needs neither OpenCV nor TensorFlow, and no reader holds pixels.
"""
