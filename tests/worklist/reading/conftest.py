"""Claims and verdicts are decided by the database, so both databases have to decide alike."""

from tests.both_engines import site

__all__ = ["site"]
