"""Keep decoders from talking to the terminal: what they have to say of a broken file is said in a sentence of our
own."""

from __future__ import annotations

import contextlib
import os
import threading
import warnings
from collections.abc import Iterator

_ONE_AT_A_TIME = threading.Lock()  # else one thread would put back what another had taken away


@contextlib.contextmanager
def quiet_libraries() -> Iterator[None]:
    """Nothing reaches the process's stderr while the body runs, from any thread. Libtiff, for one, writes there by
    itself."""
    with _ONE_AT_A_TIME, contextlib.ExitStack() as stack, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow's, of large pictures and odd tags
        with contextlib.suppress(OSError):  # there is no stderr: nothing to be kept quiet
            kept = os.dup(2)
            stack.callback(os.close, kept)
            stack.callback(os.dup2, kept, 2)
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, 2)
            os.close(nothing)
        yield
