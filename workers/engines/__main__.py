"""Measure what bfloat16 changes on this site's own images: ``python -m workers.engines measure``."""

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from workers.engines.openvino import OpenVINOClassifier
from workers.engines.precision import LARGEST_CHANGE, Bound, Compared, Loss, Precision, measure, store
from workers.pipeline import predict
from worklist import archive, database, logs, settings
from worklist.classifiers import versions
from worklist.dicom.pixels import classifier_greys, displayed_greys
from worklist.errors import Unavailable, WorklistError
from worklist.tables import ClassifierVersion
from worklist.triage.analyses import StoredImage, analysed_images

log = logs.logger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, say what was found, and write it down; 1 if bfloat16 stays refused."""
    options = _parser().parse_args(arguments)
    try:
        with database.reading() as session:
            version = versions.with_figures(session, options.classifier)
            images = analysed_images(session, limit=options.images)
        loss = measure(list(_compared(images, version)), version)
    except WorklistError as error:
        print(error, file=sys.stderr)  # noqa: T201 - the command line's own words
        return 1
    bound = Bound(options.largest_change, options.changed_studies)
    path = store(version.weights_sha256, Precision.BFLOAT16, loss, bound)
    refusal = bound.broken_by(loss)
    print("\n".join([*_report(version.name, loss), *_verdict(refusal, path)]))  # noqa: T201
    return int(bool(refusal))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser("python -m workers.engines", description=__doc__)
    command = parser.add_subparsers(required=True).add_parser("measure", help="compare bfloat16 with float32")
    command.add_argument("--classifier", help="name of a version; otherwise the one in charge")
    command.add_argument("--images", type=int, default=500, help="how many of the last images (500)")
    command.add_argument(
        "--largest-change",
        type=float,
        default=LARGEST_CHANGE,
        help=f"change of a probability that is allowed ({LARGEST_CHANGE})",
    )
    command.add_argument(
        "--changed-studies", type=int, default=0, help="studies that may reach another operating point (0)"
    )
    return parser


def _compared(images: Sequence[StoredImage], version: ClassifierVersion) -> Iterator[Compared]:
    """Judge each image in both precisions; one that cannot be read is left out."""
    exact, fast = (_classifier(version, precision) for precision in Precision)
    if fast.precision is not Precision.BFLOAT16:
        raise Unavailable("This processor does not compute in bfloat16: there is nothing to gain from it.")
    for image in images:
        try:
            greys = classifier_greys(displayed_greys(archive.path_of(image.file_path)))
        except WorklistError as error:
            log.warning("image left out", file=image.file_path, reason=str(error))
            continue
        predictions = (predict([greys], classifier)[0] for classifier in (exact, fast))
        yield Compared(image.study_id, image.body_part, *predictions)


def _classifier(version: ClassifierVersion, precision: Precision) -> OpenVINOClassifier:
    return OpenVINOClassifier.load(
        Path(version.weights_path),
        sha256=version.weights_sha256,
        input_size_px=version.input_size_px,
        precision=precision,
    )


def _report(name: str, loss: Loss) -> list[str]:
    return [
        f"{name}: bfloat16 beside float32 on {loss.images} images of {loss.studies} studies",
        f"  probability of an image   changes by {loss.mean_change:.5f} on average, "
        f"{loss.largest_change:.5f} at most",
        f"  operating points          {loss.changed_studies} of {loss.studies} studies reach another one",
        f"  heat maps                 correlation {loss.median_correlation:.4f} in the median, "
        f"{loss.lowest_correlation:.4f} at least",
    ]


def _verdict(refusal: str, path: Path) -> list[str]:
    if refusal:
        return [f"bfloat16 stays refused for these weights: {refusal}. Written to {path}."]
    return [f"With WORKLIST_PRECISION=bfloat16, workers that start from now on use it. Written to {path}."]


if __name__ == "__main__":
    logs.configure(settings.current().log_level)
    sys.exit(main())
