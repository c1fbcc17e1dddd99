"""For Schemathesis: things that are there and words that mean something, half of the time; and how a part of an upload
is sent."""

from __future__ import annotations

import json
import os
import random
import re
from typing import Any

import schemathesis

THINGS = json.loads(os.environ.get("FACECHANGE_TEST_THINGS", "{}"))  # by the routes' first word
REFERENCE = re.compile(r"[A-Za-z0-9_.:-]{1,64}")
CONSENT = "Ana Lima and I agreed to this on 3 May 2025."


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: Any) -> Any:
    parts = context.operation.path.split("/") if context.operation else []
    known = THINGS.get(parts[2]) if len(parts) > 2 else None
    keep = context.operation is None or context.operation.method.lower() == "delete" or random.random() < 0.5
    if known is None or keep or not path_parameters or "reference" not in path_parameters:
        return path_parameters
    return {**path_parameters, "reference": known}


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    return _fill(body) if random.random() < 0.5 else body


def _fill(value: Any, name: str = "") -> Any:
    """`value` with what is there in the place of references, and words of consent; what is no such text stays, so that
    a wrong request stays wrong."""
    if isinstance(value, dict):
        return {key: _fill(each, key) for key, each in value.items()}
    if isinstance(value, list):
        return [_fill(each, name) for each in value]
    if name in ("target", "source", "picture", "sources") and isinstance(value, str) and REFERENCE.fullmatch(value):
        return THINGS.get("library", value)
    if name == "selector" and isinstance(value, str) and 0 < len(value) <= 200:
        return "left"
    return CONSENT if name == "consent" and isinstance(value, str) and len(value) <= 4000 else value


@schemathesis.serializer("application/offset+octet-stream")
def send_bytes(context: Any, value: Any) -> Any:
    return value.data if hasattr(value, "data") else value if isinstance(value, bytes) else str(value).encode()
