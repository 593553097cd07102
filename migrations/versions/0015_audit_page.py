"""An index for the page on which auditors look at what one person has done.

Revision ID: 0015
Revises: 0014

Rules: one subject each; a rename is add, copy, remove over three releases; indexes ascending and with both
``sqlite_where`` and ``postgresql_where``; anything that SQLite cannot alter goes through ``batch_alter_table``.
"""

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_audit_event_who", "audit_event", ["who", "id"])


def downgrade() -> None:
    op.drop_index("ix_audit_event_who", "audit_event")
