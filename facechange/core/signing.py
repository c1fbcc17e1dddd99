"""Who signs content credentials: the certificate in the settings, else one that facechange makes for this computer at
first use."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path

from facechange.core import OutputError
from facechange.core.clock import Clock
from facechange.core.files import plain_errors

_CERTIFICATES = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\s*", re.DOTALL)
_KEY = re.compile(rb"-----BEGIN PRIVATE KEY-----.+?-----END PRIVATE KEY-----\s*", re.DOTALL)


@dataclass(frozen=True, repr=False)
class SigningKey:
    """A certificate chain and its private key as c2pa takes them; no `repr`, so that the key reaches no message."""

    chain: bytes  # PEM, the signer's first
    private_key: bytes  # PEM, PKCS 8
    algorithm: str  # as C2PA writes it: es256, ps256, ed25519, ...


@dataclass(frozen=True)
class SigningKeys:
    """The operator's certificate and key, else those that this computer makes for itself in `folder`, a pair a year of
    `clock`."""

    folder: Path
    clock: Clock
    certificate: Path | None = None  # PEM, the signer's first
    key: Path | None = None

    def find(self) -> SigningKey:
        """The configured key, or this computer's own.

        Raises `SettingsError` where the configured one is unusable, `OutputError` where an own one can be neither read
        nor made.
        """
        if self.certificate and self.key:
            from facechange.core.keys import read_configured_key  # late: cryptography is slow to import

            return SigningKey(*read_configured_key(self.certificate, self.key))
        return self._read_own()

    def check(self) -> None:
        """Raise what `find` would of a key that is there; none is made."""
        if self.certificate or self._own_path().exists():
            self.find()

    def certificates(self) -> str:
        """The PEM certificates of all keys that this computer ever made, and of the one in the settings, with their
        authorities'."""
        return b"\n".join(certificate for chain in self._chains() for certificate in chain).decode("ascii", "replace")

    def serial_numbers(self) -> frozenset[str]:
        """The serial numbers of this computer's own certificates, in decimal: an authority in `certificates` signs for
        others too."""
        from cryptography import x509  # late: slow to import

        numbers = set()
        for chain in self._chains():
            with contextlib.suppress(ValueError):  # no certificate
                numbers.add(str(x509.load_pem_x509_certificate(chain[0]).serial_number))
        return frozenset(numbers)

    def _own_path(self) -> Path:
        """Where this year's own key is, with its certificates: in one file, so that processes that start together share
        it."""
        return self.folder / f"signing-{self.clock().astimezone(UTC).year}.pem"

    def _chains(self) -> Iterator[list[bytes]]:
        """PEM certificates, a chain with the signer's first for each key."""
        paths = sorted(self.folder.glob("signing-*.pem"))
        for path in [*paths, self.certificate] if self.certificate else paths:
            with contextlib.suppress(OSError):  # one that may not be read recognises nothing
                if chain := _CERTIFICATES.findall(path.read_bytes()):
                    yield chain

    def _read_own(self) -> SigningKey:
        path = self._own_path()
        with plain_errors(path):
            if not path.exists():
                from facechange.core.keys import make_own_key

                make_own_key(path, self.clock().astimezone(UTC).year)
            text = path.read_bytes()
        chain, key = b"".join(_CERTIFICATES.findall(text)), _KEY.search(text)
        if not chain or not key:
            raise OutputError(f"The signing key {path} is damaged.", "Delete it; facechange makes another one.")
        return SigningKey(chain, key[0], "es256")
