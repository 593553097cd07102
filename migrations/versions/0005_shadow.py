"""One version watches beside the one in charge; studies know which version gave their score.

Revision ID: 0005
Revises: 0004

Rules: one subject each; a rename is add, copy, remove over three releases; indexes ascending and with both
``sqlite_where`` and ``postgresql_where``; anything that SQLite cannot alter goes through ``batch_alter_table``.
"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# What is shown today is what the version in charge, or its predecessors, found.
SCORED_BY = """
UPDATE study SET scored_by_id = (
    SELECT max(analysis.classifier_version_id) FROM analysis
    JOIN instance ON instance.id = analysis.instance_id
    JOIN series ON series.id = instance.series_id
    WHERE series.study_id = study.id AND analysis.state = 'done'
) WHERE is_open AND study_probability IS NOT NULL
"""
# Until now only versions that had been in charge had analysed anything.
PROMOTED = """
UPDATE classifier_version SET promoted_at = registered_at
WHERE promoted_at IS NULL AND state IN ('champion', 'retired')
"""


def upgrade() -> None:
    op.add_column("classifier_version", sa.Column("shadow_since", sa.DateTime(timezone=True), nullable=True))
    op.add_column("classifier_version", sa.Column("trouble", sa.Text(), server_default="", nullable=False))
    op.create_index(
        "uq_classifier_version_shadow",
        "classifier_version",
        ["state"],
        unique=True,
        postgresql_where=sa.text("state = 'shadow'"),
        sqlite_where=sa.text("state = 'shadow'"),
    )
    op.add_column("study", sa.Column("scored_by_id", sa.Integer(), nullable=True))
    op.create_index(
        "ix_study_open_scored_by",
        "study",
        ["scored_by_id"],
        postgresql_where=sa.text("is_open = true"),
        sqlite_where=sa.text("is_open = 1"),
    )
    op.execute(SCORED_BY)
    op.execute(PROMOTED)


def downgrade() -> None:
    op.drop_index("ix_study_open_scored_by", table_name="study")
    op.drop_column("study", "scored_by_id")
    op.drop_index("uq_classifier_version_shadow", table_name="classifier_version")
    op.drop_column("classifier_version", "trouble")
    op.drop_column("classifier_version", "shadow_since")
