"""What the operator decides about the service: the table [service] of a TOML file; secrets from the environment or
from files."""

from __future__ import annotations

import base64
import os
from dataclasses import dataclass
from pathlib import Path

from facechange.core import SettingsError
from facechange.core.stored import build, parse_toml, read_text

STORE_KEY_VARIABLE = "FACECHANGE_STORE_KEY"
DATABASE_VARIABLE = "FACECHANGE_DATABASE"  # a URL holds a password, so that it may not stand in a file that is shared
STORE_KEY_BYTES = 32
LOCAL_HOSTS = ("127.0.0.1", "::1", "localhost")


@dataclass(frozen=True)
class ServiceSettings:
    """The settings of one installation; every server and worker of it has the same."""

    home: Path  # database, files and ledgers, as far as they are not elsewhere; work files
    host: str = "127.0.0.1"
    port: int = 8443
    database: str = ""  # SQLAlchemy's URL; SQLite in `home` where empty
    store: str = ""  # fsspec's URL of a folder or bucket; a folder in `home` where empty
    store_key_file: str = ""  # 32 bytes in base 64, with which files are encrypted at rest
    largest_upload_bytes: int = 2 << 30
    largest_pixels: int = 100_000_000
    longest_video_seconds: float = 3600.0
    decoding_seconds: float = 60.0  # for a look at one upload
    decoding_bytes: int = 6 << 30  # address space of that look
    keep_days: float = 0.0  # how long library entries stay where nobody says; 0: until deleted
    requests_per_minute: int = 600  # of one key
    jobs_per_key: int = 100  # accepted and not over
    answer_seconds: float = 8.0  # how long an answer may wait for a photograph
    lease_seconds: float = 30.0  # without a sign of life a worker's job is another's
    attempts: int = 5  # of workers that died over one job
    workers: int = 2  # processes beside the server; the first takes only what is quick
    webhook_private: bool = False  # whether webhooks may go to private networks
    oidc_issuer: str = ""  # whose bearer tokens are taken beside keys, as they say it (iss)
    oidc_audience: str = ""  # what its tokens for this service are for (aud)
    oidc_tenant_claim: str = ""  # the claim that names the tenant; the tenant "default" where empty
    oidc_scopes_claim: str = "scope"  # the claim with change, library, consent, admin; other words are let be

    @property
    def database_url(self) -> str:
        """SQLAlchemy's."""
        return os.environ.get(DATABASE_VARIABLE) or self.database or f"sqlite:///{self.home / 'service.sqlite'}"

    @property
    def store_url(self) -> str:
        """fsspec's."""
        return self.store or f"file://{(self.home / 'files').absolute()}"

    @property
    def is_public(self) -> bool:
        """Whether other machines can reach it."""
        return self.host not in LOCAL_HOSTS

    def read_store_key(self) -> bytes | None:
        """The key for files at rest; None where they are stored as they are. Raises `SettingsError`."""
        text = os.environ.get(STORE_KEY_VARIABLE, "")
        try:
            if not text and self.store_key_file:
                text = read_text(Path(self.store_key_file))
            key = base64.b64decode(text.strip(), validate=True)
        except (OSError, ValueError) as error:
            raise SettingsError(f"The key for stored files cannot be read ({error}).", _KEY_REMEDY) from None
        if text and len(key) != STORE_KEY_BYTES:
            raise SettingsError(f"The key for stored files has {len(key)} bytes, not 32.", _KEY_REMEDY)
        return key or None


_KEY_REMEDY = "Make one with: openssl rand -base64 32"


def load_service_settings(path: Path | None, home: Path) -> ServiceSettings:
    """The table [service] of the file at `path`, defaults where there is none; `home` is the folder unless it names
    one. Raises `SettingsError`."""
    if path is None:
        return ServiceSettings(home)
    try:
        table = dict(parse_toml(read_text(path)).get("service", {}))
        return build(ServiceSettings, {"home": str(home), **table})
    except (OSError, ValueError) as error:
        raise SettingsError(
            f"The settings file {path} cannot be used: {error}.", "docs/service.md lists them."
        ) from None
