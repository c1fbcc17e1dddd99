"""Time each stage of changing one photograph, and the whole; in this process, and as a command that starts from
nothing."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from facechange.benchmark.photographs import draw_photograph, read_face
from facechange.benchmark.timing import Timing, measure, parse_peak_mb
from facechange.consent import load_context
from facechange.core import FacechangeError
from facechange.faces.align import warp_crop
from facechange.faces.geometry import ffhq_crop_matrix
from facechange.faces.paste_back import paste_back
from facechange.images import Picture, read_picture
from facechange.provenance import publish
from facechange.swap import Swapper, assign_sources, change_photograph, request_change

STATUS_BEGINS = "Name:"
PROGRAM = """
import pathlib, sys
from facechange.cli.app import main
try:
    main()
finally:
    status = pathlib.Path("/proc/self/status")
    print(status.read_text() if status.exists() else "", file=sys.stderr)
"""


@dataclass(frozen=True)
class ColdRun:
    """`facechange swap` in a process of its own."""

    seconds: float
    peak_mb: float | None  # None where the system does not tell


@contextmanager
def own_home() -> Iterator[Path]:
    """A folder that is gone afterwards, where facechange keeps its ledger, keys and caches meanwhile."""
    before = os.environ.get("FACECHANGE_HOME")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["FACECHANGE_HOME"] = folder
        try:
            yield Path(folder)
        finally:
            if before is None:
                del os.environ["FACECHANGE_HOME"]
            else:
                os.environ["FACECHANGE_HOME"] = before


def write_inputs(folder: Path, megapixels: float) -> tuple[Path, Path]:
    """Two JPEG files: the source's face, and a photograph to change."""
    paths = folder / "source.jpg", folder / "target.jpg"
    for path, pixels in zip(paths, (read_face(), draw_photograph(megapixels)), strict=True):
        path.write_bytes(_encode_jpeg(pixels))
    return paths


def measure_stages(swapper: Swapper, home: Path, megapixels: float, seconds: float = 1.0) -> dict[str, Timing]:
    """Times of every stage on a photograph with one face, and of "whole": all of them in one call, source included."""
    source, target = write_inputs(home, megapixels)
    output = home / "changed.jpg"
    grant = request_change(load_context(), [source], target, output, "synthetic")
    picture = read_picture(target)
    (face,) = swapper.select(picture, "largest")
    identity = swapper.identify(picture, face=face)
    matrix = ffhq_crop_matrix(face.points, swapper.size_px)
    crop = warp_crop(picture.pixels, matrix, swapper.size_px)
    changed = swapper.change_crops(crop[None], identity)
    pixels = picture.pixels.copy()
    stages = {
        "read": lambda: read_picture(target),
        "detect": lambda: swapper.detect(picture),
        "identify": lambda: swapper.identify(picture, face=face),
        "align": lambda: warp_crop(picture.pixels, matrix, swapper.size_px),
        "change": lambda: swapper.change_crops(crop[None], identity),
        "put back": lambda: paste_back(
            picture.pixels, changed.before[0], changed.after[0], matrix, mask=changed.kept_mask(0), out=pixels
        ),
        "write": lambda: publish(
            Picture(pixels, jpeg=picture.jpeg), output, grant=grant, card=swapper.card, target=target, faces=[face]
        ),
        "whole": lambda: change_photograph(swapper, assign_sources(swapper, [source]), target, output, grant=grant),
    }
    return {name: measure(work, seconds) for name, work in stages.items()}


def measure_cold_swaps(home: Path, megapixels: float, options: list[str], runs: int = 3) -> list[ColdRun]:
    """`facechange swap` on that photograph, each time in a new process; the first also fills the caches in `home`.

    Raises `FacechangeError` where the command fails.
    """
    source, target = write_inputs(home, megapixels)
    words = ["swap", str(source), str(target), "-o", str(home / "changed.jpg"), "--consent", "synthetic", *options]
    return [_run([sys.executable, "-c", PROGRAM, *words]) for _ in range(runs)]


def _run(command: list[str]) -> ColdRun:
    begin = time.perf_counter()
    process = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    seconds = time.perf_counter() - begin
    if process.returncode:
        said = process.stderr.partition(STATUS_BEGINS)[0]
        raise FacechangeError(f"facechange swap ended with {process.returncode}: {said.strip()}")
    return ColdRun(seconds, parse_peak_mb(process.stderr))


def _encode_jpeg(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 92])[1].tobytes()
