"""One line per fact, key=value, with ids bound to the context; never a patient's name or ID."""

import logging
import re
import sys
import warnings

import structlog

PATIENT_KEYS = frozenset({"patient_name", "patient_id", "birth_date", "accession_number"})


def _drop_patient_keys(
    _logger: object, _method: str, event: structlog.types.EventDict
) -> structlog.types.EventDict:
    for key in PATIENT_KEYS & event.keys():
        event[key] = "(withheld)"
    return event


def _drop_row_details(
    _logger: object, _method: str, event: structlog.types.EventDict
) -> structlog.types.EventDict:
    # PostgreSQL's errors quote the row that broke a constraint, patient and all.
    if "exception" in event:
        event["exception"] = re.sub(r"(?m)^DETAIL:.*$", "DETAIL: (withheld)", event["exception"])
    return event


def configure(level: str = "INFO") -> None:
    """Send everything, our own lines and those of libraries, to standard error in one form."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _drop_patient_keys,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                _drop_row_details,
                structlog.processors.KeyValueRenderer(key_order=["timestamp", "level", "event"]),
            ],
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("pynetdicom").setLevel(logging.CRITICAL)
    # Its warnings quote the values that they complain about, a patient's among them.
    logging.getLogger("pydicom").setLevel(logging.CRITICAL)
    warnings.filterwarnings("ignore", module=r"pydicom\b")
    # It tells the kind of database, at every question whether the schema is the right one.
    logging.getLogger("alembic.runtime.migration").setLevel(logging.WARNING)


def logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return the logger of a module; events are whole words, values go into keys."""
    log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return log
