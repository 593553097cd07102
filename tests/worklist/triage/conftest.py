"""The ranked list and its writers behave the same on both databases."""

from hypothesis import settings

from tests.both_engines import site

__all__ = ["site"]

# A slow machine is no failure.
settings.register_profile("worklist", deadline=None, max_examples=50)
settings.load_profile("worklist")
