"""The service's log: a JSON object a line on stderr. It names jobs by their number and requests by method and path; no
picture, vector or key is in it."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

log = logging.getLogger("facechange.service")


class JsonFormatter(logging.Formatter):
    """`{"time", "level", "logger", "message"}`, and `"error"`, a traceback, where one is at hand."""

    def format(self, record: logging.LogRecord) -> str:
        """A record on one line, in ASCII alone."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        entry = {"time": time, "level": record.levelname.lower(), "logger": record.name, "message": record.getMessage()}
        if record.exc_info:
            entry["error"] = self.formatException(record.exc_info)
        return json.dumps(entry).replace("\x7f", "\\u007f")


def start_log() -> None:
    """Write what the service and its web server have to say, warnings and worse, to stderr from now on."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonFormatter())
    for name in (log.name, "uvicorn"):
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel(logging.WARNING)
