"""The command line: what it says, and its sentences when something is wrong."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.factories import make_classifier, make_study
from worklist import cli, database, settings
from worklist.tables import ClassifierState, Study, User
from worklist.triage.policy import current_policy

CARD = {"name": "next", "input_size_px": 224, "sha256": "0" * 64}


def _run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Run a command; return its exit status and all that it said."""
    with pytest.raises(SystemExit) as ended:
        cli.main(list(arguments))
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out + said.err


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    status, said = _run(capsys, "--help")
    assert status == 0
    for name in cli.worklist.commands:
        assert name in said


def test_settings_are_shown_without_secrets(
    site: settings.Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    status, said = _run(capsys, "settings")
    assert status == 0
    assert "WORKLIST_RECEIVER_PORT=11112" in said
    assert "WORKLIST_SECRET_KEY=(secret)" in said
    assert site.secret_key not in said


def test_wrong_setting_is_named_with_its_rule(
    site: settings.Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORKLIST_RECEIVER_PORT", "99999")
    settings.current.cache_clear()
    status, said = _run(capsys, "receive")
    assert status == 1
    assert said == (
        "WORKLIST_RECEIVER_PORT='99999' is not allowed: Input should be less than or equal to 65535.\n"
    )


def test_receiver_refuses_a_database_that_was_not_migrated(
    site: settings.Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORKLIST_DATA_FOLDER", str(tmp_path / "other"))
    settings.current.cache_clear()
    database.forget_engine()
    status, said = _run(capsys, "receive")
    assert status == 1
    assert "run 'worklist migrate'" in said


def test_migrate_makes_an_empty_database_usable(
    site: settings.Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORKLIST_DATA_FOLDER", str(tmp_path / "other"))
    settings.current.cache_clear()
    database.forget_engine()
    assert _run(capsys, "migrate")[0] == 0
    with database.reading() as session:
        assert session.scalars(select(Study)).all() == []


def test_account_is_created_and_must_change_its_password(
    site: settings.Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    status, said = _run(capsys, "create-user", "Rita", "--password", "correct horse battery")
    assert (status, "Account rita (reader) created" in said) == (0, True)
    with database.reading() as session:
        assert session.scalars(select(User.must_change_password)).one()


def test_same_account_twice_is_refused_in_words(
    site: settings.Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    _run(capsys, "create-user", "rita", "--password", "correct horse battery")
    status, said = _run(capsys, "create-user", "rita", "--password", "correct horse battery")
    assert status == 1
    assert "rita" in said
    assert "Traceback" not in said


def test_changing_tau_gives_every_waiting_study_its_new_place(
    site: settings.Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    with database.transaction() as session:
        urgent = make_study(session, probability=0.9).id
        older = make_study(session, probability=0.5, waiting_minutes=10).id
    assert _order() == [urgent, older]
    status, said = _run(capsys, "ranking", "--tau-minutes", "0")
    assert (status, "2 waiting studies" in said) == (0, True)
    assert _order() == [older, urgent]
    with database.reading() as session:
        assert current_policy(session).tau == timedelta()


def _order() -> list[int]:
    with database.reading() as session:
        return list(session.scalars(select(Study.id).order_by(Study.rank_key)))


def test_card_without_its_weights_is_refused_in_words(
    site: settings.Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = tmp_path / "card.json"
    fields = {"name": "x", "weights": "gone.npz", "sha256": "0" * 64, "input_size_px": 224, "is_demo": False}
    card.write_text(json.dumps(fields))
    status, said = _run(capsys, "classifier", "register", str(card))
    assert status == 1
    assert "gone.npz cannot be read" in said


def test_promoting_an_unknown_version_is_refused_in_words(
    site: settings.Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(capsys, "classifier", "promote", "nobody") == (1, "No classifier version is named nobody.\n")


def test_a_version_lives_by_commands(site: settings.Settings, capsys: pytest.CaptureFixture[str]) -> None:
    with database.transaction() as session:
        make_classifier(session, name="old")
        make_classifier(session, name="next", state=ClassifierState.DRAFT, card=CARD)
    assert _run(capsys, "classifier", "shadow", "next") == (0, "next is in shadow.\n")
    status, said = _run(capsys, "classifier", "promote", "next")
    assert status == 1
    assert "Was it measured on held-out studies? (held-out studies) could not be told" in said
    assert "give the reason" in said
    status, said = _run(capsys, "classifier", "promote", "next", "--reason", "for a test of commands")
    assert (status, "next is in charge." in said) == (0, True)
    assert "next  champion\nold  retired\n" in _run(capsys, "classifier", "list")[1]
    assert "old is in charge again" in _run(capsys, "classifier", "rollback", "--reason", "worse")[1]
    assert "# Classifier next" in _run(capsys, "classifier", "card", "next")[1]
    assert _run(capsys, "classifier", "retire", "old")[0] == 1


def test_sending_to_a_port_where_nobody_listens_says_so(
    site: settings.Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.ports import free_port
    from worklist.synthetic.dataset import make_study as draw_study

    draw_study("WRIST", seed=1, size=(250, 200))[0].save_as(tmp_path / "a.dcm", enforce_file_format=True)
    port = str(free_port())
    status, said = _run(capsys, "send", str(tmp_path / "a.dcm"), "--port", port)
    assert status == 1
    assert f"Nothing answers at 127.0.0.1:{port}" in said


def test_trial_says_that_there_is_none_and_how_to_begin_one(capsys, site):
    _run(capsys, "migrate")
    status, said = _run(capsys, "trial")
    assert status == 0
    assert "There is no control arm; 'worklist ranking --control day --control-share 0.5' begins one." in said


def test_control_arm_begins_and_its_trial_is_told(capsys, site):
    _run(capsys, "migrate")
    status, said = _run(capsys, "ranking", "--control", "shift", "--control-share", "0.5")
    assert status == 0
    assert "Control arm, by shift: 50% stand by arrival alone." in said
    status, said = _run(capsys, "trial")
    assert status == 0
    assert "Fewer than 5 shifts with an abnormal study in one arm: no interval yet." in said
    _run(capsys, "ranking", "--control", "none")
    assert "There is no control arm" in _run(capsys, "trial")[1]
