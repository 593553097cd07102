"""The database itself keeps the rules, whichever it is."""

from tests.both_engines import site

__all__ = ["site"]
