"""What consent, marks and signatures depend on around them: built once at the edge, handed down, looked up nowhere
else."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from facechange.consent.ledger import Ledger
from facechange.consent.record import Digests
from facechange.core.clock import Clock, utc_now
from facechange.core.settings import Folders, Settings, load_settings
from facechange.core.signing import SigningKeys


@dataclass(frozen=True)
class Context:
    """An installation as one run sees it. The command line, a service or a caller makes one with `load_context`."""

    settings: Settings
    ledger: Ledger
    keys: SigningKeys
    clock: Clock
    folders: Folders
    digests: Digests = field(default_factory=Digests, repr=False, compare=False)

    def apart(self, data: Path) -> Context:
        """The same installation for other people, who see no record of these: a ledger and publications of their own in
        the folder `data`."""
        ledger, folders = Ledger(data / "consent.sqlite", self.clock), replace(self.folders, data=data)
        return replace(self, ledger=ledger, folders=folders, digests=Digests())


def load_context(clock: Clock = utc_now) -> Context:
    """The context of whoever runs this, by the operator's settings and the environment; nothing is written.

    Raises `SettingsError` for settings that cannot be understood.
    """
    settings, folders = load_settings(), Folders.find()
    return Context(
        settings,
        Ledger(folders.data / "consent.sqlite", clock),
        SigningKeys(folders.data, clock, settings.marking.certificate, settings.marking.key),
        clock,
        folders,
    )
