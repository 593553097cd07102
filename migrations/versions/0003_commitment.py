"""Storage commitment: requests, their images, and where sources listen.

Revision ID: 0003
Revises: 0002

Rules: one subject each; a rename is add, copy, remove over three releases; indexes ascending and with both
``sqlite_where`` and ``postgresql_where``; anything that SQLite cannot alter goes through ``batch_alter_table``.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

STATE = sa.Enum(
    "waiting",
    "reported",
    "given up",
    name="commitmentstate",
    native_enum=False,
    create_constraint=True,
    length=32,
)


def upgrade() -> None:
    with op.batch_alter_table("source") as source:
        source.add_column(sa.Column("port", sa.Integer(), nullable=True))
        source.add_column(sa.Column("uses_tls", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_table(
        "commitment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source_id", sa.Integer(), nullable=False),
        sa.Column("transaction_uid", sa.String(length=64), nullable=False),
        sa.Column("our_ae_title", sa.String(length=16), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state", STATE, nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_error", sa.Text(), nullable=False),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["source_id"], ["source.id"], name=op.f("fk_commitment_source_id_source")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_commitment")),
        sa.UniqueConstraint(
            "source_id", "transaction_uid", name=op.f("uq_commitment_source_id_transaction_uid")
        ),
    )
    op.create_index(
        "ix_commitment_due",
        "commitment",
        ["next_attempt_at"],
        postgresql_where=sa.text("state = 'waiting'"),
        sqlite_where=sa.text("state = 'waiting'"),
    )
    op.create_table(
        "commitment_reference",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("commitment_id", sa.Integer(), nullable=False),
        sa.Column("sop_class_uid", sa.String(length=64), nullable=False),
        sa.Column("sop_instance_uid", sa.String(length=64), nullable=False),
        sa.Column("failure_reason", sa.Integer(), nullable=True),
        sa.ForeignKeyConstraint(
            ["commitment_id"],
            ["commitment.id"],
            name=op.f("fk_commitment_reference_commitment_id_commitment"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_commitment_reference")),
    )
    op.create_index("ix_commitment_reference_commitment", "commitment_reference", ["commitment_id", "id"])


def downgrade() -> None:
    op.drop_table("commitment_reference")
    op.drop_table("commitment")
    with op.batch_alter_table("source") as source:
        source.drop_column("uses_tls")
        source.drop_column("port")
