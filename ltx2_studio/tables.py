"""The tables: accounts, generations, and a ledger in which a double charge cannot be written."""

import sqlalchemy as sa

METADATA = sa.MetaData()

#: Credits that an account can spend. What is held is not in `available` any more.
accounts = sa.Table(
    "accounts",
    METADATA,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("available", sa.BigInteger, sa.CheckConstraint("available >= 0"), nullable=False),
)

#: The reference's own way of knowing an account: the digest of a bearer token.
tokens = sa.Table(
    "tokens",
    METADATA,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("account", sa.String(64), sa.ForeignKey("accounts.id"), nullable=False),
)

#: One row for each video that somebody asked for. Times are seconds since 1970.
generations = sa.Table(
    "generations",
    METADATA,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("account", sa.String(64), sa.ForeignKey("accounts.id"), nullable=False),
    sa.Column("key", sa.String(255), nullable=False),
    sa.Column("body_digest", sa.String(64), nullable=False),
    sa.Column("model", sa.String(64), nullable=False),
    sa.Column("input", sa.JSON, nullable=False),
    sa.Column("tags", sa.JSON, nullable=False),
    sa.Column("credits", sa.BigInteger, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("cancelling", sa.Boolean, nullable=False, default=False),
    sa.Column("job_id", sa.String(128), unique=True),
    sa.Column("submits", sa.Integer, nullable=False, default=0),
    sa.Column("runs", sa.Integer, nullable=False, default=0),
    sa.Column("progress", sa.JSON),
    sa.Column("waiting", sa.String(32)),
    sa.Column("reply", sa.JSON),
    sa.Column("error", sa.JSON),
    sa.Column("retry_of", sa.String(36)),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("next_check_at", sa.Float, nullable=False),
    sa.Column("lease_until", sa.Float, nullable=False, default=0.0),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("submitted_at", sa.Float),
    sa.Column("started_at", sa.Float),
    sa.Column("finished_at", sa.Float),
    sa.Column("hidden_at", sa.Float),
    sa.Column("removed_at", sa.Float),
    sa.UniqueConstraint("account", "key", name="one_generation_for_a_key"),
    sa.Index("generations_by_account", "account", "seq"),
    sa.Index("generations_by_change", "seq"),
    sa.Index("generations_by_state", "account", "state"),
    sa.Index(
        "generations_to_sweep",
        "hidden_at",
        sqlite_where=sa.text("hidden_at is not null and removed_at is null"),
        postgresql_where=sa.text("hidden_at is not null and removed_at is null"),
    ),
    sa.Index("generations_due", "state", "next_check_at"),
)

#: The emerging video's picture of a generation that runs, where the endpoint sends one; see pictures.py.
pictures = sa.Table(
    "pictures",
    METADATA,
    sa.Column("generation", sa.String(36), sa.ForeignKey("generations.id"), primary_key=True),
    sa.Column("jpeg", sa.LargeBinary, nullable=False),
)

#: One row for each film that somebody asked for.
films = sa.Table(
    "films",
    METADATA,
    sa.Column("id", sa.String(36), primary_key=True),
    sa.Column("account", sa.String(64), sa.ForeignKey("accounts.id"), nullable=False),
    sa.Column("key", sa.String(255), nullable=False),
    sa.Column("body_digest", sa.String(64), nullable=False),
    sa.Column("edit", sa.JSON, nullable=False),
    sa.Column("frames", sa.Integer, nullable=False),
    sa.Column("state", sa.String(16), nullable=False),
    sa.Column("cancelling", sa.Boolean, nullable=False, default=False),
    sa.Column("done", sa.Integer, nullable=False, default=0),
    sa.Column("tries", sa.Integer, nullable=False, default=0),
    sa.Column("result", sa.JSON),
    sa.Column("error", sa.JSON),
    sa.Column("seq", sa.BigInteger, nullable=False),
    sa.Column("lease_until", sa.Float, nullable=False, default=0.0),
    sa.Column("created_at", sa.Float, nullable=False),
    sa.Column("started_at", sa.Float),
    sa.Column("finished_at", sa.Float),
    sa.Column("hidden_at", sa.Float),
    sa.UniqueConstraint("account", "key", name="one_film_for_a_key"),
    sa.Index("films_by_account", "account", "seq"),
    sa.Index("films_by_change", "seq"),
    sa.Index("films_due", "state", "lease_until"),
)

#: Append-only. A hold takes credits from an account; one settle or one release ends it.
ledger = sa.Table(
    "ledger",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("account", sa.String(64), sa.ForeignKey("accounts.id"), nullable=False),
    sa.Column("generation", sa.String(36), sa.ForeignKey("generations.id")),
    sa.Column("kind", sa.String(8), sa.CheckConstraint("kind in ('grant', 'hold', 'settle', 'release')")),
    sa.Column("amount", sa.BigInteger, sa.CheckConstraint("amount >= 0"), nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.UniqueConstraint("generation", "kind", name="one_entry_of_a_kind"),
    sa.Index(
        "one_end_of_a_hold",
        "generation",
        unique=True,
        sqlite_where=sa.text("kind in ('settle', 'release')"),
        postgresql_where=sa.text("kind in ('settle', 'release')"),
    ),
)

#: One row: the number of the newest change. A change takes the next one in its own transaction, so that the
#: numbers are in the order in which changes can be seen.
sequence = sa.Table(
    "sequence",
    METADATA,
    sa.Column("name", sa.String(16), primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
)
