"""Which manifest belongs to which watermark: a folder with a manifest store a published file, named by the watermark's
identifier.

`home` is `Folders.data`. It is what finds the credentials of a copy again that lost them. Deleting a file in it forgets
that publication.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from facechange.core import OutputError
from facechange.core.files import make_folder, plain_errors, write_whole
from facechange.provenance.manifest import Publication, identifier_text
from facechange.provenance.watermark import IDENTIFIER_BITS


def new_identifier(home: Path) -> int:
    """A number for a watermark that no file published from here has. It says nothing by itself."""
    while _place(home, identifier := secrets.randbits(IDENTIFIER_BITS)).exists():
        pass
    return identifier


def remember(publication: Publication, store: bytes) -> None:
    """Keep the manifest store of what is about to be published, if it carries a watermark. Raises `OutputError`."""
    if publication.identifier is None:
        return
    path = _place(publication.grant.context.folders.data, publication.identifier)
    with plain_errors(path):
        make_folder(path.parent)
        write_whole(store, path, 0o600)


def check_can_remember(home: Path) -> None:
    """Raise `OutputError` where nothing can be kept; nothing is made."""
    there = next(each for each in (home / "published", home, *home.absolute().parents) if each.exists())
    if not (there.is_dir() and os.access(there, os.W_OK)):
        raise OutputError(
            f"The folder {home} for keys and credentials may not be written to.", "FACECHANGE_HOME can name another."
        )


def recall(home: Path, identifier: int) -> bytes | None:
    """The manifest store that was published from here with this watermark; None where there is none, or it cannot be
    read."""
    try:
        return _place(home, identifier).read_bytes()
    except OSError:
        return None


def _place(home: Path, identifier: int) -> Path:
    return home / "published" / f"{identifier_text(identifier)}.c2pa"
