"""Settings: read once, checked at the start, each refusal a sentence that names the variable."""

import os

import pytest

from worklist import settings
from worklist.errors import Invalid


@pytest.fixture(autouse=True)
def no_environment(monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.startswith("WORKLIST_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def test_without_any_variable_the_defaults_make_a_working_site():
    loaded = settings.load()
    assert loaded.effective_database_url.startswith("sqlite:///")
    assert loaded.effective_database_url.endswith("/var/worklist.sqlite")
    assert (loaded.receiver_port, loaded.ae_title, loaded.demo) == (11112, "WORKLIST", False)


def test_variables_are_read_with_their_prefix(monkeypatch):
    monkeypatch.setenv("WORKLIST_RECEIVER_PORT", "104")
    monkeypatch.setenv("WORKLIST_DEMO", "true")
    monkeypatch.setenv("WORKLIST_LOG_LEVEL", "debug")
    loaded = settings.load()
    assert (loaded.receiver_port, loaded.demo, loaded.log_level) == (104, True, "DEBUG")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("RECEIVER_PORT", "0"),
        ("RECEIVER_PORT", "70000"),
        ("RECEIVER_PORT", ""),
        ("QUIET_SECONDS", "-1"),
        ("EXPECTED_VIEWS", "WRIST=sideways"),
        ("EXPECTED_VIEWS", "KNEE=frontal"),
        ("EXPECTED_VIEWS", "WRIST"),
        ("QUIET_SECONDS", "one minute"),
        ("ANALYSIS_BATCH_SIZE", "65"),
        ("LOG_LEVEL", "LOUD"),
        ("DEMO", "perhaps"),
        ("ENGINE", "onnx"),
        ("PRECISION", "int8"),
        ("AE_TITLE", "A-TITLE-OF-17-CHR"),
        ("AE_TITLE", ""),
    ],
)
def test_a_value_that_breaks_its_rule_is_refused_by_name(monkeypatch, name, value):
    monkeypatch.setenv(f"WORKLIST_{name}", value)
    with pytest.raises(Invalid, match=f"^WORKLIST_{name}='{value}' is not allowed: ") as refused:
        settings.load()
    assert "\n" not in str(refused.value)


def test_every_broken_variable_is_named_at_once(monkeypatch):
    monkeypatch.setenv("WORKLIST_RECEIVER_PORT", "0")
    monkeypatch.setenv("WORKLIST_LOG_LEVEL", "LOUD")
    with pytest.raises(Invalid, match=r"WORKLIST_LOG_LEVEL.*WORKLIST_RECEIVER_PORT|WORKLIST_RECEIVER_PORT.*"):
        settings.load()


def test_a_secret_never_stands_in_its_own_refusal(monkeypatch):
    monkeypatch.setenv("WORKLIST_SECRET_KEY", "too-short-but-secret")
    with pytest.raises(Invalid, match="at least 32 characters") as refused:
        settings.load()
    assert "too-short-but-secret" not in str(refused.value)


@pytest.mark.parametrize("name", settings.SECRETS)
def test_a_secret_can_be_a_file(monkeypatch, tmp_path, name):
    path = tmp_path / "secret"
    path.write_text("sqlite:///from-a-file-of-more-than-32-characters\n")
    monkeypatch.setenv(f"WORKLIST_{name.upper()}_FILE", str(path))
    assert getattr(settings.load(), name) == "sqlite:///from-a-file-of-more-than-32-characters"


def test_a_secret_file_that_is_missing_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("WORKLIST_SECRET_KEY_FILE", str(tmp_path / "none"))
    with pytest.raises(Invalid, match=r"WORKLIST_SECRET_KEY_FILE names .*none, which cannot be read"):
        settings.load()


def test_settings_are_frozen():
    with pytest.raises(ValueError, match="frozen"):
        settings.load().demo = True


def test_every_setting_says_what_it_is():
    assert all(field.description for field in settings.Settings.model_fields.values())
