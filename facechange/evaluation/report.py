"""What a measurement hands back: its protocol in words, and named values with their intervals."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from facechange.core.errors import OutputError
from facechange.evaluation.intervals import Interval


@dataclass(frozen=True)
class Report:
    """Values by name, in the order they are shown, and all that is needed to measure them again."""

    protocol: dict[str, Any]
    metrics: dict[str, Interval]
    details: dict[str, Any] = field(default_factory=dict)  # what explains the metrics, without intervals

    def save(self, path: Path) -> None:
        """Write the report as JSON; raises `OutputError`."""
        try:
            path.write_text(json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        except OSError as error:
            raise OutputError(f"{path} could not be written ({error.strerror}).", "Choose a folder that exists and is writable.") from None


def check_folders(*paths: Path | None) -> None:
    """Raise `OutputError` before a long measurement where a result could not be written after it."""
    for path in paths:
        if path is not None and not (path.parent.is_dir() and os.access(path.parent, os.W_OK)):
            raise OutputError(f"{path.parent} is not a folder that can be written to.", "Choose another place for the result.")
