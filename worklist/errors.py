"""Four families of errors; every situation is a subclass whose message a person can act on.

The edges translate: ``web/errors.py`` to HTTP 404, 409, 422, 503; ``receiver/handlers.py`` to DIMSE statuses;
``workers/tasks.py`` to a later try (``Unavailable``) or a final reason (the rest).
"""


class WorklistError(Exception):
    """Something that a person can be told in one sentence."""


class NotFound(WorklistError):
    """What was asked for does not exist, or not for this person."""


class Conflict(WorklistError):
    """Somebody was faster, or the state does not allow it any more."""


class Invalid(WorklistError):
    """A value breaks a rule; the message names both."""


class Unavailable(WorklistError):
    """It could work later: disk full, database or broker away."""
