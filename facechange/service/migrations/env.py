"""Alembic's entry: the connection is handed in by `facechange.service.migrate`."""

from alembic import context

from facechange.service.tables import Base

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, render_as_batch=True
)
with context.begin_transaction():
    context.run_migrations()
