"""The ranked list and its writers behave the same on both databases."""

from tests.both_engines import site

__all__ = ["site"]
