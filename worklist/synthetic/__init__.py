"""Synthetic radiographs for the demo, the tests and the demo classifier: no patient is in them.

shapes, outlines        tubes of cortex and marrow, and their outlines
skeleton, hand, arm     bones of seven body parts in space, seen from any side
lesions                 break, dislocation, implant
exposure, film          absorption, scatter and noise; collimator, marker, stored values
radiograph              all of it in one call
dataset                 radiographs as DICOM objects and studies
"""

from worklist.synthetic.film import Film, random_film
from worklist.synthetic.lesions import LESIONS, Lesion
from worklist.synthetic.radiograph import SKELETONS, VIEWS, SyntheticRadiograph, draw_radiograph

BODY_PARTS = tuple(SKELETONS)
"""The seven body parts the product knows, in alphabetical order."""

__all__ = [
    "BODY_PARTS",
    "LESIONS",
    "VIEWS",
    "Film",
    "Lesion",
    "SyntheticRadiograph",
    "draw_radiograph",
    "random_film",
]
