"""A folder of labelled faces as small as one can be: painted ovals in a tar shard."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import cv2
import numpy as np
import pytest

SIZE_PX = 96
POINTS = np.array([[34.0, 40.0], [62.0, 40.0], [48.0, 54.0], [38.0, 66.0], [58.0, 66.0]])


def paint_face(colour: tuple[int, int, int]) -> np.ndarray:
    """uint8 [96, 96, 3] RGB: an oval of one colour on grey, with dots at `POINTS`."""
    picture = np.full((SIZE_PX, SIZE_PX, 3), 120, np.uint8)
    cv2.ellipse(picture, (48, 50), (26, 34), 0, 0, 360, colour, -1)
    for x, y in POINTS:
        cv2.circle(picture, (int(x), int(y)), 2, (20, 20, 20), -1)
    return picture


def write_faces(folder: Path, count: int, split: str = "val") -> list[np.ndarray]:
    """Write `count` faces as `split.jsonl` and one shard of PNG; returns the pictures."""
    angles = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    outline = np.stack([48 + 26 * np.cos(angles), 50 + 34 * np.sin(angles)], axis=1)
    pictures = [paint_face((40 + 30 * number % 200, 200 - 25 * number % 180, 60 + 45 * number % 190)) for number in range(count)]
    lines = []
    with tarfile.open(folder / f"{split}-96-00.tar", "w") as archive:
        for number, picture in enumerate(pictures):
            encoded = cv2.imencode(".png", picture[..., ::-1])[1].tobytes()
            member = tarfile.TarInfo(f"{split}-{number}.png")
            member.size = len(encoded)
            archive.addfile(member, io.BytesIO(encoded))
            labels = {"landmarks5": POINTS.tolist(), "landmarks68": outline.tolist()}
            lines.append(json.dumps({"image": member.name, "shard": f"{split}-96-00.tar", "size": SIZE_PX} | labels))
    (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n")
    return pictures


@pytest.fixture
def faces_folder(tmp_path: Path) -> Path:
    write_faces(tmp_path, 6)
    return tmp_path
