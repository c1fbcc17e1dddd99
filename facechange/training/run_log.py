"""What a run writes down as it goes: `log.jsonl` always, TensorBoard events where that is installed, and curves."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any

from facechange.core import TrainingError
from facechange.core.stored import parse_json, read_text
from facechange.training.curves import draw_curves


class RunLog:
    """The log in a run's folder; what a killed run wrote after its last checkpoint, at `pictures`, is dropped.

    Raises `TrainingError` where there is something else by its name.
    """

    def __init__(self, folder: Path, pictures: int) -> None:
        self.folder = folder
        self.rows: list[dict[str, float]] = []
        path = folder / "log.jsonl"
        if path.exists():
            try:
                lines = [line for line in read_text(path).splitlines() if line.endswith("}")]
                rows = [row for row in map(parse_json, lines) if row["pictures"] <= pictures]
                self.rows = [
                    {name: value for name, value in row.items() if isinstance(value, int | float)} for row in rows
                ]
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise TrainingError(f"{path} is not the log of a run ({error}).", "Move it away.") from None
            path.write_text("".join(json.dumps(row) + "\n" for row in self.rows), encoding="utf-8")

    def __enter__(self) -> RunLog:
        self._file = (self.folder / "log.jsonl").open("a", encoding="utf-8")
        self._board: Any = None
        if find_spec("tensorboard") is not None:
            from torch.utils.tensorboard import SummaryWriter

            self._board = SummaryWriter(str(self.folder / "tensorboard"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        if self._board is not None:
            self._board.close()

    def add(self, row: dict[str, float]) -> None:
        """Append the means of some steps; `pictures` says how many were seen by then."""
        self.rows.append({name: round(value, 5) for name, value in row.items()})
        self._file.write(json.dumps(self.rows[-1]) + "\n")
        self._file.flush()
        if self._board is not None:
            for name, value in row.items():
                self._board.add_scalar(name, value, row["pictures"])

    def draw_curves(self) -> None:
        """Write `curves.png` from the whole log."""
        draw_curves(self.rows, self.folder / "curves.png")
