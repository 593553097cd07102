"""What the list offers: names in any order, deadlines, saved views, settings of one person.

Revision ID: 0009
Revises: 0008

Rules: one subject each; a rename is add, copy, remove over three releases; indexes ascending and with both
``sqlite_where`` and ``postgresql_where``; anything that SQLite cannot alter goes through ``batch_alter_table``.
"""

import re
from datetime import timedelta

import sqlalchemy as sa
from alembic import op

from worklist.database import UTCDateTime

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

SEARCHED = sa.String(324).with_variant(sa.String(324, collation="C"), "postgresql")
HOURS = {"STAT": 1, "HIGH": 4, "ROUTINE": 24}
CHUNK = 5000

STUDY = sa.table(
    "study",
    sa.column("id", sa.Integer),
    sa.column("patient_name_folded", sa.String),
    sa.column("clinical_priority", sa.String),
    sa.column("received_at", UTCDateTime),
    sa.column("due_key", sa.BigInteger),
)
STUDY_NAME = sa.table("study_name", sa.column("study_id", sa.Integer), sa.column("words", sa.String))


def upgrade() -> None:
    op.create_table(
        "study_name",
        sa.Column("study_id", sa.Integer(), nullable=False),
        sa.Column("words", SEARCHED, nullable=False),
        sa.ForeignKeyConstraint(
            ["study_id"], ["study.id"], name=op.f("fk_study_name_study_id_study"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("study_id", "words", name=op.f("pk_study_name")),
    )
    op.add_column("study", sa.Column("due_key", sa.BigInteger(), server_default="0", nullable=False))
    for column, hours in (("stat_due_seconds", 1), ("high_due_seconds", 4), ("routine_due_seconds", 24)):
        op.add_column(
            "ranking_policy", sa.Column(column, sa.Double(), server_default=str(hours * 3600), nullable=False)
        )
    op.add_column("user", sa.Column("preferences", sa.JSON(), server_default="{}", nullable=False))
    op.create_table(
        "saved_view",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("user_id", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("query", sa.JSON(), nullable=False),
        sa.Column("is_shared", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_saved_view_user_id_user")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_view")),
        sa.UniqueConstraint("user_id", "name", name=op.f("uq_saved_view_user_id_name")),
    )
    _fill()
    op.create_index("ix_study_name_words", "study_name", ["words", "study_id"])
    op.create_index(
        "ix_study_open_due",
        "study",
        ["due_key", "id"],
        sqlite_where=sa.text("is_open = 1"),
        postgresql_where=sa.text("is_open = true"),
    )
    op.drop_index("ix_study_name", "study")


def downgrade() -> None:
    op.create_index("ix_study_name", "study", ["patient_name_folded", "id"])
    op.drop_index("ix_study_open_due", "study")
    op.drop_table("saved_view")
    with op.batch_alter_table("user") as batch:
        batch.drop_column("preferences")
    with op.batch_alter_table("ranking_policy") as batch:
        for column in ("stat_due_seconds", "high_due_seconds", "routine_due_seconds"):
            batch.drop_column(column)
    op.drop_table("study_name")
    # Plain: a copy of the table would cost a large site minutes, and SQLite has been able to since 3.35.
    op.drop_column("study", "due_key")


def _fill() -> None:
    connection = op.get_bind()
    last = 0
    while rows := connection.execute(
        sa.select(STUDY.c.id, STUDY.c.patient_name_folded, STUDY.c.clinical_priority, STUDY.c.received_at)
        .where(STUDY.c.id > last)
        .order_by(STUDY.c.id)
        .limit(CHUNK)
    ).all():
        names = [
            {"study_id": row.id, "words": turn} for row in rows for turn in _turns(row.patient_name_folded)
        ]
        if names:
            connection.execute(STUDY_NAME.insert(), names)
        connection.execute(
            STUDY.update().where(STUDY.c.id == sa.bindparam("of")).values(due_key=sa.bindparam("key")),
            [{"of": row.id, "key": _due(row.received_at, row.clinical_priority)} for row in rows],
        )
        last = rows[-1].id


def _turns(folded: str) -> list[str]:
    # As the code of that release had it: a migration does not change with the code.
    found = [word for word in re.split(r"[\s^=,]+", folded) if word]
    return sorted({" ".join([*found[at:], *found[:at]]) for at in range(len(found))})


def _due(received_at, clinical_priority: str) -> int:
    return round((received_at + timedelta(hours=HOURS[clinical_priority])).timestamp() * 1000)
