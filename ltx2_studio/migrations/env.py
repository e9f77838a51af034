"""Run by Alembic: brings the database that `database.migrate` hands over to the newest version."""

from alembic import context

from ltx2_studio.tables import METADATA

context.configure(connection=context.config.attributes["connection"], target_metadata=METADATA)
with context.begin_transaction():
    context.run_migrations()
