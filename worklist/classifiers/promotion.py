"""The promotion gate: what is known of a candidate, and the signature that puts it in charge."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import Session

from worklist.classifiers import versions
from worklist.classifiers.live import shadow_pairs
from worklist.errors import Conflict, Invalid
from worklist.evaluation.comparison import RULES, GateTest, compare
from worklist.tables import ClassifierState, ClassifierVersion

SHORTEST_REASON = 10
_RULE_OF_THE_SHADOW = (
    f"At least {RULES.cases} abnormal and {RULES.cases} normal studies, read while it watches."
)


@dataclass(frozen=True)
class Gate:
    """The questions about a candidate, with their answers.

    Parameters
    ----------
    champion
        The version in charge; None if there is none.
    held_out
        About the held-out studies of the candidate's own snapshot, as its card holds them.
    live
        About studies that came since it is in shadow; computed now. Empty while no version is in charge.
    """

    candidate: ClassifierVersion
    champion: ClassifierVersion | None
    held_out: Sequence[GateTest]
    live: Sequence[GateTest]

    @property
    def not_passed(self) -> list[GateTest]:
        """The questions that are not answered by yes: whoever signs says why all the same."""
        return [test for test in (*self.held_out, *self.live) if not test.passed]

    @property
    def version(self) -> str:
        """A short name of all that is shown; another one as soon as a figure changes."""
        told = (self.champion.id if self.champion else None, self.held_out, self.live)
        return hashlib.sha256(repr(told).encode()).hexdigest()[:16]

    def as_json(self) -> dict[str, Any]:
        """Return questions and figures as the audit stream keeps them."""
        return {
            "champion": self.champion.name if self.champion else "",
            "held_out": [_kept(test) for test in self.held_out],
            "live": [_kept(test) for test in self.live],
        }


def gate(session: Session, version_id: int) -> Gate:
    """Collect what is known of a candidate.

    Raises
    ------
    NotFound
        If there is no such version.
    Conflict
        If it is in charge already.
    """
    candidate = versions.existing(session, version_id)
    if candidate.state is ClassifierState.CHAMPION:
        raise Conflict(f"{candidate.name} is in charge already.")
    champion = versions.in_state(session, ClassifierState.CHAMPION)
    return Gate(
        candidate=candidate,
        champion=champion,
        held_out=_held_out(candidate.card.get("comparison"), champion),
        live=_live(session, candidate, champion) if champion else (),
    )


def promote(
    session: Session, version_id: int, who: str, *, reason: str = "", seen: str | None = None
) -> ClassifierVersion:
    """Put a candidate in charge, signed by a person.

    Parameters
    ----------
    reason
        Why; must be given if a question is not answered by yes.
    seen
        `Gate.version` of what the person saw; None if it was shown in the same moment.

    Raises
    ------
    Invalid
        If a reason is missing.
    Conflict
        If the figures are others than the person saw, or the version is in charge already.
    """
    found = gate(session, version_id)
    if seen is not None and seen != found.version:
        raise Conflict("The figures have changed since this page was opened: look at them again, then sign.")
    reason = reason.strip()
    if found.not_passed and len(reason) < SHORTEST_REASON:
        raise Invalid(
            f"{_counted(len(found.not_passed))} not answered by yes: give the reason why it is put in "
            f"charge all the same, in {SHORTEST_REASON} characters or more."
        )
    return versions.promote(session, found.candidate.name, who, reason=reason, **found.as_json())


def _held_out(comparison: Mapping[str, Any] | None, champion: ClassifierVersion | None) -> list[GateTest]:
    if not comparison:
        return [
            GateTest(
                key="compared",
                question="Was it measured on held-out studies?",
                figure="Its card holds no comparison: it was not made by a training of this site.",
                rule="It judges studies that neither it nor the version in charge has learnt from.",
                passed=None,
            )
        ]
    return [_same_champion(comparison, champion), *(GateTest(**test) for test in comparison["tests"])]


def _same_champion(comparison: Mapping[str, Any], champion: ClassifierVersion | None) -> GateTest:
    compared, in_charge = comparison["champion"], champion.name if champion else ""
    return GateTest(
        key="same_champion",
        question="Is it compared with the version in charge?",
        figure=f"Compared with {compared or 'none'}; in charge is {in_charge or 'none'}.",
        rule="The version that was in charge when it was trained still is.",
        passed=comparison["champion_sha256"] == (champion.weights_sha256 if champion else ""),
    )


def _live(session: Session, candidate: ClassifierVersion, champion: ClassifierVersion) -> list[GateTest]:
    if candidate.shadow_since is None:
        return [
            GateTest(
                key="watched",
                question="Has it watched live studies?",
                figure="No: it has never been in shadow.",
                rule=_RULE_OF_THE_SHADOW,
                passed=None,
            )
        ]
    return compare(shadow_pairs(session, candidate, champion))


def _kept(test: GateTest) -> dict[str, Any]:
    return {"key": test.key, "passed": test.passed, "figure": test.figure}


def _counted(number: int) -> str:
    return "One question is" if number == 1 else f"{number} questions are"
