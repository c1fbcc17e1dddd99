"""What time it is: handed down, so that a test or a service can say it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]  # the time now, with its zone


def utc_now() -> datetime:
    """The machine's clock."""
    return datetime.now(UTC)
