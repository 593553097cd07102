"""A reader's opinion before they have seen what the classifier says.

Revision ID: 0008
Revises: 0007

Rules: one subject each; a rename is add, copy, remove over three releases; indexes ascending and with both
``sqlite_where`` and ``postgresql_where``; anything that SQLite cannot alter goes through ``batch_alter_table``.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

FIRST = sa.Enum(
    "normal",
    "abnormal",
    "unsure",
    name="first_opinion",
    native_enum=False,
    create_constraint=True,
    length=32,
)


def upgrade() -> None:
    for table in ("claim", "verdict"):
        with op.batch_alter_table(table) as batch:
            batch.add_column(sa.Column("first_opinion", FIRST, nullable=True))


def downgrade() -> None:
    for table in ("verdict", "claim"):
        with op.batch_alter_table(table) as batch:
            batch.drop_constraint(op.f(f"ck_{table}_first_opinion"), type_="check")
            batch.drop_column("first_opinion")
