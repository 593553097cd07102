"""Rows and relations only, one file per family; the rules live in the features."""

from worklist.tables.account import Role, SavedView, Token, User
from worklist.tables.analysis import Analysis, AnalysisState
from worklist.tables.audit import AuditEvent
from worklist.tables.classifier import Calibration, ClassifierState, ClassifierVersion, OperatingPoint
from worklist.tables.commitment import Commitment, CommitmentReference
from worklist.tables.performed_step import PerformedStep
from worklist.tables.quarantine import Quarantined, QuarantineKind, QuarantineState, Resolution
from worklist.tables.ranking import RankingPolicy
from worklist.tables.reading import Claim, Finding, HeatMapPlace, Mark, MarkKind, Opinion, Verdict
from worklist.tables.source import Source
from worklist.tables.study import (
    Attention,
    BodyPart,
    ClinicalPriority,
    Instance,
    ReadingState,
    Result,
    Scope,
    Series,
    Study,
    StudyName,
)
from worklist.tables.training import TrainingEvent, TrainingRun, TrainingState
from worklist.tables.vocabulary import CommitmentState, ControlRule, StepState, Turn

__all__ = [
    "Analysis",
    "AnalysisState",
    "Attention",
    "AuditEvent",
    "BodyPart",
    "Calibration",
    "Claim",
    "ClassifierState",
    "ClassifierVersion",
    "ClinicalPriority",
    "Commitment",
    "CommitmentReference",
    "CommitmentState",
    "ControlRule",
    "Finding",
    "HeatMapPlace",
    "Instance",
    "Mark",
    "MarkKind",
    "OperatingPoint",
    "Opinion",
    "PerformedStep",
    "QuarantineKind",
    "QuarantineState",
    "Quarantined",
    "RankingPolicy",
    "ReadingState",
    "Resolution",
    "Result",
    "Role",
    "SavedView",
    "Scope",
    "Series",
    "Source",
    "StepState",
    "Study",
    "StudyName",
    "Token",
    "TrainingEvent",
    "TrainingRun",
    "TrainingState",
    "Turn",
    "User",
    "Verdict",
]
