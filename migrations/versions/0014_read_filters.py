"""Indexes for filters of read studies, of which a site has a million.

Revision ID: 0014
Revises: 0013

Rules: one subject each; a rename is add, copy, remove over three releases; indexes ascending and with both
``sqlite_where`` and ``postgresql_where``; anything that SQLite cannot alter goes through ``batch_alter_table``.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

INDEXES = {
    "ix_study_read_rank": ["rank_key", "id"],
    "ix_study_read_result_rank": ["result", "rank_key", "id", "attention", "body_part"],
    "ix_study_read_attention_rank": ["attention", "rank_key", "id", "body_part"],
    "ix_study_read_part_rank": ["body_part", "rank_key", "id"],
}


def upgrade() -> None:
    op.drop_index("ix_study_state_rank", "study")
    op.create_index(
        "ix_study_open_state_rank",
        "study",
        ["reading_state", "rank_key", "id"],
        sqlite_where=sa.text("is_open = 1"),
        postgresql_where=sa.text("is_open = true"),
    )
    read = sa.text("reading_state = 'read'")
    for name, columns in INDEXES.items():
        op.create_index(name, "study", columns, sqlite_where=read, postgresql_where=read)


def downgrade() -> None:
    for name in INDEXES:
        op.drop_index(name, "study")
    op.drop_index("ix_study_open_state_rank", "study")
    op.create_index("ix_study_state_rank", "study", ["reading_state", "rank_key", "id"])
