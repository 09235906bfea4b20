"""Adds to a turn the idempotency key of its run; creates the tables of private connections and of approvals."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004_expand"
down_revision = "0003_expand"


def upgrade() -> None:
    op.add_column("turns", sa.Column("run_key", sa.Text))
    op.create_table(
        "egress",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("instance", sa.Text, nullable=False),
        sa.Column("opened_at", sa.Float(53), nullable=False),
        sa.Column("requester", sa.Text, nullable=False),
        sa.Column("url", sa.Text, nullable=False),
        sa.Column("address", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("rule", sa.Text, nullable=False),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.Column("status", sa.Text, nullable=False),
        sa.Column("closed_at", sa.Float(53)),
        sa.Column("bytes_sent", sa.BigInteger),
        sa.Column("bytes_received", sa.BigInteger),
    )
    op.create_index("egress_opened_at", "egress", ["opened_at"])
    op.create_table(
        "approvals",
        sa.Column("caller", sa.Text, primary_key=True),
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("agent", sa.Text, nullable=False),
        sa.Column("session", sa.Text, nullable=False),
        sa.Column("run", sa.Text, nullable=False),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("arguments", sa.Text, nullable=False),
        sa.Column("definition", sa.Text, nullable=False),
        sa.Column("expires_at", sa.Float(53), nullable=False),
        sa.Column("decided_by", sa.Text),
        sa.Column("result", sa.Text),
    )
    op.create_index("approvals_session", "approvals", ["caller", "session"])
    op.create_index("approvals_run", "approvals", ["run"])
