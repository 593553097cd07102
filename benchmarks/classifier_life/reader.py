"""A scripted reader who knows the truth and works through the list by its pages."""

import re
from collections.abc import Mapping

from benchmarks.classifier_life.site import Person

ACCESSION = re.compile(r"<dt>Accession</dt><dd>([^<]+)</dd>")
ACTION = re.compile(r'<form method="post" id="reading"[^>]*?action="([^"]+)"', re.S)
HIDDEN = re.compile(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)">')


def read(reader: Person, number: int, truth: Mapping[str, bool]) -> list[bool]:
    """Read studies from the top of the list.

    Parameters
    ----------
    truth
        By accession number: abnormal or not.

    Returns
    -------
    list of bool
        What the reader said of each study, abnormal or not, in the order of reading.
    """
    page = reader.get("/studies/next").text
    said = []
    while len(said) < number:
        accession, action = ACCESSION.search(page), ACTION.search(page)
        if accession is None or action is None:
            raise LookupError(f"After {len(said)} verdicts no study was left to read.")
        is_abnormal = truth[accession[1]]
        form = dict(HIDDEN.findall(page[action.start() :].split("</form>", 1)[0]))
        form["opinion"] = "abnormal" if is_abnormal else "normal"
        page = reader.send(action[1].replace("&amp;", "&"), page, form).text
        said.append(is_abnormal)
    return said
