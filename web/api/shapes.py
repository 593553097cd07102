"""What the interface takes and gives. Field descriptions become the document's."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field

from worklist.tables import (
    Attention,
    BodyPart,
    ClinicalPriority,
    Finding,
    HeatMapPlace,
    MarkKind,
    Opinion,
    ReadingState,
    Result,
    Turn,
)
from worklist.triage.list_query import STATES, Due

LARGEST_ID = 2**31 - 1
LARGEST_SIDE = 65535


class Strict(BaseModel):
    """Refuses what it does not know: a misspelt filter must not show everything."""

    model_config = ConfigDict(extra="forbid")


class Problem(BaseModel):
    """What went wrong, in a sentence."""

    error: str


class StudyPath(Strict):
    """Which study."""

    study_id: int = Field(ge=1, le=LARGEST_ID)


class VerdictPath(Strict):
    """Which verdict."""

    verdict_id: int = Field(ge=1, le=LARGEST_ID)


class ListQuery(Strict):
    """Filters of the list; everything is combined with *and*."""

    state: str = Field("open", json_schema_extra={"enum": list(STATES)})
    part: BodyPart | None = None
    attention: Attention | None = None
    result: Result | None = None
    due: Due | None = None
    q: str = Field(
        "", max_length=200, description="Parts of a name, or the beginning of a patient ID or accession number"
    )
    after: str | None = Field(None, description="The cursor that the page before gave")
    limit: int = Field(50, ge=1, le=200)


class ListedStudy(BaseModel):
    """One study as the list shows it.

    Where readers must not know yet what the classifier says (anti-bias mode, control arm), ``is_hidden`` is
    true, and probability, attention and reason are null.
    """

    id: int
    patient_name: str = Field(description="As in (0010,0010)")
    patient_id: str
    accession_number: str
    birth_date: str = Field(description="YYYYMMDD, or empty")
    sex: str
    body_part: BodyPart | None
    description: str
    study_date: str = Field(description="YYYYMMDD, or empty")
    image_count: int
    clinical_priority: ClinicalPriority
    received_at: datetime
    due_at: datetime
    read_at: datetime | None
    is_complete: bool
    is_hidden: bool
    result: Result
    result_reason: str
    probability: float | None = Field(description="Of an abnormality, 0 to 1, calibrated")
    attention: Attention | None
    is_demo_score: bool
    reading_state: ReadingState
    turn: Turn
    open_by: str | None = Field(description="Name of the reader who has it open")
    warning: str
    reason: str | None = Field(description="Why it stands where it stands")


class ListPage(BaseModel):
    """Studies in the order in which they are to be read."""

    studies: list[ListedStudy]
    after: str | None = Field(description="Cursor of the next page; null at the end")


class Image(BaseModel):
    """One image of a study; its pixels are at ``/instances/{id}/pixels`` for people who have signed in."""

    id: int
    label: str
    probability: float | None
    has_heat_map: bool


class Mark(Strict):
    """A point or box on a finding, or the crop as it should be, in pixels of the stored image."""

    instance_id: int = Field(ge=1, le=LARGEST_ID)
    kind: MarkKind
    left: int = Field(ge=0, le=LARGEST_SIDE)
    top: int = Field(ge=0, le=LARGEST_SIDE)
    width: int = Field(ge=1, le=LARGEST_SIDE)
    height: int = Field(ge=1, le=LARGEST_SIDE)


class PastVerdict(BaseModel):
    """One line of a study's history."""

    id: int
    reader: str
    turn: Turn
    opinion: Opinion
    finding: Finding | None
    heat_map: HeatMapPlace | None
    note: str
    marks: list[Mark]
    given_at: datetime
    stands: bool


class StudyDetail(BaseModel):
    """One study with its images and verdicts. Both versions go back with a verdict."""

    id: int
    patient_name: str
    patient_id: str
    accession_number: str
    birth_date: str
    sex: str
    study_date: str
    description: str
    body_part: BodyPart | None
    clinical_priority: ClinicalPriority
    received_at: datetime
    read_at: datetime | None
    is_complete: bool
    reading_state: ReadingState
    turn: Turn
    content_version: int
    result_version: int
    is_hidden: bool
    result: Result
    result_reason: str
    probability: float | None
    attention: Attention | None
    is_demo_score: bool
    warning: str
    images: list[Image]
    verdicts: list[PastVerdict]


class ClaimBody(Strict):
    """How to open a study."""

    take_over: bool = Field(False, description="Also if somebody else has it open")


class ClaimAnswer(BaseModel):
    """Until when a study is the reader's; claim it again before."""

    study_id: int
    expires_at: datetime


class VerdictBody(Strict):
    """What the reader thinks of a study, and which state of it they saw."""

    opinion: Opinion
    finding: Finding | None = None
    heat_map: HeatMapPlace | None = None
    note: str = Field("", max_length=4000)
    marks: list[Mark] = Field([], max_length=50)
    content_version: int = Field(ge=0, le=LARGEST_ID)
    result_version: int = Field(ge=0, le=LARGEST_ID)


class VerdictAnswer(BaseModel):
    """A verdict that was stored."""

    id: int
    study_id: int


class Counts(BaseModel):
    """How many studies wait, by kind; counting stops at 1001."""

    open: int
    flagged: int | None = Field(description="Null where it must not be known")
    waiting_for_score: int
    without_classifier: int
    failed: int
    out_of_scope: int
    reading: int
    deferred: int
    late: int
    second: int
    arbitration: int
