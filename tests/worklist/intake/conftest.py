"""Rows are made on both databases."""

from tests.both_engines import site

__all__ = ["site"]
