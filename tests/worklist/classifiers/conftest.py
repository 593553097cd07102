"""The versions of the classifier behave the same on both databases."""

from tests.both_engines import site

__all__ = ["site"]
