"""What readers draw: points and boxes on findings, and crops as they should be.

Revision ID: 0012
Revises: 0011

Rules: one subject each; a rename is add, copy, remove over three releases; indexes ascending and with both
``sqlite_where`` and ``postgresql_where``; anything that SQLite cannot alter goes through ``batch_alter_table``.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

KIND = sa.Enum("point", "box", "crop", name="markkind", native_enum=False, create_constraint=True, length=32)


def upgrade() -> None:
    op.create_table(
        "mark",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("verdict_id", sa.Integer(), nullable=False),
        sa.Column("instance_id", sa.Integer(), nullable=False),
        sa.Column("kind", KIND, nullable=False),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("left", "top", "width", "height")),
        sa.CheckConstraint("width > 0 AND height > 0", name=op.f("ck_mark_has_an_area")),
        sa.ForeignKeyConstraint(
            ["verdict_id"], ["verdict.id"], name=op.f("fk_mark_verdict_id_verdict"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["instance_id"], ["instance.id"], name=op.f("fk_mark_instance_id_instance"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mark")),
    )
    op.create_index("ix_mark_verdict", "mark", ["verdict_id"])


def downgrade() -> None:
    op.drop_table("mark")
