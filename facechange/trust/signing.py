"""Who signs content credentials: the certificate in the settings, else one that facechange makes for this computer at first use."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from facechange.core import OutputError
from facechange.core.settings import MarkingSettings, data_folder, load_settings
from facechange.trust.files import plain_errors

_CERTIFICATES = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\s*", re.DOTALL)
_KEY = re.compile(rb"-----BEGIN PRIVATE KEY-----.+?-----END PRIVATE KEY-----\s*", re.DOTALL)


@dataclass(frozen=True, repr=False)
class SigningKey:
    """A certificate chain and its private key as c2pa takes them; no `repr`, so that the key reaches no message."""

    chain: bytes  # PEM, the signer's first
    private_key: bytes  # PEM, PKCS 8
    algorithm: str  # as C2PA writes it: es256, ps256, ed25519, ...


def find_signing_key(marking: MarkingSettings) -> SigningKey:
    """The key of the settings, or this computer's own.

    Raises `SettingsError` where the configured one is unusable, `OutputError` where an own one can be neither read nor made.
    """
    if marking.certificate and marking.key:
        from facechange.trust.keys import read_configured_key  # late: cryptography is slow to import

        return SigningKey(*read_configured_key(marking.certificate, marking.key))
    return _read_own(datetime.now(UTC).year)


def check_signing_key(marking: MarkingSettings) -> None:
    """Raise what `find_signing_key` would of a key that is there; none is made."""
    if marking.certificate or own_key_path(datetime.now(UTC).year).exists():
        find_signing_key(marking)


def own_key_path(year: int) -> Path:
    """Where this computer's own key of a year is, with its certificates: in one file, so that processes that start together share it."""
    return data_folder() / f"signing-{year}.pem"


def own_certificates() -> str:
    """The PEM certificates of all keys that this computer ever made, and of the one in the settings, with their authorities'."""
    return b"\n".join(certificate for chain in _own_chains() for certificate in chain).decode("ascii", "replace")


def own_serial_numbers() -> frozenset[str]:
    """The serial numbers of this computer's own certificates, in decimal: an authority in `own_certificates` signs for others too."""
    from cryptography import x509  # late: slow to import

    numbers = set()
    for chain in _own_chains():
        with contextlib.suppress(ValueError):  # no certificate
            numbers.add(str(x509.load_pem_x509_certificate(chain[0]).serial_number))
    return frozenset(numbers)


def _own_chains() -> Iterator[list[bytes]]:
    """PEM certificates, a chain with the signer's first for each key."""
    paths = sorted(data_folder().glob("signing-*.pem"))
    if certificate := load_settings().marking.certificate:
        paths.append(certificate)
    for path in paths:
        with contextlib.suppress(OSError):  # one that may not be read recognises nothing
            if chain := _CERTIFICATES.findall(path.read_bytes()):
                yield chain


def _read_own(year: int) -> SigningKey:
    path = own_key_path(year)
    with plain_errors(path):
        if not path.exists():
            from facechange.trust.keys import make_own_key

            make_own_key(path, year)
        text = path.read_bytes()
    chain, key = b"".join(_CERTIFICATES.findall(text)), _KEY.search(text)
    if not chain or not key:
        raise OutputError(f"The signing key {path} is damaged.", "Delete it; facechange makes another one.")
    return SigningKey(chain, key[0], "es256")
