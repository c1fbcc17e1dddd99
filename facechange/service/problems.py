"""What goes wrong, as `application/problem+json` (RFC 9457): the command line's sentence, remedy and exit code."""

from __future__ import annotations

import errno
import re
from typing import Any

from facechange.core import (
    ConsentError,
    DependencyError,
    FacechangeError,
    FaceError,
    OutputError,
    PictureError,
    is_out_of_memory,
)

MEDIA_TYPE = "application/problem+json"
_STATUS: tuple[tuple[type[FacechangeError], int], ...] = (
    (ConsentError, 403),
    (FaceError, 422),
    (PictureError, 422),
    (DependencyError, 501),
)
TITLES = {
    400: "Bad request",
    401: "Who are you",
    403: "Not allowed",
    404: "Not there",
    405: "Not asked so",
    408: "Too slow",
    409: "Not now",
    412: "Another version",
    413: "Too large",
    415: "Wrong type",
    416: "Not in the file",
    422: "Cannot be done with this",
    423: "In use",
    429: "Too much",
    460: "Not what was said",
    500: "A fault of the service",
    501: "Not installed here",
    503: "Not ready",
    507: "No space left",
}
_FOLDERS = re.compile(r"(?<![\w.:/~-])/(?:[^/\s]+/)+")
BUG, NO_SPACE = 70, 74  # exit codes of the command line


class Problem(FacechangeError):
    """An answer that is an error."""

    def __init__(self, status: int, message: str, remedy: str = "", code: int = 1, **headers: str) -> None:
        super().__init__(message, remedy)
        self.status = status
        self.code = code
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """For the OpenAPI document: that a route also answers with these."""
    return {status: {"description": TITLES[status]} for status in statuses}


def not_found(kind: str, reference: str) -> Problem:
    """The same words for what never was, was deleted, or is another's."""
    return Problem(404, f"There is no {kind} {reference[:80]!r}.", "Look at the list of those there are.", 3)


def describe_problem(error: BaseException, names: dict[str, str] | None = None) -> dict[str, Any]:
    """The problem's members; `names` are words in the sentence that mean nothing to the client, and what they are to
    it."""
    status, detail, remedy, code = _explain(error)
    if not isinstance(error, Problem):  # where things are on this machine is nobody's business
        detail, remedy = (_FOLDERS.sub("", text) for text in (detail, remedy))
    for word, name in (names or {}).items():
        detail, remedy = detail.replace(word, name), remedy.replace(word, name)
    title = TITLES.get(status, "Error")
    return {"type": "about:blank", "title": title, "status": status, "detail": detail, "remedy": remedy, "code": code}


def _explain(error: BaseException) -> tuple[int, str, str, int]:
    if isinstance(error, Problem):
        return error.status, error.message, error.remedy, error.code
    if is_out_of_memory(error):
        return 503, "There is not enough memory for this now.", "Try again later, or with a smaller picture.", 71
    if isinstance(error, FacechangeError):
        status = next((status for kind, status in _STATUS if isinstance(error, kind)), 500)
        if isinstance(error, OutputError) and "no space left" in error.message.lower():
            status = 507
        return status, error.message, error.remedy, error.exit_code
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return 507, "There is no space left for this.", "Try again later, or tell the operator.", NO_SPACE
    return 500, "This is a fault of the service; its log says more.", "Tell the operator when it happened.", BUG
