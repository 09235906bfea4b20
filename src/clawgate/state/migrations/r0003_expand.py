"""Adds to a turn the number of the one in its place."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003_expand"
down_revision = "0002_expand"


def upgrade() -> None:
    op.add_column("turns", sa.Column("replaced_by", sa.Integer))
