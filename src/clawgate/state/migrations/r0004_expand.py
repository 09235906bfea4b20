"""Adds to a turn the idempotency key of its run."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004_expand"
down_revision = "0003_expand"


def upgrade() -> None:
    op.add_column("turns", sa.Column("run_key", sa.Text))
