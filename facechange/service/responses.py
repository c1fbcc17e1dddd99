"""Files as answers: ranges of them, under a name that cannot leave its header."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import chain
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import Response, StreamingResponse

from facechange.service.problems import Problem
from facechange.service.service import Service
from facechange.service.tables import Item

_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def answer_content(service: Service, item: Item, request: Request, download: bool) -> Response:
    """The content of an entry, or the range that was asked for. Raises a `Problem` for a range that is not there."""
    span = _find_range(request.headers.get("range"), item.bytes)
    start, end = span or (0, item.bytes)
    way = "attachment" if download else "inline"
    headers = {
        "Accept-Ranges": "bytes",
        "Cache-Control": "private, no-store",
        "Content-Disposition": f"{way}; filename*=UTF-8''{quote(item.name, safe='')}",
        "Content-Length": str(end - start),
        "Content-Security-Policy": "default-src 'none'; sandbox",
        "ETag": f'"{item.sha256}"',
    }
    if span:
        headers["Content-Range"] = f"bytes {start}-{end - 1}/{item.bytes}"
    pieces = service.store.read(item.tenant, item.sha256, start, end)
    return stream_pieces(pieces, headers, item.media_type, 206 if span else 200)


def stream_pieces(
    pieces: Iterator[bytes], headers: dict[str, str], media_type: str, status: int = 200
) -> StreamingResponse:
    """A file of the store as an answer, which begins when its first piece is there. Raises as `Store.read`."""
    first = next(pieces, b"")
    return StreamingResponse(chain((first,), pieces), status, headers, media_type)


def _find_range(header: str | None, size: int) -> tuple[int, int] | None:
    """Start and end of the one range in a header; None where there is none that is understood, so that all is sent."""
    found = _RANGE.fullmatch(header.strip()) if header else None
    if found is None or found.group(0) == "bytes=-":
        return None
    first, last = found.groups()
    start = int(first) if first else max(size - int(last), 0)
    end = min(int(last) + 1, size) if first and last else size
    if start >= size or end <= start:
        raise Problem(416, "That range is not in the file.", "", 3, Content_Range=f"bytes */{size}")
    return start, end
