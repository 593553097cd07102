"""The closed sets of words that rows use; DICOM's own terms where there are some."""

from enum import StrEnum


class BodyPart(StrEnum):
    """The seven body parts the classifier may judge (defined terms of (0018,0015), PS3.16 Annex L)."""

    ELBOW = "ELBOW"
    FINGER = "FINGER"
    FOREARM = "FOREARM"
    HAND = "HAND"
    HUMERUS = "HUMERUS"
    SHOULDER = "SHOULDER"
    WRIST = "WRIST"


class ClinicalPriority(StrEnum):
    """What the order says, as in Requested Procedure Priority (0040,1003)."""

    STAT = "STAT"
    HIGH = "HIGH"
    ROUTINE = "ROUTINE"


class Scope(StrEnum):
    """May the classifier judge it?"""

    IN = "in"
    OUT = "out"
    UNKNOWN = "unknown"


class CommitmentState(StrEnum):
    """Where the answer to a storage commitment request stands."""

    WAITING = "waiting"
    REPORTED = "reported"
    GIVEN_UP = "given up"


class StepState(StrEnum):
    """Performed Procedure Step Status (0040,0252)."""

    IN_PROGRESS = "IN PROGRESS"
    COMPLETED = "COMPLETED"
    DISCONTINUED = "DISCONTINUED"


class ReadingState(StrEnum):
    """Where a study stands with the readers."""

    UNREAD = "unread"
    READING = "reading"
    READ = "read"
    DEFERRED = "deferred"


class Turn(StrEnum):
    """Whose reading a study waits for, and whose a verdict is."""

    FIRST = "first"
    SECOND = "second"
    ARBITRATION = "arbitration"


class ControlRule(StrEnum):
    """What is put into the control arm together."""

    NONE = "none"
    STUDY = "study"
    DAY = "day"
    SHIFT = "shift"


class Result(StrEnum):
    """What the classifier made of a study so far."""

    WAITING = "waiting"
    SCORED = "scored"
    FAILED = "failed"
    OUT_OF_SCOPE = "out_of_scope"
    NO_CLASSIFIER = "no_classifier"


class Attention(StrEnum):
    """What the two operating points say of a study probability."""

    FLAGGED = "flagged"
    LOOK_CLOSER = "look_closer"
    NONE = "none"


class Opinion(StrEnum):
    """What a reader said of a study."""

    NORMAL = "normal"
    ABNORMAL = "abnormal"
    UNSURE = "unsure"


class Finding(StrEnum):
    """What a reader found; which of them a body part can have stands in ``worklist.reading.judgement``."""

    FRACTURE = "fracture"
    DISLOCATION = "dislocation"
    EFFUSION = "effusion"
    DEGENERATIVE = "degenerative"
    HARDWARE = "hardware"
    FOREIGN_BODY = "foreign_body"
    LESION = "lesion"
    CALCIFICATION = "calcification"
    OTHER = "other"


class MarkKind(StrEnum):
    """What a reader draws on an image."""

    POINT = "point"
    BOX = "box"
    CROP = "crop"


class HeatMapPlace(StrEnum):
    """Where the heat map points, as its reader sees it."""

    RIGHT = "right"
    WRONG = "wrong"
