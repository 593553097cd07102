"""Second readings with arbitration, and a control arm in which the classifier does not order the list.

Revision ID: 0010
Revises: 0009

Rules: one subject each; a rename is add, copy, remove over three releases; indexes ascending and with both
``sqlite_where`` and ``postgresql_where``; anything that SQLite cannot alter goes through ``batch_alter_table``.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

# No check constraints: SQLite would have to copy the largest table of all.
TURN = sa.Enum("first", "second", "arbitration", name="turn", native_enum=False, length=32)
RULE = sa.Enum("none", "study", "day", "shift", name="controlrule", native_enum=False, length=32)


def upgrade() -> None:
    op.add_column("study", sa.Column("turn", TURN, server_default="first", nullable=False))
    op.add_column("study", sa.Column("is_control", sa.Boolean(), server_default=sa.false(), nullable=False))
    op.add_column("verdict", sa.Column("turn", TURN, server_default="first", nullable=False))
    op.add_column("ranking_policy", sa.Column("control_rule", RULE, server_default="none", nullable=False))
    op.add_column("ranking_policy", sa.Column("control_share", sa.Double(), server_default="0", nullable=False))
    op.add_column(
        "ranking_policy", sa.Column("control_seed", sa.String(length=32), server_default="", nullable=False)
    )
    op.create_index(
        "ix_study_turn_rank",
        "study",
        ["turn", "rank_key", "id"],
        sqlite_where=sa.text("is_open = 1 AND turn <> 'first'"),
        postgresql_where=sa.text("is_open = true AND turn <> 'first'"),
    )


def downgrade() -> None:
    op.drop_index("ix_study_turn_rank", "study")
    for table, column in (
        ("ranking_policy", "control_seed"),
        ("ranking_policy", "control_share"),
        ("ranking_policy", "control_rule"),
        ("verdict", "turn"),
        ("study", "is_control"),
        ("study", "turn"),
    ):
        op.drop_column(table, column)
