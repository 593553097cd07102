"""A summary as tables for a person, and as JSON for a program."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from worklist.dataset.duplicates import DuplicateKind
from worklist.dataset.faults import FaultKind
from worklist.dataset.record import Split
from worklist.dataset.summary import SplitCounts, Summary
from worklist.tables import BodyPart


def as_text(summary: Summary, *, most_told: int = 20) -> str:
    """Return the summary as tables and sentences.

    Parameters
    ----------
    most_told
        How many sentences of one kind are written out; all are counted.
    """
    lines = [f"{summary.folder} ({summary.layout})", ""]
    if summary.splits:
        lines += [*_columns(_images(summary)), "", *_columns(_splits(summary)), ""]
    else:
        lines += ["No labelled image was found.", ""]
    lines += [*_duplicates(summary, most_told), "", *_faults(summary, most_told)]
    return "\n".join(lines)


def as_json(summary: Summary) -> str:
    """Return the summary, with every fault and every duplicate, as one JSON object."""
    found = {
        "folder": str(summary.folder),
        "layout": summary.layout,
        "was_opened": summary.was_opened,
        "images": {split: _by_body_part(summary, split) for split in summary.splits},
        "splits": {split: asdict(counts) for split, counts in summary.splits.items()},
        "duplicates": [
            {
                "kind": item.kind.name.lower(),
                "paths": [item.first.name, item.second.name],
                "sentence": item.sentence,
            }
            for item in summary.duplicates
        ],
        "faults": [
            {"kind": fault.kind.name.lower(), "path": fault.path, "sentence": fault.sentence}
            for fault in summary.faults
        ],
    }
    return json.dumps(found, indent=2)


def _by_body_part(summary: Summary, split: Split) -> dict[str, dict[str, int]]:
    counts = {part: summary.normal_and_abnormal(split, part) for part in BodyPart}
    return {part: {"normal": normal, "abnormal": abnormal} for part, (normal, abnormal) in counts.items()}


def _images(summary: Summary) -> Iterator[list[str]]:
    """Yield the table body part x label, with a last row for all."""
    yield ["images", *(f"{split} {label}" for split in summary.splits for label in ("normal", "abnormal"))]
    for part in [*BodyPart, None]:
        counts = [number for split in summary.splits for number in summary.normal_and_abnormal(split, part)]
        yield [part or "all", *map(str, counts)]


def _splits(summary: Summary) -> Iterator[list[str]]:
    yield ["", "images", "studies", "abnormal studies", "patients", "unreadable images"]
    for split, counts in summary.splits.items():
        yield [split, *_numbers(counts)]


def _numbers(counts: SplitCounts) -> Iterator[str]:
    for number in asdict(counts).values():
        yield "not opened" if number is None else str(number)


def _columns(rows: Iterator[list[str]]) -> list[str]:
    """Set rows in columns: words to the left, numbers to the right."""
    table = list(rows)
    widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)]
    return [
        "  ".join([row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))])
        for row in table
    ]


def _duplicates(summary: Summary, most_told: int) -> Iterator[str]:
    """Yield a line for each kind, found or not: that there is none is what one wants to read."""
    yield "Duplicates"
    for kind in DuplicateKind:
        sentences = [item.sentence for item in summary.duplicates if item.kind is kind]
        if summary.was_opened or kind is DuplicateKind.PATIENT:
            yield from _told(kind, sentences, most_told)
        else:
            yield f"  {kind}: not looked for, since no image was opened"


def _faults(summary: Summary, most_told: int) -> Iterator[str]:
    """Yield the kinds that were found."""
    yield "Faults" if summary.faults else "Faults: none"
    for kind in FaultKind:
        sentences = [fault.sentence for fault in summary.faults if fault.kind is kind]
        if sentences:
            yield from _told(kind, sentences, most_told)


def _told(kind: str, sentences: Sequence[str], most_told: int) -> Iterator[str]:
    yield f"  {kind}: {len(sentences)}"
    yield from (f"    {sentence}" for sentence in sentences[:most_told])
    if len(sentences) > most_told:
        yield f"    and {len(sentences) - most_told} more"
