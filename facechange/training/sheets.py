"""What a run shows of itself: a log, TensorBoard, curves, and sheets of source, target, result and masks."""

from __future__ import annotations

import json
from pathlib import Path
from types import TracebackType
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from facechange.training.face_batch import FaceBatch
from facechange.training.face_step import FaceStep

SHEET_ROWS = 8
RECENT = 50


class RunLog:
    """`log.jsonl`, TensorBoard events and `curves.png` in a run's folder; what a killed run saw after `pictures` is dropped."""

    def __init__(self, folder: Path, pictures: int) -> None:
        self.folder = folder
        self.rows: list[dict[str, float]] = []
        path = folder / "log.jsonl"
        if path.exists():
            lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
            kept = [line for line in lines if line.endswith("}\n") and json.loads(line)["pictures"] <= pictures]
            path.write_text("".join(kept), encoding="utf-8")

    def __enter__(self) -> RunLog:
        from torch.utils.tensorboard import SummaryWriter

        self._file = (self.folder / "log.jsonl").open("a", encoding="utf-8")
        self._board: Any = SummaryWriter(str(self.folder / "tensorboard"))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._file.close()
        self._board.close()

    def add(self, pictures: int, values: dict[str, float]) -> None:
        """Append one step."""
        self.rows.append(values)
        self._file.write(json.dumps({"pictures": pictures} | {name: round(value, 5) for name, value in values.items()}) + "\n")
        if len(self.rows) % 20 == 0:
            self._file.flush()
            for name, value in self.recent().items():
                self._board.add_scalar(name, value, pictures)

    def recent(self) -> dict[str, float]:
        """The mean of every value over the last steps."""
        rows = self.rows[-RECENT:]
        names = {name for row in rows for name in row}
        return {name: float(np.mean([row[name] for row in rows if name in row])) for name in sorted(names)}

    def draw_curves(self) -> None:
        """Every loss against pictures seen, smoothed, from the whole log."""
        from matplotlib.figure import Figure

        self._file.flush()
        rows = [json.loads(line) for line in (self.folder / "log.jsonl").read_text(encoding="utf-8").splitlines()]
        names = [name for name in rows[-1] if name not in ("pictures", "pictures_per_second")]
        figure = Figure(figsize=(15, 9), layout="constrained")
        for number, name in enumerate(names):
            axes = figure.add_subplot(3, 4, number + 1)
            points = np.array([(row["pictures"], row[name]) for row in rows if name in row])
            width = max(1, len(points) // 60)
            axes.plot(points[: len(points) // width * width, 0].reshape(-1, width).mean(1), _block_means(points[:, 1], width))
            axes.set_title(name)
            axes.set_xlabel("pictures seen")
        figure.savefig(self.folder / "curves.png", dpi=80)


def _block_means(values: np.ndarray, width: int) -> np.ndarray:
    return values[: len(values) // width * width].reshape(-1, width).mean(1)


@torch.no_grad()
def draw_sheet(folder: Path, run: FaceStep, batch: FaceBatch, pictures: int) -> None:
    """Write `sheet-PICTURES.png`: a row a pair with source, target, the average model's result, its masks coarse to fine."""
    rows = slice(-SHEET_ROWS, None)  # the last of a batch are different-object pairs
    source, target = batch.source[rows], batch.target[rows]
    changed, masks = run.networks.average(target, run.known.source[batch.source_index[rows]], with_masks=True)
    size = target.shape[-1]
    shown = [source, target, changed, *(_enlarge(mask, size) for mask in masks[1::2])]
    sheet = torch.cat([torch.cat(list(picture.float().clamp(-1, 1)), 1) for picture in shown], 2)
    pixels = sheet.add(1).mul(127.5).round().byte().permute(1, 2, 0).cpu().numpy()
    encoded = cv2.imencode(".png", np.ascontiguousarray(pixels[..., ::-1]))[1]
    (folder / f"sheet-{pictures:08d}.png").write_bytes(encoded.tobytes())


def _enlarge(mask: Tensor, size: int) -> Tensor:
    """[N, 1, h, w] in [0, 1] to grey pictures [N, 3, size, size] in [-1, 1]."""
    return torch.nn.functional.interpolate(mask.float(), size=size, mode="nearest").expand(-1, 3, -1, -1) * 2 - 1
