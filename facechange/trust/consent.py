"""A face is changed only with the consent of the people whose faces they are, stated by whoever makes the change."""

from __future__ import annotations

import re

from facechange.core import ConsentError

LONGEST_CHARACTERS = 4000
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # XML 1.0, production 2


def require_consent(text: str | None) -> str:
    """The statement on one line, as it will be stored in the output.

    Raises `ConsentError` where there is none, no word in it, or more than 4,000 characters.
    """
    statement = " ".join(_NOT_IN_XML.sub("", text or "").split())
    if not any(character.isalnum() for character in statement):
        raise ConsentError(
            "A face may be changed only if the person whose face it becomes and the person in the picture agreed to it.",
            'Say who agreed, and to what: --consent "Ana Lima and I agreed to this on 3 May 2025". It is stored in the picture.',
        )
    if len(statement) > LONGEST_CHARACTERS:
        raise ConsentError(f"The statement of consent is longer than {LONGEST_CHARACTERS} characters.", "Say it in a few sentences.")
    return statement
