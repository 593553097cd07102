"""What contradicts, and what only looks as if it did."""

import pytest

from worklist.intake import identity
from worklist.intake.identity import Identity, doubts, is_other_patient, share_an_id

RITA = Identity("P-1", "EXAMPLE^RITA^MARIA", "19700101", "A-1")


def like_rita(patient_id="P-1", name="EXAMPLE^RITA^MARIA", birth_date="19700101", accession_number="A-1"):
    return Identity(patient_id, name, birth_date, accession_number)


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (like_rita(), False),
        (like_rita(patient_id="P-2"), True),
        (like_rita(patient_id=""), False),
        (like_rita(name="OTHER^OTTO", birth_date="19991231"), True),
        (like_rita(patient_id="", name="OTHER^OTTO", birth_date="19991231"), True),
        (like_rita(name="OTHER^OTTO"), False),
        (like_rita(birth_date="19991231"), False),
        (like_rita(name="MARRIED^RITA", birth_date="19991231"), False),
        (like_rita(name="OTHER^OTTO", birth_date="00000000"), False),
        (like_rita(name="", birth_date="19991231"), False),
        (like_rita(accession_number="A-2"), False),
    ],
)
def test_patient_is_another_one_by_the_id_or_by_name_and_birth_date(said, expected):
    assert is_other_patient(RITA, said) is expected
    assert is_other_patient(said, RITA) is expected


@pytest.mark.parametrize(
    ("said", "sentences"),
    [
        (like_rita(), []),
        (like_rita(patient_id="", name="", birth_date="", accession_number=""), []),
        (like_rita(patient_id="P-2"), [identity.OTHER_IDS]),
        (like_rita(name="OTHER^OTTO"), [identity.OTHER_NAMES]),
        (like_rita(name="MARRIED^RITA=山田^太郎"), []),
        (like_rita(birth_date="19700102"), [identity.OTHER_BIRTH_DATES]),
        (like_rita(accession_number="A-2"), [identity.OTHER_ACCESSION_NUMBERS]),
    ],
)
def test_what_is_no_contradiction_is_still_told(said, sentences):
    assert doubts(RITA, said) == sentences


def test_two_studies_share_an_id_if_name_or_birth_date_differ():
    assert share_an_id(RITA, like_rita(name="OTHER^OTTO"))
    assert share_an_id(RITA, like_rita(birth_date="19991231"))
    assert not share_an_id(RITA, like_rita(accession_number="A-2"))
    assert not share_an_id(RITA, like_rita(patient_id="P-2", name="OTHER^OTTO"))


def test_sentences_hold_no_patient_data():
    said = "".join(doubts(RITA, Identity("P-2", "OTHER^OTTO", "19991231", "A-2")))
    assert not any(word in said for word in ("P-1", "P-2", "OTTO", "RITA", "1970", "1999"))
