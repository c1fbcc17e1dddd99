"""The one place where FFmpeg is given a name, by PyAV: a file's, whatever the name looks like. Needs PyAV, the extra
`video`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.container import InputContainer, OutputContainer

# Neither the file nor what a playlist or an index in it names is asked for elsewhere.
LOCAL_ONLY = {"protocol_whitelist": "file"}


def local_name(path: Path) -> str:
    """`path` as FFmpeg takes it for a file: from the root on. A folder may be called `http:`, or a file
    `concat:a|b`."""
    return str(path.absolute())


def open_media(path: Path, **options: str) -> InputContainer:
    """Open a file, or numbered pictures by their pattern, to read. Raises what PyAV raises."""
    import av  # late: an extra

    return av.open(local_name(path), options={**options, **LOCAL_ONLY}, metadata_errors="replace")


def create_media(path: Path, container: str | None = None, **options: str) -> OutputContainer:
    """Open a file to write, as a `container` of FFmpeg's where its name does not say it. Raises what PyAV raises."""
    import av

    return av.open(local_name(path), "w", format=container, options=dict(options))
