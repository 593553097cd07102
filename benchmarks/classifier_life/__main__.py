"""Run a classifier's life from an empty database and write the report."""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.classifier_life import report
from benchmarks.classifier_life.life import SIZES, Life
from benchmarks.classifier_life.site import started


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.classifier_life", description=(__doc__ or "").split("\n", 1)[0]
    )
    parser.add_argument("--size", choices=SIZES, default="full", help="full takes half an hour on two cores")
    parser.add_argument(
        "--report", type=Path, help="Markdown file to write; its plots go into images/ beside it"
    )
    parser.add_argument("--keep", type=Path, help="empty folder for the site, kept at the end")
    options = parser.parse_args()
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as temporary:
        work = options.keep or Path(temporary)
        with started(work / "site") as site:
            outcome = Life(site, SIZES[options.size], work).live()
    outcome.seconds["all of it"] = time.monotonic() - begun
    print(report.text(outcome))
    if options.report:
        report.write(outcome, options.report)
    if faults := report.faults(outcome) if options.size == "full" else []:
        sys.exit("\n".join(faults))


if __name__ == "__main__":
    main()
