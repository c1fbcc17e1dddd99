"""Where the operator limits a process's memory (`ulimit -v`), a library that gets none may end the process without a
word: NumPy's OpenBLAS exits or crashes, FFmpeg and OpenVINO abort. No code in that process can say why."""

from __future__ import annotations

import atexit
import os
import signal
import sys
from typing import Any

from facechange.core.words import say

if sys.platform != "win32":
    import resource

    PASSED_ON = (signal.SIGTERM, signal.SIGHUP)

EXIT_MEMORY = 71  # EX_OSERR of sysexits.h


def guard_memory_limit() -> None:
    """Return at once where memory has no limit; else in a child process, whose parent lends it its exit code and says
    what happened where it ended without a word, with `EXIT_MEMORY`.

    To be called before anything starts a thread.
    """
    if sys.platform == "win32":
        return
    limits = [resource.getrlimit(kind)[0] for kind in (resource.RLIMIT_AS, resource.RLIMIT_DATA)]
    limits = [limit for limit in limits if limit != resource.RLIM_INFINITY]
    if not limits:
        return
    told, tell = os.pipe()
    signal.pthread_sigmask(signal.SIG_BLOCK, PASSED_ON)  # until it is known to whom they go
    child = os.fork()
    if not child:
        os.close(told)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON)
        atexit.register(os.write, tell, b".")  # only where Python itself comes to its end
        return
    os.close(tell)

    def forward(number: int, _: Any) -> None:
        os.kill(child, number)

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to both
    for number in PASSED_ON:
        signal.signal(number, forward)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, PASSED_ON)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if not os.read(told, 1) and -code not in PASSED_ON:
        say(
            f"There is not enough memory for this: it is limited to {min(limits) >> 20} MB. Raise the limit (ulimit -v).",
            err=True,
        )
        code = EXIT_MEMORY
    os._exit(code if code >= 0 else 128 - code)
