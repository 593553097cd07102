"""Classifier versions: registered from a card, one in charge, none without approval."""

import hashlib
import json

import pytest
from sqlalchemy import select
from sqlalchemy.orm import selectinload

from tests.factories import make_classifier
from worklist import database
from worklist.classifiers import versions
from worklist.errors import Conflict, Invalid, NotFound
from worklist.tables import AuditEvent, ClassifierState, ClassifierVersion

WEIGHTS = b"weights"


@pytest.fixture
def card(tmp_path):
    """Write a card and its weights, with what a test wants to be different."""

    def write(**values):
        (tmp_path / "weights.npz").write_bytes(WEIGHTS)
        content = {
            "name": "b-1",
            "weights": "weights.npz",
            "sha256": hashlib.sha256(WEIGHTS).hexdigest(),
            "input_size_px": 224,
            "is_demo": False,
            "calibration": {"WRIST": {"slope": 0.9, "intercept": -0.1}},
            "operating_points": {
                "WRIST": {"flagged": {"threshold": 0.6, "sensitivity": 0.8}, "look_closer": {"threshold": 0.3}}
            },
        }
        path = tmp_path / "card.json"
        path.write_text(json.dumps({**content, **values}))
        return path

    return write


def test_a_card_becomes_a_draft_that_scores_nothing_yet(session, card):
    version = versions.register(session, card(), "adam")
    assert (version.state, version.name, version.input_size_px) == (ClassifierState.DRAFT, "b-1", 224)
    with pytest.raises(versions.NoClassifier, match="no classifier is approved"):
        versions.champion(session, allow_demo=False)


def test_everything_the_card_says_is_kept(session, card):
    versions.register(session, card(), "adam")
    both = (selectinload(ClassifierVersion.calibrations), selectinload(ClassifierVersion.operating_points))
    version = session.scalars(
        select(ClassifierVersion).options(*both).execution_options(populate_existing=True)
    ).one()
    assert [(row.body_part, row.slope, row.intercept) for row in version.calibrations] == [("WRIST", 0.9, -0.1)]
    points = {row.attention.value: (row.threshold, row.sensitivity) for row in version.operating_points}
    assert points == {"flagged": (0.6, 0.8), "look_closer": (0.3, None)}
    assert version.card["name"] == "b-1"


def test_weights_that_are_not_those_of_the_card_are_refused(session, card):
    with pytest.raises(Invalid, match=r"weights\.npz have SHA-256 [0-9a-f]{64}, their card says 00"):
        versions.register(session, card(sha256="00"), "adam")


def test_weights_that_are_missing_are_named(session, card):
    with pytest.raises(Invalid, match=r"The weights .*none\.npz cannot be read: No such file"):
        versions.register(session, card(weights="none.npz"), "adam")


@pytest.mark.parametrize("text", ["no JSON", "[1]", '{"name": "x"}'])
def test_a_card_that_is_none_is_refused_in_words(session, tmp_path, text):
    path = tmp_path / "card.json"
    path.write_text(text)
    with pytest.raises(
        Invalid, match=r"The card .* (is not JSON|is not a JSON object|does not say input_size_px)"
    ):
        versions.register(session, path, "adam")


def test_a_card_that_is_missing_is_named(session, tmp_path):
    with pytest.raises(Invalid, match=r"The card .*card\.json cannot be read: No such file"):
        versions.register(session, tmp_path / "card.json", "adam")


@pytest.mark.parametrize(
    "values",
    [
        {"input_size_px": "large"},
        {"input_size_px": 0},
        {"calibration": {"KNEE": {"slope": 1, "intercept": 0}}},
        {"calibration": {"WRIST": {"slope": -1, "intercept": 0}}},
        {"calibration": {"WRIST": {"slope": 1}}},
        {"calibration": []},
        {"operating_points": {"WRIST": {"flagged": {}}}},
        {"operating_points": {"WRIST": {"flagged": {"threshold": 2}}}},
        {"operating_points": {"WRIST": {"none": {"threshold": 0.5}}}},
    ],
)
def test_a_value_that_does_not_belong_in_a_card_is_refused_in_words(session, card, values):
    with pytest.raises(Invalid, match=r"The card .* has a value that does not belong there: "):
        versions.register(session, card(**values), "adam")
    assert versions.versions(session) == []


def test_a_name_is_given_once(session, card):
    versions.register(session, card(), "adam")
    with pytest.raises(Conflict, match="named b-1 is registered already"):
        versions.register(session, card(), "adam")


def test_a_promoted_version_is_in_charge_and_the_former_one_retired(session, card, frozen):
    former = make_classifier(session)
    versions.register(session, card(), "adam")
    version = versions.promote(session, "b-1", "adam")
    session.flush()
    session.refresh(former)
    assert versions.champion(session, allow_demo=False) is version
    assert (former.state, version.promoted_at) == (ClassifierState.RETIRED, frozen.time)


def test_the_former_version_can_be_put_back(session, card):
    former = make_classifier(session, name="a-1")
    versions.register(session, card(), "adam")
    versions.promote(session, "b-1", "adam")
    versions.promote(session, "a-1", "adam")
    session.flush()
    assert versions.champion(session, allow_demo=False).id == former.id


def test_promoting_the_one_in_charge_changes_nothing(session):
    make_classifier(session, name="a-1")
    versions.promote(session, "a-1", "adam")
    session.flush()
    assert versions.champion(session, allow_demo=False).name == "a-1"


def test_a_name_that_nobody_registered_cannot_be_promoted(session):
    with pytest.raises(NotFound, match="No classifier version is named b-9"):
        versions.promote(session, "b-9", "adam")


def test_the_demo_classifier_scores_only_where_the_site_is_a_demo(session):
    demo = make_classifier(session, is_demo=True)
    assert versions.champion(session, allow_demo=True) is demo
    with pytest.raises(versions.NoClassifier, match="scores only where WORKLIST_DEMO=true"):
        versions.champion(session, allow_demo=False)


def test_registration_and_promotion_are_recorded_with_who(session, card):
    versions.register(session, card(), "adam")
    versions.promote(session, "b-1", "lena")
    session.flush()
    events = session.scalars(select(AuditEvent).order_by(AuditEvent.id)).all()
    assert [(event.who, event.action) for event in events] == [
        ("adam", "classifier.registered"),
        ("lena", "classifier.promoted"),
    ]


def test_versions_are_listed_the_newest_first(session):
    names = [make_classifier(session, state=ClassifierState.RETIRED).name for _ in range(3)]
    assert [version.name for version in versions.versions(session)] == names[::-1]


def test_weights_are_kept_by_their_hash_whatever_becomes_of_the_folder(session, card, site):
    path = card()
    version = versions.register(session, path, "adam")
    (path.parent / "weights.npz").unlink()
    sha256 = hashlib.sha256(WEIGHTS).hexdigest()
    assert version.weights_path == str(site.classifier_folder / f"{sha256}.npz")
    assert (site.classifier_folder / f"{sha256}.npz").read_bytes() == WEIGHTS


def test_kept_weights_that_were_changed_are_refused(session, card, site):
    sha256 = hashlib.sha256(WEIGHTS).hexdigest()
    site.classifier_folder.mkdir()
    (site.classifier_folder / f"{sha256}.npz").write_bytes(b"other")
    with pytest.raises(Invalid, match=r"classifiers/.*npz have SHA-256"):
        versions.register(session, card(), "adam")


def test_one_version_at_a_time_is_in_shadow(session, card):
    make_classifier(session, name="a-1")
    make_classifier(session, name="a-2", state=ClassifierState.SHADOW)
    versions.register(session, card(), "adam")
    with pytest.raises(Conflict, match="a-2 is in shadow already; retire it first"):
        versions.watch(session, "b-1", "adam")
    versions.retire(session, "a-2", "adam")
    assert versions.watch(session, "b-1", "adam").state is ClassifierState.SHADOW


@pytest.mark.parametrize("act", [versions.watch, versions.retire])
def test_the_one_in_charge_is_replaced_and_never_taken_away(session, act):
    make_classifier(session, name="a-1")
    with pytest.raises(Conflict, match="a-1 is in charge"):
        act(session, "a-1", "adam")


def test_a_roll_back_needs_a_former_champion(session, card):
    make_classifier(session, name="a-1")
    make_classifier(session, name="never-in-charge", state=ClassifierState.RETIRED, promoted_at=None)
    with pytest.raises(Conflict, match="No version was in charge before"):
        versions.roll_back(session, "adam")


def test_rolling_back_twice_comes_back_to_the_newer_one(session, card, frozen):
    make_classifier(session, name="a-1")
    versions.register(session, card(), "adam")
    for act in (lambda: versions.promote(session, "b-1", "adam"), lambda: versions.roll_back(session, "adam")):
        frozen.advance(minutes=1)
        act()
    assert versions.champion(session, allow_demo=False).name == "a-1"
    frozen.advance(minutes=1)
    assert versions.roll_back(session, "adam").name == "b-1"


def test_a_version_can_be_taken_with_its_figures_out_of_the_session(site):
    with database.transaction() as session:
        make_classifier(session, name="in-charge", threshold=0.7)
        make_classifier(session, name="draft", state=ClassifierState.DRAFT, threshold=0.2)
    with database.reading() as session:
        found = [versions.with_figures(session), versions.with_figures(session, "draft")]
    assert [version.name for version in found] == ["in-charge", "draft"]
    assert [max(point.threshold for point in version.operating_points) for version in found] == [0.7, 0.2]
    assert all(len(version.calibrations) == 7 for version in found)


def test_figures_of_a_version_that_does_not_exist_are_refused(session):
    with pytest.raises(NotFound, match="No classifier version is named b-9"):
        versions.with_figures(session, "b-9")
