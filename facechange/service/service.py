"""The parts that servers and workers share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from facechange.consent import Context
from facechange.core.files import make_folder
from facechange.service.settings import ServiceSettings
from facechange.service.store import Store
from facechange.service.tables import Database


@dataclass(frozen=True)
class Service:
    """One installation, as a process of it sees it."""

    settings: ServiceSettings
    database: Database
    store: Store
    context: Context  # the operator's: settings, signing keys and clock

    def context_of(self, tenant: str) -> Context:
        """The tenant's own: its ledger of consent, and what was published for it."""
        return self.context.apart(self.settings.home / "tenants" / tenant)

    def work_folder(self, name: str) -> Path:
        """A folder for files on their way, for the owner's eyes alone. Raises `OSError`."""
        folder = self.settings.home / "work" / name
        make_folder(folder)
        return folder


def open_service(settings: ServiceSettings, context: Context) -> Service:
    """Open database and store, and bring the tables up to date. Raises `SettingsError`, `OSError` and SQLAlchemy's
    errors."""
    from facechange.service.migrate import upgrade

    make_folder(settings.home)
    database = Database(settings.database_url)
    upgrade(database)
    return Service(settings, database, Store(settings.store_url, settings.read_store_key()), context)
