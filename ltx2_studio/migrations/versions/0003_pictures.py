"""Pictures of videos that emerge."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the table as it was then."""
    op.create_table(
        "pictures",
        sa.Column("generation", sa.String(36), sa.ForeignKey("generations.id"), primary_key=True),
        sa.Column("jpeg", sa.LargeBinary, nullable=False),
    )
