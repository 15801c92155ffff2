"""The volume by which a series is sorted stands in its row."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Of the results that hold."""
    op.add_column("series", sa.Column("volume_ml", sa.Double(), nullable=False, server_default="0"))
    link = op.get_bind()
    rows = link.execute(
        sa.text("SELECT series_id, summary FROM result WHERE superseded_at IS NULL")
    )
    for series_id, summary in rows.all():
        link.execute(
            sa.text("UPDATE series SET volume_ml = :ml WHERE id = :id"),
            {"ml": json.loads(summary)["total_ml"], "id": series_id},
        )
