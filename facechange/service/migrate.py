"""Tables up to date."""

from __future__ import annotations

from facechange.service.tables import Base, Database


def upgrade(database: Database) -> None:
    """Make what is missing."""
    Base.metadata.create_all(database.engine)
