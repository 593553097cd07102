"""Study, series, instance: the DICOM hierarchy, and what the list needs of each study."""

from datetime import datetime

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    String,
    Text,
    UniqueConstraint,
    false,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from worklist.database import Base, by_value
from worklist.tables.analysis import Analysis
from worklist.tables.source import Source
from worklist.tables.vocabulary import (
    Attention,
    BodyPart,
    ClinicalPriority,
    ReadingState,
    Result,
    Scope,
    Turn,
)

__all__ = [
    "Attention",
    "BodyPart",
    "ClinicalPriority",
    "Instance",
    "ReadingState",
    "Result",
    "Scope",
    "Series",
    "Study",
    "StudyName",
    "Turn",
]

# Searches by prefix are range comparisons, which need the order of code points in both engines.
SEARCHED = "C"
OPEN = text("is_open = true")
OPEN_SQLITE = text("is_open = 1")
READ = text("reading_state = 'read'")


def _searched(length: int) -> String:
    return String(length).with_variant(String(length, collation=SEARCHED), "postgresql")


def _open_index(name: str, *columns: str) -> Index:
    return Index(name, *columns, postgresql_where=OPEN, sqlite_where=OPEN_SQLITE)


def _read_index(name: str, *columns: str) -> Index:
    return Index(name, *columns, postgresql_where=READ, sqlite_where=READ)


class Study(Base):
    """All images of one request: the row of the list.

    ``rank_key`` is the stored place in the list and ``due_key`` the time by which it should be read, both in
    milliseconds since 1970 (``triage/ranking.py``); ``is_open`` says that it still waits for its reader.
    """

    __tablename__ = "study"
    __table_args__ = (
        CheckConstraint("study_probability BETWEEN 0 AND 1", name="probability_range"),
        CheckConstraint("is_open = (reading_state <> 'read')", name="open_unless_read"),
        # ranked_list: the open list, first page and every keyset page.
        _open_index("ix_study_open_rank", "rank_key", "id"),
        # ranked_list: the open list of one body part.
        _open_index("ix_study_open_part_rank", "body_part", "rank_key", "id"),
        # ranked_list: flagged, unscored, failed studies of the open list.
        _open_index("ix_study_open_attention_rank", "attention", "rank_key", "id"),
        _open_index("ix_study_open_result_rank", "result", "rank_key", "id"),
        # triage.rescoring: open studies whose score is not of the classifier in charge.
        _open_index("ix_study_open_scored_by", "scored_by_id"),
        # ranked_list: studies for a second reader, or for arbitration.
        Index(
            "ix_study_turn_rank",
            "turn",
            "rank_key",
            "id",
            postgresql_where=text("is_open = true AND turn <> 'first'"),
            sqlite_where=text("is_open = 1 AND turn <> 'first'"),
        ),
        # ranked_list: what waits, by state.
        _open_index("ix_study_open_state_rank", "reading_state", "rank_key", "id"),
        # ranked_list: read studies.
        _read_index("ix_study_read_rank", "rank_key", "id"),
        # ranked_list: read studies by result, attention, body part; the last columns let a filter be answered
        # without the row where hardly any study passes all filters.
        _read_index("ix_study_read_result_rank", "result", "rank_key", "id", "attention", "body_part"),
        _read_index("ix_study_read_attention_rank", "attention", "rank_key", "id", "body_part"),
        _read_index("ix_study_read_part_rank", "body_part", "rank_key", "id"),
        # ranked_list: the open list by deadline, and what is late.
        _open_index("ix_study_open_due", "due_key", "id"),
        # ranked_list: search by prefix of patient ID, accession number.
        Index("ix_study_patient_id", "patient_id", "id"),
        Index("ix_study_accession", "accession_number", "id"),
        # assembly: studies that may have become complete.
        Index(
            "ix_study_incomplete",
            "last_received_at",
            postgresql_where=text("is_complete = false"),
            sqlite_where=text("is_complete = 0"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    study_instance_uid: Mapped[str] = mapped_column(String(64), unique=True)
    patient_id: Mapped[str] = mapped_column(_searched(64), default="")
    patient_name: Mapped[str] = mapped_column(String(324), default="")
    patient_name_folded: Mapped[str] = mapped_column(_searched(324), default="")
    birth_date: Mapped[str] = mapped_column(String(8), default="")
    sex: Mapped[str] = mapped_column(String(16), default="")
    accession_number: Mapped[str] = mapped_column(_searched(16), default="")
    description: Mapped[str] = mapped_column(String(64), default="")
    study_date: Mapped[str] = mapped_column(String(8), default="")

    body_part: Mapped[BodyPart | None] = mapped_column(by_value(BodyPart))
    scope: Mapped[Scope] = mapped_column(by_value(Scope), default=Scope.UNKNOWN)
    scope_reason: Mapped[str] = mapped_column(Text, default="")
    clinical_priority: Mapped[ClinicalPriority] = mapped_column(
        by_value(ClinicalPriority), default=ClinicalPriority.ROUTINE
    )

    received_at: Mapped[datetime]
    last_received_at: Mapped[datetime]
    content_version: Mapped[int] = mapped_column(default=0)
    is_complete: Mapped[bool] = mapped_column(default=False)
    completion_reason: Mapped[str] = mapped_column(String(128), default="")
    warning: Mapped[str] = mapped_column(Text, default="")

    result: Mapped[Result] = mapped_column(by_value(Result), default=Result.WAITING)
    result_reason: Mapped[str] = mapped_column(Text, default="")
    result_version: Mapped[int] = mapped_column(default=0)
    study_probability: Mapped[float | None]
    probability_rule: Mapped[str] = mapped_column(String(64), default="")
    attention: Mapped[Attention] = mapped_column(by_value(Attention), default=Attention.NONE)
    is_demo_score: Mapped[bool] = mapped_column(default=False)
    # The classifier version of the score. No foreign key: SQLite would have to copy the table to drop it again.
    scored_by_id: Mapped[int | None]

    rank_key: Mapped[int] = mapped_column(BigInteger)
    due_key: Mapped[int] = mapped_column(BigInteger, server_default="0")
    reading_state: Mapped[ReadingState] = mapped_column(by_value(ReadingState), default=ReadingState.UNREAD)
    is_open: Mapped[bool] = mapped_column(default=True)
    read_at: Mapped[datetime | None]
    turn: Mapped[Turn] = mapped_column(
        by_value(Turn, checked=False), default=Turn.FIRST, server_default="first"
    )
    # In the control arm the classifier has no say in its place.
    is_control: Mapped[bool] = mapped_column(default=False, server_default=false())

    series: Mapped[list["Series"]] = relationship(
        back_populates="study", lazy="raise", order_by="Series.id", passive_deletes=True
    )


class StudyName(Base):
    """A patient's name, begun at each of its words: what a search by name looks at."""

    __tablename__ = "study_name"
    # ranked_list: search by prefix of any word of a name.
    __table_args__ = (Index("ix_study_name_words", "words", "study_id"),)

    study_id: Mapped[int] = mapped_column(ForeignKey("study.id", ondelete="CASCADE"), primary_key=True)
    words: Mapped[str] = mapped_column(_searched(324), primary_key=True)


class Series(Base):
    """One acquisition group of a study."""

    __tablename__ = "series"
    __table_args__ = (UniqueConstraint("study_id", "series_instance_uid"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    study_id: Mapped[int] = mapped_column(ForeignKey("study.id", ondelete="CASCADE"))
    series_instance_uid: Mapped[str] = mapped_column(String(64))
    modality: Mapped[str] = mapped_column(String(16), default="")
    series_number: Mapped[int | None]
    description: Mapped[str] = mapped_column(String(64), default="")

    study: Mapped[Study] = relationship(back_populates="series", lazy="raise")
    instances: Mapped[list["Instance"]] = relationship(
        back_populates="series", lazy="raise", order_by="Instance.id", passive_deletes=True
    )


class Instance(Base):
    """One image object, one file. The same UID with other bytes is another version of it."""

    __tablename__ = "instance"
    __table_args__ = (
        UniqueConstraint("sop_instance_uid", "version"),
        # The images of a study, in order.
        Index("ix_instance_series", "series_id", "id"),
        # intake.sources: how many images a source has sent lately.
        Index("ix_instance_source", "source_id", "received_at"),
        # triage.analyses and the sweep: images that wait for their analysis.
        Index(
            "ix_instance_waiting",
            "received_at",
            "id",
            postgresql_where=text("needs_analysis = true"),
            sqlite_where=text("needs_analysis = 1"),
        ),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    series_id: Mapped[int] = mapped_column(ForeignKey("series.id", ondelete="CASCADE"))
    source_id: Mapped[int | None] = mapped_column(ForeignKey("source.id"))
    sop_instance_uid: Mapped[str] = mapped_column(String(64))
    version: Mapped[int] = mapped_column(default=1)
    is_current: Mapped[bool] = mapped_column(default=True)
    sop_class_uid: Mapped[str] = mapped_column(String(64))
    transfer_syntax_uid: Mapped[str] = mapped_column(String(64))
    file_path: Mapped[str] = mapped_column(String(255))
    file_bytes: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str] = mapped_column(String(64))
    received_at: Mapped[datetime]
    instance_number: Mapped[int | None]
    rows: Mapped[int | None]
    columns: Mapped[int | None]
    body_part_examined: Mapped[str] = mapped_column(String(32), default="")
    view_position: Mapped[str] = mapped_column(String(16), default="")
    laterality: Mapped[str] = mapped_column(String(1), default="")
    # True until it has an analysis, or until it is known that there can be none.
    needs_analysis: Mapped[bool] = mapped_column(default=True)
    no_analysis_reason: Mapped[str] = mapped_column(Text, default="")

    series: Mapped[Series] = relationship(back_populates="instances", lazy="raise")
    source: Mapped[Source | None] = relationship(lazy="raise")
    analyses: Mapped[list[Analysis]] = relationship(lazy="raise", order_by=Analysis.id, passive_deletes=True)
