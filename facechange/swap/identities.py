"""A real person's identity, read once from pictures and kept as a file that is a source like any picture; sealed if
asked.

The file is biometric. Its bytes have a record of consent of their own, which rests on the one for the pictures
(`consent.recording.record_identity`): where that is revoked the file gives nobody's face any more.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facechange.core import OutputError, PictureError
from facechange.core.files import check_place, plain_errors, write_whole
from facechange.core.stored import build, parse_json, read_json

SUFFIX = ".fcid"
PASSPHRASE_VARIABLE = "FACECHANGE_PASSPHRASE"
LARGEST_DIMENSION = 4096
_KIND = "facechange identity"
_SCRYPT = {"n": 1 << 15, "r": 8, "p": 1}  # 32 MiB and about a tenth of a second: RFC 7914's parameters
_AGAIN = "Make one with: facechange identity new"

Passphrase = Callable[[Path], str]  # asked for a sealed file


@dataclass(frozen=True, eq=False, repr=False)
class Identity:
    """Who somebody is to the networks. NumPy takes it for its `vector`, so that it is given wherever an identity [512]
    is.

    Made by `facechange.keep_identity` of pictures, or `load` of a file. No `repr`, as it is biometric.
    """

    name: str
    vector: np.ndarray  # [512] float32, length 1
    recognised: np.ndarray | None = None  # [128] float32, length 1: of the second recognizer
    network: str = ""  # SHA-256 of the identity network's graph
    pictures: int = 0  # over how many it was averaged
    consent: str = ""  # number of the record for those pictures

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        """The vector [512]."""
        return np.array(self.vector, dtype) if copy is not False else np.asarray(self.vector, dtype)

    def save(self, path: Path | str, passphrase: str = "") -> None:
        """Keep it as a file whose name ends in `.fcid`, readable by its owner alone, with a `passphrase` sealed
        (scrypt, AES-GCM).

        Raises `OutputError`.
        """
        path = Path(path)
        check_identity_place(path)
        data = json.dumps(asdict(_to_kept(self)))
        table = {"kind": _KIND, **_seal(data.encode(), passphrase)} if passphrase else parse_json(data)
        with plain_errors(path):
            write_whole((json.dumps(table, indent=1) + "\n").encode(), path, 0o600)

    @staticmethod
    def load(path: Path | str, passphrase: str = "") -> Identity:
        """The identity that `save` kept; raises `PictureError` where the file is something else, or the passphrase
        another."""
        path = Path(path)
        table = _read_table(path)
        try:
            if "sealed" in table:
                table = parse_json(_unseal(build(_Sealed, table), passphrase, path))
            return _from_kept(build(_Kept, table))
        except (ValueError, TypeError) as error:
            raise PictureError(f"{path} is not a kept identity ({error}).", _AGAIN) from None


@dataclass(frozen=True)
class _Kept:
    """What the file of an identity says."""

    kind: str
    name: str
    network: str
    pictures: int
    consent: str
    identity: list[float]
    recognised: list[float]


@dataclass(frozen=True)
class _Sealed:
    """The same under a passphrase: all parts in base 64."""

    kind: str
    salt: str
    nonce: str
    sealed: str


def check_identity_place(path: Path) -> None:
    """Raise `OutputError` where an identity cannot be kept at `path`."""
    if path.suffix.lower() != SUFFIX:
        raise OutputError(
            f"The name {path.name} does not end in {SUFFIX}.",
            "By that an identity is known where a source is asked for.",
        )
    check_place(path)


def is_identity(source: Path) -> bool:
    """Whether a source is a kept identity rather than a picture."""
    return source.suffix.lower() == SUFFIX


def is_sealed(path: Path) -> bool:
    """Whether the file of an identity asks for a passphrase; raises `PictureError` for what is no such file."""
    return "sealed" in _read_table(path)


def read_passphrase(sources: Sequence[Path], ask: Passphrase) -> str:
    """The passphrase of the sealed identities among `sources`: the environment's, else what `ask` says; empty where
    none is sealed."""
    sealed = [source for source in sources if is_identity(source) and is_sealed(source)]
    return (os.environ.get(PASSPHRASE_VARIABLE) or ask(sealed[0])) if sealed else ""


def _read_table(path: Path) -> dict[str, Any]:
    try:
        table = read_json(path)
        if not isinstance(table, dict) or table.get("kind") != _KIND:
            raise ValueError("another kind of file")
    except FileNotFoundError:
        raise PictureError(f"There is no identity {path}.", _AGAIN) from None
    except (OSError, ValueError) as error:
        raise PictureError(f"{path} is not a kept identity ({error}).", _AGAIN) from None
    return table


def _to_kept(identity: Identity) -> _Kept:
    second = [] if identity.recognised is None else identity.recognised.tolist()
    return _Kept(
        _KIND, identity.name, identity.network, identity.pictures, identity.consent, identity.vector.tolist(), second
    )


def _from_kept(kept: _Kept) -> Identity:
    """Raises `ValueError` for vectors that no network made."""
    vectors = [np.array(values, np.float32) for values in (kept.identity, kept.recognised)]
    for vector in vectors if kept.recognised else vectors[:1]:
        if not 0 < len(vector) <= LARGEST_DIMENSION or not abs(float(np.linalg.norm(vector)) - 1) < 1e-3:
            raise ValueError("its numbers are no identity")
    second = vectors[1] if kept.recognised else None
    return Identity(kept.name, vectors[0], second, kept.network, kept.pictures, kept.consent)


def _seal(data: bytes, passphrase: str) -> dict[str, str]:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM  # late: slow to import

    salt, nonce = os.urandom(16), os.urandom(12)
    sealed = AESGCM(_derive(passphrase, salt)).encrypt(nonce, data, _KIND.encode())
    return {
        name: base64.b64encode(part).decode() for name, part in (("salt", salt), ("nonce", nonce), ("sealed", sealed))
    }


def _unseal(sealed: _Sealed, passphrase: str, path: Path) -> bytes:
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    if not passphrase:
        raise PictureError(
            f"{path.name} is sealed.", f"Give its passphrase, on a terminal or in {PASSPHRASE_VARIABLE}."
        )
    salt, nonce, data = (base64.b64decode(part, validate=True) for part in (sealed.salt, sealed.nonce, sealed.sealed))
    try:
        return AESGCM(_derive(passphrase, salt)).decrypt(nonce, data, _KIND.encode())
    except InvalidTag:
        raise PictureError(
            f"The passphrase is not that of {path.name}, or the file was altered.", "Try again."
        ) from None


def _derive(passphrase: str, salt: bytes) -> bytes:
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    return Scrypt(salt, length=32, **_SCRYPT).derive(passphrase.encode())
