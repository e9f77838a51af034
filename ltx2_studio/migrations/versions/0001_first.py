"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables, as they were then: later changes of tables.py do not change this."""
    op.create_table(
        "accounts",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("available", sa.BigInteger, sa.CheckConstraint("available >= 0"), nullable=False),
    )
    op.create_table(
        "tokens",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("account", sa.String(64), sa.ForeignKey("accounts.id"), nullable=False),
    )
    op.create_table(
        "generations",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("account", sa.String(64), sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("body_digest", sa.String(64), nullable=False),
        sa.Column("model", sa.String(64), nullable=False),
        sa.Column("input", sa.JSON, nullable=False),
        sa.Column("tags", sa.JSON, nullable=False),
        sa.Column("credits", sa.BigInteger, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("cancelling", sa.Boolean, nullable=False),
        sa.Column("job_id", sa.String(128), unique=True),
        sa.Column("submits", sa.Integer, nullable=False),
        sa.Column("runs", sa.Integer, nullable=False),
        sa.Column("progress", sa.JSON),
        sa.Column("waiting", sa.String(32)),
        sa.Column("reply", sa.JSON),
        sa.Column("error", sa.JSON),
        sa.Column("retry_of", sa.String(36)),
        sa.Column("seq", sa.BigInteger, nullable=False),
        sa.Column("next_check_at", sa.Float, nullable=False),
        sa.Column("lease_until", sa.Float, nullable=False),
        sa.Column("created_at", sa.Float, nullable=False),
        sa.Column("submitted_at", sa.Float),
        sa.Column("started_at", sa.Float),
        sa.Column("finished_at", sa.Float),
        sa.Column("hidden_at", sa.Float),
        sa.UniqueConstraint("account", "key", name="one_generation_for_a_key"),
    )
    op.create_index("generations_by_account", "generations", ["account", "seq"])
    op.create_index("generations_due", "generations", ["state", "next_check_at"])
    op.create_table(
        "ledger",
        sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("account", sa.String(64), sa.ForeignKey("accounts.id"), nullable=False),
        sa.Column("generation", sa.String(36), sa.ForeignKey("generations.id")),
        sa.Column("kind", sa.String(8), sa.CheckConstraint("kind in ('grant', 'hold', 'settle', 'release')")),
        sa.Column("amount", sa.BigInteger, sa.CheckConstraint("amount >= 0"), nullable=False),
        sa.Column("at", sa.Float, nullable=False),
        sa.UniqueConstraint("generation", "kind", name="one_entry_of_a_kind"),
    )
    ends = sa.text("kind in ('settle', 'release')")
    op.create_index(
        "one_end_of_a_hold",
        "ledger",
        ["generation"],
        unique=True,
        sqlite_where=ends,
        postgresql_where=ends,
    )
    sequence = op.create_table(
        "sequence",
        sa.Column("name", sa.String(16), primary_key=True),
        sa.Column("value", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(sequence, [{"name": "changes", "value": 0}])
