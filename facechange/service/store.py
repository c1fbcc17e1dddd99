"""Files by the hash of what is in them, through fsspec: on this disk or in a bucket, encrypted where there is a key.

An encrypted file is a header and chunks, each sealed by AES-GCM with its number and whether it is the last, so that a
range can be read without the rest, and nothing can be cut off, swapped or moved to another file unseen.
"""

from __future__ import annotations

import errno
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import fsspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from facechange.core import OutputError
from facechange.core.files import open_private

_MAGIC = b"FCE1"
_PREFIX_BYTES, _TAG_BYTES = 8, 16
CHUNK_BYTES = 64 << 10
_HEADER_BYTES = len(_MAGIC) + _PREFIX_BYTES
_READ_BYTES = 1 << 20  # asked for at once; a bucket's library asks for 50 MiB even where ten bytes are wanted
_OPTIONS: dict[str, dict[str, Any]] = {
    "file": {"auto_mkdir": True},
    # other processes put and delete too, so that no list of what is there is kept; s3fs itself tries five times
    "s3": {
        "use_listings_cache": False,
        "config_kwargs": {"connect_timeout": 5, "read_timeout": 15, "retries": {"total_max_attempts": 1}},
    },
}


class StoreAwayError(OSError):
    """The place of the files does not answer, or answers with an error of its own."""


@contextmanager
def _reaching(*passing: type[Exception]) -> Iterator[None]:
    """Each kind of place has errors of its own: whatever is no full disk and none of `passing` is a
    `StoreAwayError`."""
    try:
        yield
    except passing:
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise
        raise StoreAwayError(f"{type(error).__name__}: {error}") from error


class Store:
    """Where files are. A name is TENANT/SHA256; equal content of one tenant is stored once.

    Whatever reaches the place raises `StoreAwayError`, an `OSError`, where it is away, and `OSError` where it is full.
    """

    def __init__(self, url: str, key: bytes | None = None) -> None:
        options = _OPTIONS.get(url.partition("://")[0], {})
        self._files, self._root = fsspec.core.url_to_fs(url, **options)
        self._cipher = AESGCM(key) if key else None

    @_reaching()
    def check(self) -> None:
        """Raise where nothing can be stored."""
        place = f"{self._root}/.ready-{secrets.token_hex(8)}"
        self._files.pipe_file(place, b"ready")
        self._files.rm_file(place)

    @_reaching()
    def put(self, path: Path, tenant: str, sha256: str) -> None:
        """Store a file; it is there whole or not at all."""
        place = self._place(tenant, sha256)
        if self._files.exists(place):
            return
        part = f"{place}.{secrets.token_hex(8)}.part"
        try:
            with path.open("rb") as source, self._files.open(part, "wb") as sink:
                for data in self._seal(source, path.stat().st_size, sha256):
                    sink.write(data)
            self._files.mv(part, place)
        except BaseException:
            if self._files.exists(part):
                self._files.rm_file(part)
            raise

    @_reaching()
    def delete(self, tenant: str, sha256: str) -> None:
        """Let a file be gone."""
        place = self._place(tenant, sha256)
        if self._files.exists(place):
            self._files.rm_file(place)

    @_reaching()
    def delete_part(self, tenant: str, name: str) -> None:
        """Let go what a killed process had half written, by `find_old`'s name."""
        self._files.rm_file(f"{self._root}/{tenant}/{name[:2]}/{name}")

    @_reaching()
    def has(self, tenant: str, sha256: str) -> bool:
        """Whether it is there."""
        return bool(self._files.exists(self._place(tenant, sha256)))

    def find_old(self, seconds: float) -> Iterator[tuple[str, str]]:
        """Tenant and name of what was stored longer ago than that."""
        now = time.time()
        with _reaching():
            found = self._files.find(self._root, detail=True)
        for place, details in found.items():
            changed = details.get("mtime") or details.get("LastModified") or now
            changed = changed.timestamp() if hasattr(changed, "timestamp") else changed
            if now - changed > seconds:
                tenant, _, name = place.removeprefix(f"{self._root}/").split("/")
                yield tenant, name

    def read(self, tenant: str, sha256: str, start: int, end: int) -> Iterator[bytes]:
        """The bytes from `start` to before `end`, in pieces. Raises `FileNotFoundError` where the file is not there, and
        `OutputError` where it was altered."""
        reaching = _reaching(FileNotFoundError, OutputError)
        with reaching, self._files.open(self._place(tenant, sha256), "rb", block_size=_READ_BYTES) as file:
            if self._cipher is None:
                file.seek(start)
                while start < end and (data := file.read(min(CHUNK_BYTES, end - start))):
                    start += len(data)
                    yield data
                return
            yield from self._unseal(file, sha256, start, end)

    def fetch(self, tenant: str, sha256: str, size: int, path: Path) -> None:
        """Write a file's content to `path`, for its owner's eyes alone. Raises as `read`."""
        with open_private(path, "wb") as sink:
            for data in self.read(tenant, sha256, 0, size):
                sink.write(data)

    def _place(self, tenant: str, sha256: str) -> str:
        assert tenant.replace("-", "").replace("_", "").isalnum() and sha256.isalnum()
        return f"{self._root}/{tenant}/{sha256[:2]}/{sha256}"

    def _seal(self, source: IO[bytes], size: int, sha256: str) -> Iterator[bytes]:
        if self._cipher is None:
            while data := source.read(CHUNK_BYTES):
                yield data
            return
        prefix = os.urandom(_PREFIX_BYTES)
        yield _MAGIC + prefix
        chunks = _count_chunks(size)
        for number in range(chunks):
            data = source.read(CHUNK_BYTES)
            yield self._cipher.encrypt(prefix + number.to_bytes(4), data, _bind(sha256, number == chunks - 1))

    def _unseal(self, file: Any, sha256: str, start: int, end: int) -> Iterator[bytes]:
        assert self._cipher is not None
        header = file.read(_HEADER_BYTES)
        file.seek(0, os.SEEK_END)
        sealed = file.tell() - _HEADER_BYTES
        chunks = -(-sealed // (CHUNK_BYTES + _TAG_BYTES))
        number = start // CHUNK_BYTES
        file.seek(_HEADER_BYTES + number * (CHUNK_BYTES + _TAG_BYTES))
        try:
            while number < chunks and number * CHUNK_BYTES < end:
                nonce, last = header[len(_MAGIC) :] + number.to_bytes(4), number == chunks - 1
                data = self._cipher.decrypt(nonce, file.read(CHUNK_BYTES + _TAG_BYTES), _bind(sha256, last))
                begin = number * CHUNK_BYTES
                yield data[max(start - begin, 0) : end - begin]
                number += 1
        except (InvalidTag, ValueError):
            raise OutputError("A stored file was altered, or the key is another.", "Put back a copy of it.") from None


def _count_chunks(size: int) -> int:
    return max(1, -(-size // CHUNK_BYTES))


def _bind(sha256: str, last: bool) -> bytes:
    return f"{sha256} {'last' if last else 'more'}".encode()
