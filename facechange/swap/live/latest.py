"""A place for one thing: the newest. Who is slow misses some, and memory never grows."""

from __future__ import annotations

import threading
import time
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Latest(Generic[Item]):
    """Holds the newest of what is put into it, for any number of takers at their own pace."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._number = 0  # how many were put in
        self._item: Item | None = None
        self._closed = False

    def put(self, item: Item) -> None:
        """Replace what is there."""
        with self._changed:
            self._number, self._item = self._number + 1, item
            self._changed.notify_all()

    def close(self) -> None:
        """Nothing more comes. What is there can still be taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    @property
    def closed(self) -> bool:
        """Whether nothing more comes."""
        return self._closed

    def take(self, after: int, timeout_s: float) -> tuple[int, Item] | None:
        """The newest item and its number, once that is more than `after`; None where none came in time or comes any
        more."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while self._number <= after:
                left = deadline - time.monotonic()
                if self._closed or left <= 0:
                    return None
                self._changed.wait(min(left, 0.5))  # so that Ctrl-C comes through on every platform
            assert self._item is not None
            return self._number, self._item
