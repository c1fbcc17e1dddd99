"""The journal of an unfinished video is encrypted: it can hold who the people are.

Its key lies apart from it, in the data folder, and goes when the video is done. From then on no copy of the journal,
as in a backup, says anything to anybody.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken

from facechange.core.files import make_folder, plain_errors, reach_disk, write_whole
from facechange.core.stored import parse_json


class Seal:
    """Encrypts and authenticates the lines of the journal in `folder` by a key in `data` (Fernet: AES-128-CBC,
    HMAC-SHA-256)."""

    def __init__(self, folder: Path, data: Path) -> None:
        name = hashlib.sha256(os.fsencode(os.path.realpath(folder))).hexdigest()[:32]
        self._path = data / "unfinished" / f"{name}.key"
        self._cipher: Fernet | None = None
        with contextlib.suppress(OSError, ValueError):  # no key, or a damaged one: nothing can be read
            self._cipher = Fernet(self._path.read_bytes())

    def renew(self) -> None:
        """Make a new key; what the old one closed stays closed. Raises `OutputError`."""
        key = Fernet.generate_key()
        with plain_errors(self._path):
            make_folder(self._path.parent)
            write_whole(key, self._path, 0o600)
        self._cipher = Fernet(key)

    def close(self, value: Any) -> str:
        """A line without its end that only this key opens, of a value as JSON can hold it."""
        assert self._cipher is not None
        return self._cipher.encrypt(json.dumps(value).encode()).decode()

    def open(self, line: str) -> Any:
        """What `close` was given. Raises `ValueError` for a line that another key closed, or somebody else wrote."""
        if self._cipher is None:
            raise ValueError("its key is gone")
        try:
            return parse_json(self._cipher.decrypt(line))
        except InvalidToken:
            raise ValueError("it was written with another key") from None

    def destroy(self) -> None:
        """Delete the key. Raises `OSError`."""
        if self._path.exists():
            self._path.unlink()
            reach_disk(self._path.parent)
