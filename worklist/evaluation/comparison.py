"""A candidate against the version in charge on the same studies: the questions of the promotion gate.

A question is answered yes, no, or could not be told; each answer has its figure and the rule it was held to.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from worklist.dataset.snapshot import SnapshotImage
from worklist.evaluation import agreement, roc
from worklist.evaluation.cases import Case, Line, Lines, study_cases
from worklist.tables import Attention, BodyPart
from worklist.triage.probability import attention


@dataclass(frozen=True)
class GateTest:
    """One question of the gate.

    Parameters
    ----------
    figure
        What was found, in words with numbers.
    rule
        What it was held to.
    passed
        None if it could not be told; the figure says why.
    """

    key: str
    question: str
    figure: str
    rule: str
    passed: bool | None

    def as_json(self) -> dict[str, Any]:
        """Return it as a card holds it."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class PairedCase:
    """A study that both versions judged; probabilities calibrated, flags by either's own operating points."""

    body_part: BodyPart
    is_abnormal: bool
    candidate_probability: float
    candidate_is_flagged: bool
    champion_probability: float
    champion_is_flagged: bool


@dataclass(frozen=True)
class Rules:
    """What the gate asks for (``docs/evaluation.md`` says why).

    Parameters
    ----------
    cases
        Fewest studies of each label.
    auc_margin
        The difference of the AUCs, candidate less champion, must lie above minus this with its whole interval.
    significance
        Below this probability of chance, one version errs more often.
    body_part_margin
        No body part may lose more AUC than this beyond chance.
    body_part_cases
        Studies of each label that a body part needs to be looked at alone.
    sensitivity_margin
        The share of abnormal studies that are flagged may fall by this at most.
    """

    cases: int = 30
    auc_margin: float = 0.03
    significance: float = 0.05
    body_part_margin: float = 0.05
    body_part_cases: int = 10
    sensitivity_margin: float = 0.05


RULES = Rules()


def compare(pairs: Sequence[PairedCase], rules: Rules = RULES) -> list[GateTest]:
    """Answer the questions about studies that both versions judged."""
    return [
        _enough([pair.is_abnormal for pair in pairs], rules),
        _auc(pairs, rules),
        _flags(pairs, rules),
        _sensitivity(pairs, rules),
        _body_parts(pairs, rules),
    ]


def candidate_alone(
    images: Sequence[SnapshotImage], logits: Mapping[str, float], card: Mapping[str, Any], rules: Rules = RULES
) -> list[GateTest]:
    """Answer what can be asked while no version is in charge."""
    cases = study_cases(images, logits, lines_of(card))
    labels = np.array([case.is_abnormal for case in cases], bool)
    area = roc.auc(labels, np.array([case.probability for case in cases], np.float64))
    return [
        _enough([case.is_abnormal for case in cases], rules),
        GateTest(
            key="auc",
            question="Does it tell abnormal from normal studies?",
            figure=f"AUC {area}; no version is in charge to compare with"
            if area
            else _too_few(labels.tolist()),
            rule="The whole 95 % interval of the AUC lies above 0.5.",
            passed=area.low > 0.5 if area else None,
        ),
    ]


def held_out(
    images: Sequence[SnapshotImage],
    logits: Mapping[str, float],
    card: Mapping[str, Any],
    champion_logits: Mapping[str, float],
    champion_card: Mapping[str, Any],
) -> list[PairedCase]:
    """Pair what two versions say of the studies whose images both have judged, by either's own card."""
    both = [image for image in images if image.name in logits and image.name in champion_logits]
    ours = study_cases(both, logits, lines_of(card))
    theirs = study_cases(both, champion_logits, lines_of(champion_card))
    return [
        PairedCase(
            body_part=our.body_part,
            is_abnormal=our.is_abnormal,
            candidate_probability=our.probability,
            candidate_is_flagged=_is_flagged(our, card),
            champion_probability=their.probability,
            champion_is_flagged=_is_flagged(their, champion_card),
        )
        for our, their in zip(ours, theirs, strict=True)
    ]


def flagged(images: Sequence[SnapshotImage], logits: Mapping[str, float], card: Mapping[str, Any]) -> set[str]:
    """Return the keys of the studies that a version flags, by its own card."""
    return {case.key for case in study_cases(images, logits, lines_of(card)) if _is_flagged(case, card)}


def lines_of(card: Mapping[str, Any]) -> Lines:
    """Return the calibration of a card."""
    return {
        BodyPart(part): Line(float(line["slope"]), float(line["intercept"]))
        for part, line in card.get("calibration", {}).items()
    }


def _is_flagged(case: Case, card: Mapping[str, Any]) -> bool:
    points = card.get("operating_points", {}).get(case.body_part.value, {})
    thresholds = {Attention(name): float(point["threshold"]) for name, point in points.items()}
    return attention(case.probability, thresholds) is Attention.FLAGGED


def _enough(labels: Sequence[bool], rules: Rules) -> GateTest:
    abnormal = sum(labels)
    return GateTest(
        key="enough_cases",
        question="Are there enough studies to tell?",
        figure=f"{abnormal} abnormal and {len(labels) - abnormal} normal studies",
        rule=f"At least {rules.cases} of each.",
        passed=min(abnormal, len(labels) - abnormal) >= rules.cases,
    )


def _auc(pairs: Sequence[PairedCase], rules: Rules) -> GateTest:
    found = _difference(pairs)
    return GateTest(
        key="auc",
        question="Does it tell abnormal from normal studies at least as well?",
        figure=_told(found) if found else _too_few([pair.is_abnormal for pair in pairs]),
        rule=f"The 95 % interval of the difference in AUC (DeLong) lies above −{rules.auc_margin:g}.",
        passed=found.by.low > -rules.auc_margin if found else None,
    )


def _flags(pairs: Sequence[PairedCase], rules: Rules) -> GateTest:
    ours = [pair.candidate_is_flagged == pair.is_abnormal for pair in pairs]
    theirs = [pair.champion_is_flagged == pair.is_abnormal for pair in pairs]
    gained = sum(our and not their for our, their in zip(ours, theirs, strict=True))
    lost = sum(their and not our for our, their in zip(ours, theirs, strict=True))
    chance = agreement.mcnemar(gained, lost)
    return GateTest(
        key="flags",
        question="Are its flags right at least as often?",
        figure=f"{gained} studies right that were wrong, {lost} wrong that were right; p = {chance:.3f}"
        if pairs
        else "There are no studies that both versions judged.",
        rule=f"It is not worse with p below {rules.significance:g} (McNemar, exact).",
        passed=not (lost > gained and chance < rules.significance) if pairs else None,
    )


def _sensitivity(pairs: Sequence[PairedCase], rules: Rules) -> GateTest:
    abnormal = [pair for pair in pairs if pair.is_abnormal]
    ours = sum(pair.candidate_is_flagged for pair in abnormal)
    theirs = sum(pair.champion_is_flagged for pair in abnormal)
    count = len(abnormal)
    return GateTest(
        key="sensitivity",
        question="Does it still flag the abnormal studies?",
        figure=f"{ours} of {count} flagged, {theirs} by the version in charge"
        if abnormal
        else "There are no abnormal studies.",
        rule=f"Sensitivity falls by {rules.sensitivity_margin:g} at most.",
        passed=ours - theirs >= -rules.sensitivity_margin * count if abnormal else None,
    )


def _body_parts(pairs: Sequence[PairedCase], rules: Rules) -> GateTest:
    found = {}
    for part in BodyPart:
        own = [pair for pair in pairs if pair.body_part is part]
        abnormal = sum(pair.is_abnormal for pair in own)
        if min(abnormal, len(own) - abnormal) >= rules.body_part_cases and (one := _difference(own)):
            found[part] = one
    worse = [part for part, one in found.items() if one.by.value < -rules.body_part_margin and one.by.high < 0]
    if not found:
        figure = f"No body part has {rules.body_part_cases} studies of each label."
    elif worse:
        figure = "; ".join(f"{part.value.lower()}: {_told(found[part])}" for part in worse)
    else:
        least = min(found, key=lambda part: found[part].by.value)
        figure = f"{len(found)} of {len(BodyPart)} looked at; the least is {least.value.lower()}: "
        figure += _told(found[least])
    return GateTest(
        key="body_parts",
        question="Is no body part worse?",
        figure=figure,
        rule=f"No body part with {rules.body_part_cases} studies of each label loses more than "
        f"{rules.body_part_margin:g} in AUC, unless the 95 % interval of the difference reaches 0.",
        passed=not worse if found else None,
    )


def _difference(pairs: Sequence[PairedCase]) -> roc.Difference | None:
    return roc.difference(
        np.array([pair.is_abnormal for pair in pairs], bool),
        np.array([pair.candidate_probability for pair in pairs], np.float64),
        np.array([pair.champion_probability for pair in pairs], np.float64),
    )


def _told(found: roc.Difference) -> str:
    by = found.by
    ends = f"95 % {_signed(by.low)} to {_signed(by.high)}"
    return f"AUC {found.first:.3f} against {found.second:.3f}: {_signed(by.value)} ({ends})"


def _signed(value: float) -> str:
    return f"{value:+.3f}".replace("-", "−")


def _too_few(labels: Iterable[bool]) -> str:
    labels = list(labels)
    abnormal = sum(labels)
    return f"{abnormal} abnormal and {len(labels) - abnormal} normal studies: an AUC takes two of each."
