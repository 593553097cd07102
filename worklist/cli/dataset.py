"""``worklist dataset``: what is in a folder of labelled radiographs, and drawn ones to try it with."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click


@click.group()
def dataset() -> None:
    """Look into folders of labelled radiographs for training and evaluation."""


@dataset.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--labels",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The table of labels of a folder of DICOM files; labels.csv in the folder if not given.",
)
@click.option("--quick", is_flag=True, help="Open no image: unreadable ones and copies are not looked for.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object with every fault and duplicate.")
@click.option(
    "--most-told",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    help="Sentences for each kind of fault or duplicate; all are counted.",
)
def summary(folder: Path, labels: Path | None, quick: bool, as_json: bool, most_told: int) -> None:
    """Count what FOLDER holds: images, studies and patients by body part, label and split.

    FOLDER has the layout of MURA-v1.1, or holds DICOM files and a table of labels. Every image is opened, to
    find unreadable ones and copies in another split. Faults are told and counted and end nothing: the exit
    status is 1 only if the folder has neither layout or its table of labels cannot be used.
    """
    from worklist.dataset import report
    from worklist.dataset.layouts import labelled_folder
    from worklist.dataset.summary import summarise
    from worklist.intake import scope

    source = labelled_folder(folder, scope.judge, table=labels)
    with _progress("Opening images", is_hidden=quick) as progress:
        found = summarise(source, is_quick=quick, on_progress=progress)
    click.echo(report.as_json(found) if as_json else report.as_text(found, most_told=most_told))


@dataset.command()
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--patients", type=click.IntRange(min=1), default=70, show_default=True, help="How many to draw.")
@click.option(
    "--valid-share",
    type=click.FloatRange(0, 1),
    default=0.2,
    show_default=True,
    help="Share of the patients that are in valid; the others are in train.",
)
@click.option(
    "--longest-px",
    type=click.IntRange(64, 4096),
    default=512,
    show_default=True,
    help="Longest side of an image in pixels.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, 1_000_000),
    default=0,
    show_default=True,
    help="Another one, other patients.",
)
@click.option("--with-faults", is_flag=True, help="Plant faults and duplicates, and say where.")
def synthesize(
    folder: Path, patients: int, valid_share: float, longest_px: int, seed: int, with_faults: bool
) -> None:
    """Draw radiographs into FOLDER, with the paths and lists of MURA-v1.1; no patient is in them.

    FOLDER must be empty or not exist yet. Give it the name MURA-v1.1 for the very paths of the lists. The same
    options draw the same files.
    """
    from worklist.dataset import traps
    from worklist.dataset.synthesis import synthesize as draw

    with _progress("Drawing patients") as progress:
        images = draw(
            folder,
            patients=patients,
            valid_share=valid_share,
            longest_px=longest_px,
            seed=seed,
            on_progress=progress,
        )
    planted = traps.plant(folder, images) if with_faults else []
    click.echo(f"{len(images)} images of {patients} patients drawn into {folder}.")
    for trap in planted:
        click.echo(f"  planted among the {trap.kind}: {trap.path}")


@contextmanager
def _progress(label: str, *, is_hidden: bool = False) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on the terminal; it goes to standard error, so that standard output can be a file."""
    with click.progressbar(
        length=1, label=label, show_pos=True, file=sys.stderr, hidden=is_hidden or not sys.stderr.isatty()
    ) as bar:

        def progress(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        yield progress
