"""Let a stage of the pipeline work in a thread of its own, a few items ahead of the stage that takes them."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from queue import Empty, Full, Queue
from typing import TypeVar

Item = TypeVar("Item")
_PATIENCE_S = 0.1  # how often a waiting stage looks whether it is still wanted


def prefetch(items: Iterator[Item], depth: int) -> Generator[Item, None, None]:
    """Yield `items`, made in another thread and at most `depth` of them waiting, so that memory stays flat.

    What goes wrong in that thread is raised here. Closing this generator stops the thread and closes `items`.
    """
    waiting: Queue[tuple[Item | None, BaseException | None]] = Queue(depth)
    unwanted = threading.Event()

    def offer(item: Item | None, error: BaseException | None) -> None:
        while not unwanted.is_set():
            try:
                return waiting.put((item, error), timeout=_PATIENCE_S)
            except Full:
                continue

    def work() -> None:
        try:
            for item in items:
                offer(item, None)
                if unwanted.is_set():
                    break
            else:
                offer(None, StopIteration())
        except BaseException as error:
            offer(None, error)
        finally:
            if isinstance(items, Generator):
                items.close()

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    try:
        while True:
            item, error = _take(waiting, thread)
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield item  # type: ignore[misc]  # None only comes with an error
    finally:
        unwanted.set()
        thread.join()


def _take(
    waiting: Queue[tuple[Item | None, BaseException | None]], thread: threading.Thread
) -> tuple[Item | None, BaseException | None]:
    while True:
        try:
            return waiting.get(timeout=1)  # a Ctrl-C comes through between two waits on every platform
        except Empty:
            assert thread.is_alive() or not waiting.empty()
