"""Films; changes of all accounts found by their number; files of what was deleted."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the table as it was then."""
    op.create_table(
        "films",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("account", sa.String(64), sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("body_digest", sa.String(64), nullable=False),
        sa.Column("edit", sa.JSON, nullable=False),
        sa.Column("frames", sa.Integer, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("cancelling", sa.Boolean, nullable=False),
        sa.Column("done", sa.Integer, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False),
        sa.Column("result", sa.JSON),
        sa.Column("error", sa.JSON),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("lease_until", sa.Float, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("started_at", sa.Float),
        sa.Column("finished_at", sa.Float),
        sa.Column("hidden_at", sa.Float),
        sa.UniqueConstraint("account", "key", name="one_film_for_a_key"),
    )
    op.create_index("films_by_account", "films", ["account", "seq"])
    op.create_index("films_by_change", "films", ["seq"])
    op.create_index("films_due", "films", ["state", "lease_until"])
    op.add_column("generations", sa.Column("removed_at", sa.Float))
    deleted = sa.text("hidden_at is not null and removed_at is null")
    op.create_index(
        "generations_to_sweep", "generations", ["hidden_at"], sqlite_where=deleted, postgresql_where=deleted
    )
    op.create_index("generations_by_state", "generations", ["account", "state"])
    op.create_index("generations_by_change", "generations", ["seq"])
