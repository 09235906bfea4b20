"""Creates the table of stored responses."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002_expand"
down_revision = "0001_expand"


def upgrade() -> None:
    op.create_table(
        "responses",
        sa.Column("caller", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("agent", sa.Text, nullable=False),
        sa.Column("session", sa.Text),
        sa.Column("seq", sa.Integer),
        sa.Column("parent", sa.Text),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("owner", sa.BigInteger, nullable=False),
        sa.Column("created_at", sa.Float(53), nullable=False),
        sa.Column("body", sa.Text),
        sa.Column("input", sa.Text),
        sa.Column("turns", sa.Text),
        sa.ForeignKeyConstraint(
            ["caller", "session"], ["sessions.caller", "sessions.key"], ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["caller", "parent"],
            ["responses.caller", "responses.id"],
            ondelete="CASCADE",
            deferrable=True,
            initially="DEFERRED",
        ),
    )
    op.create_index("responses_session", "responses", ["caller", "session"])
    op.create_index("responses_parent", "responses", ["caller", "parent"])
    op.create_index("responses_created_at", "responses", ["created_at"])
