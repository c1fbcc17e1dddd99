"""Workers as processes beside the server: one that a decoder kills takes nobody along, and another begins."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Sequence
from types import TracebackType

from facechange.service.log import log

RESTART_SECONDS = 1.0
END_SECONDS = 20.0
PROGRAM = (sys.executable, "-c", "from facechange.cli.app import main; main()", "work", "--follow")


class WorkerProcesses:
    """Processes with these arguments each, started on entering, woken by a line, ended by the end of their input."""

    def __init__(self, arguments: Sequence[Sequence[str]], program: Sequence[str] = PROGRAM) -> None:
        self._commands = [[*program, *each] for each in arguments]
        self._running: list[subprocess.Popen[bytes]] = []
        self._ending = threading.Event()
        self._keeper = threading.Thread(target=self._keep, daemon=True)

    def __enter__(self) -> WorkerProcesses:
        self._running = [self._start(command) for command in self._commands]
        self._keeper.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._keeper.join()
        for process in self._running:
            if process.stdin:
                process.stdin.close()  # it gives its job back and ends
        for process in self._running:
            try:
                process.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def wake(self) -> None:
        """Tell them that there is a job."""
        for process in self._running:
            try:
                if process.stdin:
                    process.stdin.write(b"\n")
                    process.stdin.flush()
            except OSError:  # it has just ended; another one will look by itself
                continue

    def _start(self, command: Sequence[str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(command, stdin=subprocess.PIPE)

    def _keep(self) -> None:
        while not self._ending.wait(RESTART_SECONDS):
            for place, process in enumerate(self._running):
                if process.poll() is not None and not self._ending.is_set():
                    log.error("a worker ended with %s; another one begins", process.returncode)
                    self._running[place] = self._start(self._commands[place])
