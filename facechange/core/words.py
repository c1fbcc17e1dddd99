"""The one place where text that came from outside is made fit to be shown: names, metadata, messages of libraries.

Whoever names a file could otherwise steer a terminal, hide a line, or write one that looks like ours.
"""

from __future__ import annotations

import json
import re
import sys

# All but what XML 1.0 allows (production 2), the controls that steer terminals, and those that turn the direction of
# text.
_UNCLEAN = re.compile(
    "[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)
_UNSHOWN = re.compile(f"{_UNCLEAN.pattern}|[\t\n\r]")


def clean_line(text: str) -> str:
    """The text on one line, as it can be stored in XML: without what it should not hold."""
    return " ".join(_UNCLEAN.sub("", text).split())


def show(text: str) -> str:
    """The text on one line, as it can be shown on a terminal or a page: what steers those is written out, as in
    `\\x1b[31m` and `\\n`."""
    return _UNSHOWN.sub(lambda found: found.group().encode("unicode_escape").decode(), text)


def say(*lines: str, err: bool = False) -> None:
    """Print lines, each shown as by `show`, on stdout or stderr; no other code prints."""
    stream = sys.stderr if err else sys.stdout
    encoding = getattr(stream, "encoding", None) or "utf-8"
    for line in lines:
        print(show(line).encode(encoding, "backslashreplace").decode(encoding), file=stream)
    stream.flush()  # a file or a pipe would get it at the end only


def say_json(value: object) -> None:
    """Print a value as JSON on stdout, in ASCII alone."""
    print(json.dumps(value, indent=2).replace("\x7f", "\\u007f"))
