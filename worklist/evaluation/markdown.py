"""A classifier's card as a page of Markdown."""

from collections.abc import Mapping, Sequence
from typing import Any

from worklist.evaluation.report import ALL

Figures = Mapping[str, Any]

_ANSWERS = {True: "yes", False: "**no**", None: "could not be told"}
_COLUMNS = ("auc", "sensitivity", "specificity", "accuracy", "kappa")


def page(card: Figures) -> str:
    """Return a card in Markdown; what it does not hold is said or left out."""
    parts = [
        f"# Classifier {card['name']}",
        card.get("statement", ""),
        _what_it_is(card),
        *_evaluation(card.get("evaluation")),
        *_operating_points(card.get("operating_points", {})),
        *_comparison(card.get("comparison")),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _what_it_is(card: Figures) -> str:
    data, start = card.get("data", {}), card.get("start", {})
    rows = [
        ("Network", card.get("architecture", "")),
        ("Input", f"{card['input_size_px']} × {card['input_size_px']} pixels"),
        ("Weights", f"SHA-256 `{card['sha256']}`"),
        ("Starts from", " ".join(str(start.get(key, "")) for key in ("kind", "version")).strip()),
        (
            "Trained",
            f"{card['trained_at']}, asked for by {card['requested_by']}" if "trained_at" in card else "",
        ),
        ("Recipe", ", ".join(f"{name} {value}" for name, value in card.get("recipe", {}).items())),
        ("Labels", data.get("label_rule", "")),
        ("Folder", data.get("folder", "")),
        ("Snapshot", f"SHA-256 `{data['snapshot_sha256']}`" if data.get("snapshot_sha256") else ""),
        *((f"Studies to {role}", _counted(parts)) for role, parts in data.get("counts", {}).items()),
    ]
    return _table(("", ""), [row for row in rows if row[1]])


def _counted(parts: Figures) -> str:
    return ", ".join(
        f"{part.lower()} {labels.get('abnormal', 0)} abnormal and {labels.get('normal', 0)} normal"
        for part, labels in parts.items()
    )


def _evaluation(evaluation: Figures | None) -> list[str]:
    if not evaluation:
        return ["## Figures", "None were measured by body part."]
    found = [
        "## Figures",
        "On studies that were neither learnt from nor chosen with; 95 % intervals in brackets.",
    ]
    for unit in ("studies", "images"):
        rows = [_figures(part, one) for part, one in evaluation[unit].items()]
        found += [
            f"### By {unit}",
            _table(("Body part", "n", "abnormal", *map(str.capitalize, _COLUMNS)), rows),
        ]
    rows = [_calibration(part, one["calibration"]) for part, one in evaluation["studies"].items()]
    head = ("Body part", "Slope", "after", "ECE", "after", "Brier", "after")
    return [*found, "### Calibration, before and after", _table(head, rows)]


def _figures(part: str, one: Figures) -> Sequence[str]:
    return (_part(part), str(one["n"]), str(one["abnormal"]), *(_interval(one[name]) for name in _COLUMNS))


def _calibration(part: str, one: Figures) -> Sequence[str]:
    cells = [_number(one[when][name]) for name in ("slope", "ece", "brier") for when in ("before", "after")]
    return (_part(part), *cells)


def _operating_points(points: Figures) -> list[str]:
    rows = [
        (
            _part(part),
            name.replace("_", " "),
            _number(point["threshold"]),
            *(
                _interval({"value": point[which], "low": point[f"{which}_low"], "high": point[f"{which}_high"]})
                if point.get(which) is not None
                else "–"
                for which in ("sensitivity", "specificity")
            ),
        )
        for part, of_part in points.items()
        for name, point in of_part.items()
    ]
    head = ("Body part", "Operating point", "Threshold", "Sensitivity", "Specificity")
    return ["## Operating points", _table(head, rows)] if rows else []


def _comparison(comparison: Figures | None) -> list[str]:
    if not comparison:
        return []
    champion = comparison["champion"]
    with_whom = (
        f"With {champion}, which was in charge,"
        if champion
        else "No version was in charge; the candidate alone"
    )
    rows = [
        (test["question"], _ANSWERS[test["passed"]], test["figure"], test["rule"])
        for test in comparison["tests"]
    ]
    return [
        "## Comparison",
        f"{with_whom} on {comparison['studies']} studies that neither has learnt from.",
        _table(("Question", "Answer", "Found", "Rule"), rows),
    ]


def _part(part: str) -> str:
    return "all" if part == ALL else part.lower()


def _interval(one: Figures | None) -> str:
    return f"{one['value']:.3f} ({one['low']:.3f}–{one['high']:.3f})" if one else "–"


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)
