"""Pictures with known landmarks, to learn from and to measure on: a folder of tar shards and a JSON line a picture.

`SPLIT.jsonl` has a line a picture: `image` and `shard` (where it lies), `landmarks5`, and optionally `box` (x, y, w, h)
and `landmarks68` (300-W order), all in pixels of the picture, `group`, `sex` (female or male) and `age` (years), by
which results are told apart, and `origin` and `licence`, which cards tell.
"""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from facechange.core import PictureError
from facechange.core.stored import read_json_lines
from facechange.faces.align import warp_crop
from facechange.faces.geometry import identity_crop_matrix


@dataclass(frozen=True)
class LabelledFace:
    """One picture of one face; landmarks in pixels of that picture."""

    image: str  # the name inside its shard
    shard: str
    landmarks5: np.ndarray  # [5, 2] eyes, nose, mouth corners, the viewer's left first
    landmarks68: np.ndarray | None  # [68, 2] in 300-W order
    box: np.ndarray | None  # [4]: x, y, width, height
    group: str | None = None
    sex: str | None = None  # female or male
    age: float | None = None  # years
    origin: str | None = None  # where the picture is from
    licence: str | None = None


class LabelledFaces:
    """The faces of one split; pictures are decoded when asked for, so that memory does not grow with the split."""

    def __init__(self, folder: Path, split: str = "val") -> None:
        """Read `folder/split.jsonl` and index its shards; raises `PictureError` where either is missing or broken."""
        self.folder = folder
        self.faces = _read_labels(folder / f"{split}.jsonl")
        shards = sorted({face.shard for face in self.faces})
        self._places = {
            (shard, name): place for shard in shards for name, place in _index_shard(folder / shard).items()
        }

    def __len__(self) -> int:
        return len(self.faces)

    def read(self, index: int) -> np.ndarray:
        """Picture `index`: uint8 [H, W, 3] RGB."""
        face = self.faces[index]
        try:
            offset, length = self._places[face.shard, face.image]
        except KeyError:
            raise PictureError(f"{face.image} is not in {face.shard}.", "Fetch or prepare the shards again.") from None
        with (self.folder / face.shard).open("rb") as file:
            file.seek(offset)
            pixels = cv2.imdecode(np.frombuffer(file.read(length), np.uint8), cv2.IMREAD_COLOR)
        if pixels is None:
            raise PictureError(
                f"{face.image} in {face.shard} is not a readable picture.", "Fetch or prepare the shards again."
            )
        return np.ascontiguousarray(pixels[..., ::-1])

    def identity_crop(self, index: int) -> np.ndarray:
        """The crop that recognizers read (ArcFace template): uint8 [112, 112, 3]."""
        return warp_crop(self.read(index), identity_crop_matrix(self.faces[index].landmarks5), 112)


def _read_labels(path: Path) -> list[LabelledFace]:
    try:
        faces = [_to_face(row) for row in read_json_lines(path)]
    except FileNotFoundError:
        raise PictureError(
            f"{path} is missing.", "Give the folder that holds the shards and their SPLIT.jsonl."
        ) from None
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise PictureError(
            f"{path} does not list labelled faces ({error}).", "See docs/map.md for the format."
        ) from None
    if not faces:
        raise PictureError(f"{path} lists no faces.", "It needs a JSON line a picture.")
    return faces


def _to_face(row: dict[str, Any]) -> LabelledFace:
    landmarks68, box = _optional(row, "landmarks68"), _optional(row, "box")
    group, sex, origin, licence = (
        None if row.get(name) is None else str(row[name]) for name in ("group", "sex", "origin", "licence")
    )
    age = float(row["age"]) if isinstance(row.get("age"), int | float) else None  # some only say "adult"
    return LabelledFace(
        row["image"], row["shard"], np.array(row["landmarks5"]), landmarks68, box, group, sex, age, origin, licence
    )


def _optional(row: dict[str, Any], name: str) -> np.ndarray | None:
    return np.array(row[name], np.float64) if row.get(name) is not None else None


def _index_shard(path: Path) -> dict[str, tuple[int, int]]:
    """Where each file of a tar lies: {name: (offset in bytes, length in bytes)}."""
    try:
        with tarfile.open(path) as archive:
            return {member.name: (member.offset_data, member.size) for member in archive if member.isfile()}
    except (OSError, tarfile.TarError) as error:
        raise PictureError(
            f"The shard {path} cannot be read ({error}).", "Fetch or prepare the shards again."
        ) from None
