"""A griffe extension: the sentence "Raises `X` where ..." of a docstring becomes its section of raised errors.

Docstrings here are plain sentences; this lets them stay so, and still be a table on the site.
"""

from __future__ import annotations

import re
from typing import Any

import griffe

SENTENCE = re.compile(
    r"(?:^|(?<=\s))[Rr]aises (?=[^.]*`[\w.]*(?:Error|Exception|Interrupt|Exit)`)(.+?)[.;](?=\s|$)", re.DOTALL
)
NAME = re.compile(r"(?:,\s*)?(?:and\s+|or\s+)?`([\w.]*(?:Error|Exception|Interrupt|Exit))`")


def split_raises(text: str) -> tuple[str, list[tuple[str, str]]]:
    """`text` without its sentences of raised errors, and each error's name with the words that follow it."""
    found: list[tuple[str, str]] = []
    for sentence in SENTENCE.findall(text):
        before, *parts = NAME.split(" ".join(sentence.split()))
        if before.strip():  # "what `choose` raises, and `X` ...": only words can say that
            continue
        pairs = [
            (name.rsplit(".", 1)[-1], words.strip(" ,")) for name, words in zip(parts[::2], parts[1::2], strict=True)
        ]
        found += [
            (name, words or next((later for _, later in pairs[index:] if later), ""))
            for index, (name, words) in enumerate(pairs)
        ]
        text = re.sub(r"[Rr]aises\s+" + re.escape(sentence) + r"[.;]", "", text)
    return text.rstrip(), found


class RaisesInWords(griffe.Extension):
    """Hands griffe's Google parser a section that it knows."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of `obj`, before it is parsed."""
        if obj.docstring is None:
            return
        text, found = split_raises(obj.docstring.value)
        if found:
            lines = [f"    {name}: {words or 'see above'}" for name, words in found]
            obj.docstring.value = "\n".join([text, "", "Raises:", *lines])
