"""Tables up to date, by Alembic."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection

from facechange.service.tables import Database

SCRIPTS = Path(__file__).with_name("migrations")


def upgrade(database: Database) -> None:
    """Bring the tables to this release's; one process at a time, the others wait."""
    with database.engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7301)")
        else:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        command.upgrade(configure(connection), "head")


def configure(connection: Connection) -> Config:
    """Alembic's settings."""
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.attributes["connection"] = connection
    return config
