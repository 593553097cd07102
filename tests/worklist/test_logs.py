"""Log lines: one form for all, ids bound to the context, never a patient."""

import io
import logging
import sys
import warnings

import pytest
import structlog
from pydicom.charset import convert_encodings

from worklist import logs

PATIENT = {"patient_name": "DOE^JANE", "patient_id": "P-1", "birth_date": "19700101", "accession_number": "A-1"}


@pytest.fixture
def written(monkeypatch):
    """What has been written to standard error so far; pytest's own handlers are away meanwhile."""
    root, stream, ours = logging.getLogger(), io.StringIO(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    root.handlers[:] = []
    monkeypatch.setattr(sys, "stderr", stream)
    with warnings.catch_warnings():
        logs.configure("INFO")
        yield stream.getvalue
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**ours)
    structlog.contextvars.clear_contextvars()


def test_a_line_has_its_words_and_its_values(written):
    logs.logger("test").info("study complete", study=7)
    line = written()
    assert "event='study complete'" in line
    assert "study=7" in line
    assert "level='info'" in line


@pytest.mark.parametrize("key", PATIENT)
def test_what_names_a_patient_is_withheld(written, key):
    logs.logger("test").info("study complete", study=7, **{key: PATIENT[key]})
    line = written()
    assert PATIENT[key] not in line
    assert "study=7" in line


def test_ids_of_the_context_stand_in_every_line(written):
    structlog.contextvars.bind_contextvars(job="sweep", about=3)
    logs.logger("test").info("done")
    assert "job='sweep'" in written()


def test_lines_of_libraries_have_the_same_form(written):
    logging.getLogger("some.library").warning("disk %s", "slow")
    assert "event='disk slow'" in written()


def test_values_that_a_library_complains_about_are_not_written(written):
    with warnings.catch_warnings():
        # As in a process of ours: the tests turn warnings into errors.
        warnings.filterwarnings("default", module="tests")
        assert convert_encodings(["ISO_IR 100", "DOE^JANE"])
        assert written() == ""


def test_lines_below_the_level_are_left_out(written):
    logs.logger("test").debug("detail")
    assert written() == ""


def test_pynetdicom_which_logs_data_sets_is_silent(written):
    logging.getLogger("pynetdicom.acse").error("PatientName DOE^JANE")
    assert written() == ""


def test_the_row_that_postgresql_quotes_in_an_error_is_withheld(written):
    said = "violates check constraint\nDETAIL:  Failing row contains (1, DOE^JANE, P-1)."
    try:
        raise ValueError(said)
    except ValueError:
        logs.logger("test").exception("not stored", study=7)
    line = written()
    assert "DOE" not in line
    assert "violates check constraint" in line
