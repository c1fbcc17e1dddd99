"""What a record is made of: pictures by their hash, clean words, and who keeps the ledger."""

from __future__ import annotations

import getpass
import os
import re
from pathlib import Path

from facechange.core import PictureError, hash_file

# What XML 1.0 allows (production 2), less the controls that steer terminals.
_UNCLEAN = re.compile("[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def clean_line(text: str) -> str:
    """The text on one line, as it can be stored in XML and shown on a terminal."""
    return " ".join(_UNCLEAN.sub("", text).split())


def hash_picture(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal; raises `PictureError` where it cannot be read."""
    try:
        if path.is_dir():
            raise PictureError(f"{path} is a folder, not a picture.", "Name one file in it.")
        if path.exists() and not path.is_file():  # a pipe would not come to an end, and could be read only once
            raise PictureError(f"{path} is not a file.", "Name a picture file.")
        return hash_file(path)
    except FileNotFoundError:
        raise PictureError(f"{path} does not exist.", "Check the name and the folder.") from None
    except PermissionError:
        raise PictureError(f"{path} may not be read.", "Ask for permission to read it.") from None
    except (OSError, ValueError) as error:
        reason = os.strerror(error.errno) if isinstance(error, OSError) and error.errno else str(error)
        raise PictureError(f"{path} cannot be read: {reason}.", "Check the name and the disk.") from None


def name_recorder() -> str:
    """The name under which whoever runs this is logged in."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a process without a user's entry, as in some containers
        return f"user {os.getuid()}" if hasattr(os, "getuid") else "unknown"
