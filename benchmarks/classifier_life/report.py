"""What is left of a run: figures in Markdown, plots, and what did not turn out as it should."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.figure import Figure

from benchmarks.classifier_life.life import FIRST, SECOND, Outcome

ANSWERS = {True: "yes", False: "**no**", None: "could not be told"}
ARRIVAL = "in order of arrival"
HEAD = """\
# The life of a classifier, end to end

`.venv/bin/python -m benchmarks.classifier_life --report docs/classifier-life.md` starts a site from an empty
database (broker, receiver, web, workers and scheduler as processes of their own), works it from outside, by
DICOM and by its pages, and writes this page. All of it is about drawn radiographs, and says nothing about real
ones.

1. A folder in MURA's layout is drawn: the home hospital. A version is trained on it from the page, starting
   from the demo classifier's weights, measured, and put in charge at the gate.
2. Another hospital sends studies by C-STORE: films that are darker, noisier, veiled, with large lead letters. A
   scripted reader who knows the truth claims them from the list and gives verdicts through the study page.
3. An administrator starts a training from the page, from the version in charge, on verdicts and folder
   together. Its outcome watches in shadow while more studies come and are read.
4. Studies come that nobody reads. The gate is signed, they are scored anew, and the order of the list before
   and after is compared.

The rules that choose the threshold of a flag were changed after earlier runs with the same seeds: first
smoothed, then held to the sensitivity of the version in charge. The flags of this page are no independent
proof of those rules; order and AUC do not depend on them. Where an answer of the gate is no, the version was
put in charge with a written reason, as the page allows. The command fails if the list is not ordered better,
or if an answer about live studies is no.
"""


def text(outcome: Outcome) -> str:
    """Return the report in Markdown."""
    return "\n".join(
        [
            HEAD,
            *_ranking(outcome),
            *_versions(outcome),
            *(line for name in outcome.gates for line in _gate(outcome, name)),
            *_times(outcome),
        ]
    )


def write(outcome: Outcome, path: Path) -> None:
    """Write the report and its plots."""
    path.write_text(text(outcome), encoding="utf-8")
    folder = path.parent / "images"
    folder.mkdir(exist_ok=True)
    # Without them each run would give other files.
    with mpl.rc_context({"svg.hashsalt": "worklist", "svg.fonttype": "none", "font.size": 9}):
        _save(_plot_orders(outcome), folder / "classifier-life-list.svg")
        _save(_plot_roc(outcome), folder / "classifier-life-roc.svg")
        _save(_plot_training(outcome), folder / "classifier-life-training.svg")


def faults(outcome: Outcome) -> list[str]:
    """Return what should have been and was not."""
    before, after = outcome.areas[f"{FIRST} on the list"], outcome.areas[f"{SECOND} on the list"]
    found = []
    if after <= before:
        found.append(f"The second version orders the list no better: AUC {after:.3f} after {before:.3f}.")
    if outcome.orders[f"by {SECOND}"].mean_place >= outcome.orders[f"by {FIRST}"].mean_place:
        found.append("Abnormal studies stand no higher in the list than before.")
    found += [
        f"{SECOND}, live studies: {test.question} {ANSWERS[test.passed]}: {test.figure}"
        for test in outcome.gates[SECOND].live
        if test.passed is False
    ]
    return found


def _ranking(outcome: Outcome) -> Iterable[str]:
    number = len(outcome.orders[ARRIVAL].is_abnormal)
    abnormal = sum(outcome.orders[ARRIVAL].is_abnormal)
    yield "## The list, before and after\n"
    yield f"{number} studies of the other hospital wait, {abnormal} of them abnormal.\n"
    yield "![Share of abnormal studies found, by studies read](images/classifier-life-list.svg)\n"
    yield from _table(
        (
            "Order",
            "Read before an abnormal study, mean",
            f"Abnormal among the first {abnormal}",
            "Read until 90 % are found",
        ),
        [
            (name, f"{order.mean_place:.1f}", f"{order.among_first:.0%}", f"{order.read_until(0.9)}")
            for name, order in outcome.orders.items()
        ],
    )
    yield (
        "AUC over the list: "
        + ", ".join(f"{outcome.areas[f'{name} on the list']:.3f} by {name}" for name in (FIRST, SECOND))
        + ".\n"
    )


def _versions(outcome: Outcome) -> Iterable[str]:
    yield "## Both versions on their held-out studies\n"
    yield "Of the home hospital alone for the first, of both for the second; 95 % intervals.\n"
    yield "![ROC curves on held-out studies](images/classifier-life-roc.svg)\n"
    rows = []
    for name, card in outcome.cards.items():
        one = card["evaluation"]["studies"]["ALL"]
        rows.append(
            (
                name,
                str(one["n"]),
                *(_interval(one[key]) for key in ("auc", "sensitivity", "specificity", "kappa")),
            )
        )
    yield from _table(("Version", "Studies", "AUC", "Sensitivity", "Specificity", "Kappa"), rows)
    area = outcome.areas["first version on the studies read"]
    yield f"On the other hospital's studies that were read first, {FIRST} has an AUC of {area:.3f}.\n"
    yield "![Kappa and AUC over the tuning studies after each epoch](images/classifier-life-training.svg)\n"


def _gate(outcome: Outcome, name: str) -> Iterable[str]:
    gate = outcome.gates[name]
    yield f"## The gate of {name}\n"
    for title, tests in (
        ("On held-out studies", gate.held_out),
        ("On studies since it is in shadow", gate.live),
    ):
        if tests:
            yield f"{title}:\n"
            yield from _table(
                ("Question", "Answer", "Found"),
                [(test.question, ANSWERS[test.passed], test.figure) for test in tests],
            )


def _times(outcome: Outcome) -> Iterable[str]:
    yield "## What it took\n"
    yield from _table(("Step", "Seconds"), [(name, f"{taken:.0f}") for name, taken in outcome.seconds.items()])
    yield ", ".join(f"{name}: {number}" for name, number in outcome.counts.items()).capitalize() + ".\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterable[str]:
    for row in (head, ["---"] * len(head), *rows):
        yield f"| {' | '.join(row)} |"
    yield ""


def _interval(one: dict[str, float] | None) -> str:
    return f"{one['value']:.3f} ({one['low']:.3f}–{one['high']:.3f})" if one else "–"


def _plot_orders(outcome: Outcome) -> Figure:
    figure = Figure(figsize=(6.4, 3.6), layout="constrained")
    axes = figure.subplots()
    for name, order in outcome.orders.items():
        axes.step(range(1, len(order.is_abnormal) + 1), order.found(), where="post", label=name)
    axes.set(xlabel="studies read", ylabel="share of abnormal studies found", ylim=(0, 1.02))
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    return figure


def _plot_roc(outcome: Outcome) -> Figure:
    figure = Figure(figsize=(4.2, 3.8), layout="constrained")
    axes = figure.subplots()
    for name, card in outcome.cards.items():
        curve = np.array(card["evaluation"]["studies"]["ALL"]["roc"])
        axes.plot(curve[:, 0], curve[:, 1], label=name)
    axes.plot([0, 1], [0, 1], color="0.7", linestyle=":")
    axes.set(xlabel="1 − specificity", ylabel="sensitivity")
    axes.grid(alpha=0.3)
    axes.legend(loc="lower right")
    return figure


def _plot_training(outcome: Outcome) -> Figure:
    figure = Figure(figsize=(6.4, 3.0), layout="constrained")
    for axes, name in zip(figure.subplots(1, 2, sharey=True), outcome.curves, strict=True):
        for metric in ("study_auc", "study_kappa"):
            points = [(epoch, metrics[metric]) for epoch, metrics in outcome.curves[name] if metric in metrics]
            axes.plot(*zip(*points, strict=True), marker="o", label=metric.removeprefix("study_"))
        axes.set(title=name, xlabel="epoch (0: last layer)", ylim=(0, 1.02))
        axes.grid(alpha=0.3)
        axes.legend(loc="lower right")
    return figure


def _save(figure: Figure, path: Path) -> None:
    figure.savefig(path, metadata={"Date": None})
