"""Verdicts name a finding, and say whether the heat map points to the right place.

Revision ID: 0007
Revises: 0006

Rules: one subject each; a rename is add, copy, remove over three releases; indexes ascending and with both
``sqlite_where`` and ``postgresql_where``; anything that SQLite cannot alter goes through ``batch_alter_table``.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

FINDING = sa.Enum(
    "fracture",
    "dislocation",
    "effusion",
    "degenerative",
    "hardware",
    "foreign_body",
    "lesion",
    "calcification",
    "other",
    name="finding",
    native_enum=False,
    create_constraint=True,
    length=32,
)
PLACE = sa.Enum("right", "wrong", name="heatmapplace", native_enum=False, create_constraint=True, length=32)


def upgrade() -> None:
    with op.batch_alter_table("verdict") as batch:
        batch.add_column(sa.Column("finding", FINDING, nullable=True))
        batch.add_column(sa.Column("heat_map", PLACE, nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("verdict") as batch:
        for name, constraint in (("heat_map", "heatmapplace"), ("finding", "finding")):
            batch.drop_constraint(op.f(f"ck_verdict_{constraint}"), type_="check")
            batch.drop_column(name)
