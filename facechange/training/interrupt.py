"""Ctrl-C that waits for the end of a step, so that what is saved is a state between two steps."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType


class PatientInterrupt:
    """While entered, the first Ctrl-C only sets `asked`; a second one raises `KeyboardInterrupt` at once."""

    asked = False

    def __enter__(self) -> PatientInterrupt:
        self._handles = threading.current_thread() is threading.main_thread()  # only there may signals be handled
        if self._handles:
            self._before = signal.signal(signal.SIGINT, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._handles:
            signal.signal(signal.SIGINT, self._before)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
