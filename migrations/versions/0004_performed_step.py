"""Performed procedure steps: a hint when a study is complete.

Revision ID: 0004
Revises: 0003

Rules: one subject each; a rename is add, copy, remove over three releases; indexes ascending and with both
``sqlite_where`` and ``postgresql_where``; anything that SQLite cannot alter goes through ``batch_alter_table``.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

STATE = sa.Enum(
    "IN PROGRESS",
    "COMPLETED",
    "DISCONTINUED",
    name="stepstate",
    native_enum=False,
    create_constraint=True,
    length=32,
)


def upgrade() -> None:
    op.create_table(
        "performed_step",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("study_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("state", STATE, nullable=False),
        sa.Column("image_uids", sa.JSON(), nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["source_id"], ["source.id"], name=op.f("fk_performed_step_source_id_source")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_performed_step")),
        sa.UniqueConstraint("sop_instance_uid", name=op.f("uq_performed_step_sop_instance_uid")),
    )
    op.create_index("ix_performed_step_study", "performed_step", ["study_instance_uid"])


def downgrade() -> None:
    op.drop_table("performed_step")
