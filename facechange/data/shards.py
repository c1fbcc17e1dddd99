"""Aligned shards: tar files of square face crops with a JSON line a picture.

A folder holds `aligned-00000.tar` and `aligned-00000.jsonl`, and so on. A line has `image` (name in the tar), `source`
(where it came from), `size` (side in pixels), `points` (5×2) and, where known, `landmarks68`, in pixels of the crop,
and `group`, `origin`, `licence` and `split`; a line with `skipped` says why a source gave no picture. The jsonl is
written after its tar, so a shard without one is unfinished. `dataset.json` describes the whole set (`datasets`).
"""

from __future__ import annotations

import tarfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from torch import Tensor

from facechange.core import TrainingError
from facechange.core.stored import read_json_lines
from facechange.faces.geometry import hull_mask

# A rough outline of a face about its five points, used where 68 landmarks are not known (FFHQ crop of side 1).
OUTLINE = np.array(
    [
        [0.26, 0.42],
        [0.27, 0.6],
        [0.34, 0.76],
        [0.44, 0.84],
        [0.56, 0.84],
        [0.66, 0.76],
        [0.73, 0.6],
        [0.74, 0.42],
        [0.6, 0.36],
        [0.4, 0.36],
    ]
)


@dataclass(frozen=True)
class AlignedFaces:
    """A set of aligned faces in memory, uint8, ready to be moved to the training device."""

    pictures: Tensor  # [N, 3, S, S] uint8
    points: Tensor  # [N, 5, 2] float32, pixels of the crop
    background: Tensor  # [N, 1, S, S] uint8: 1 outside the face hull (M_bg of formula 4)
    landmarks: Tensor | None = None  # [N, 68, 2] float32, pixels of the crop, where every face has them
    # [N] float32, rising to 1: row k is drawn by numbers from the one before up to `reach[k]`; None is evenly
    reach: Tensor | None = None

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def size(self) -> int:
        return self.pictures.shape[-1]

    def to(self, device: torch.device) -> AlignedFaces:
        """The same set on `device`."""
        landmarks = None if self.landmarks is None else self.landmarks.to(device)
        reach = None if self.reach is None else self.reach.to(device)
        return AlignedFaces(
            self.pictures.to(device), self.points.to(device), self.background.to(device), landmarks, reach
        )

    def draw(self, count: int, generator: torch.Generator) -> Tensor:
        """Rows [count] int64, drawn so that small groups come up oftener than their share."""
        device = self.pictures.device
        if self.reach is None:
            return torch.randint(len(self), (count,), generator=generator, device=device)
        dice = torch.rand(count, generator=generator, device=device)
        return torch.searchsorted(self.reach, dice).clamp(max=len(self) - 1)


def share_draws(groups: list[str | None]) -> Tensor | None:
    """`AlignedFaces.reach` by which a group comes up as often as the square root of its size says; None where there is
    one group."""
    sizes = Counter(groups)
    if len(sizes) == 1:
        return None
    chances = torch.tensor([sizes[group] ** -0.5 for group in groups], dtype=torch.float64).cumsum(0)
    return (chances / chances[-1]).float()


def read_lines(folder: Path) -> list[dict[str, Any]]:
    """Every line of every finished shard, in order, `shard` added; raises `TrainingError` where one is something
    else."""
    lines = []
    for path in sorted(folder.glob("aligned-*.jsonl")):
        try:
            lines += [line | {"shard": path.stem} for line in read_json_lines(path)]
        except (OSError, ValueError, TypeError) as error:
            remedy = "Delete it with its shard, and prepare again."
            raise TrainingError(f"{path} does not list the faces of a shard ({error}).", remedy) from None
    return lines


def load_faces(folder: Path, size: int) -> AlignedFaces:
    """Decode all pictures of `folder` at `size` (area-averaged down from the shard's own size).

    Raises `TrainingError` where the folder holds no shards or smaller pictures than asked for.
    """
    lines = [line for line in read_lines(folder) if "skipped" not in line]
    if not lines:
        raise TrainingError(
            f"{folder} holds no aligned shards.", "Make them with: facechange data prepare FOLDER -o SHARDS"
        )
    if min(line["size"] for line in lines) < size:
        raise TrainingError(
            f"The shards in {folder} are smaller than {size} pixels.", f"Prepare them again with --size {size}."
        )
    pictures = np.empty((len(lines), size, size, 3), np.uint8)
    background = np.empty((len(lines), size, size), np.uint8)
    points = np.empty((len(lines), 5, 2), np.float32)
    landmarks = np.empty((len(lines), 68, 2), np.float32) if all(line.get("landmarks68") for line in lines) else None
    encoded = _read_tars(folder, sorted({line["shard"] for line in lines}))

    def decode(index: int) -> None:
        line = lines[index]
        bgr = cv2.imdecode(np.frombuffer(encoded[line["shard"], line["image"]], np.uint8), cv2.IMREAD_COLOR)
        if bgr is None:
            raise TrainingError(
                f"{line['image']} in {line['shard']}.tar is corrupt.",
                "Delete that shard and its .jsonl and prepare again.",
            )
        scale = size / line["size"]
        if bgr.shape[0] != size:
            bgr = cv2.resize(bgr, (size, size), interpolation=cv2.INTER_AREA)
        pictures[index] = bgr[..., ::-1]
        points[index] = (np.array(line["points"]) + 0.5) * scale - 0.5
        if landmarks is not None:
            landmarks[index] = (np.array(line["landmarks68"]) + 0.5) * scale - 0.5
        outline = (np.array(line["landmarks68"]) + 0.5) * scale if line.get("landmarks68") else OUTLINE * size
        background[index] = 1 - hull_mask(outline, size)

    with ThreadPoolExecutor() as pool:
        list(pool.map(decode, range(len(lines))))
    return AlignedFaces(
        torch.from_numpy(pictures).permute(0, 3, 1, 2).contiguous(),
        torch.from_numpy(points),
        torch.from_numpy(background)[:, None],
        None if landmarks is None else torch.from_numpy(landmarks),
        share_draws([line.get("group") for line in lines]),
    )


def _read_tars(folder: Path, shards: list[str]) -> dict[tuple[str, str], bytes]:
    encoded = {}
    for shard in shards:
        with tarfile.open(folder / f"{shard}.tar") as tar:
            for member in tar:
                file = tar.extractfile(member)
                assert file is not None
                encoded[shard, member.name] = file.read()
    return encoded
