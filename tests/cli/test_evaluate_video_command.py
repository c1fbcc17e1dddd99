"""`facechange evaluate video`: two files in, a table and JSON out, and a sentence for what cannot be compared."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

import facechange

PORTRAIT = Path(facechange.__file__).parent.parent / "examples" / "target.jpg"
Run = Callable[..., tuple[int, str, str]]


def write(path: Path, count: int = 5, size: tuple[int, int] = (240, 200), shift: int = 0, face: bool = True) -> None:
    portrait = cv2.resize(cv2.imread(str(PORTRAIT), cv2.IMREAD_COLOR_RGB), (160, 160), interpolation=cv2.INTER_AREA)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "10", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        for number in range(count):
            pixels = np.full((size[1], size[0], 3), 110, np.uint8)
            if face:
                left = 30 + 2 * number + shift * (number % 2)
                pixels[20:180, left : left + 160] = portrait
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))


def test_a_shaken_copy_is_told_from_its_original(run: Run, tmp_path: Path) -> None:
    write(tmp_path / "film.mp4")
    write(tmp_path / "shaken.mp4", shift=20)
    code, out, err = run(
        "evaluate", "video", "film.mp4", "shaken.mp4", "--json", "report.json", "--markdown", "table.md"
    )
    assert code == 0, err
    assert "crop_jitter ↓" in out and "warp_error ↓" in out and "shaken.mp4 beside film.mp4" in out
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["protocol"]["frames"] == report["protocol"]["with_the_face"] == 5
    assert report["metrics"]["crop_jitter"]["mean"] > 2 and report["metrics"]["crop_jitter"]["unit"] == "ratio"
    assert report["metrics"]["warp_error"]["mean"] > 2
    assert "| crop_jitter ↓ | ratio |" in (tmp_path / "table.md").read_text()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("film.mp4", "none.mp4"), 3, "There is no video none.mp4"),
        (("film.mp4", "text.mp4"), 3, "text.mp4 is not a video that can be read"),
        (("film.mp4", "short.mp4"), 3, "changed video has 4 frames, and the original has more"),
        (("film.mp4", "small.mp4"), 3, "The videos are 240 x 200 and 224 x 200 pixels"),
        (("empty.mp4", "empty.mp4"), 4, "show a face in both"),
        (("film.mp4", "film.mp4", "--landmarks", "none.onnx"), 7, "none.onnx is missing"),
        (("film.mp4", "film.mp4", "--detector", "none.onnx"), 7, "none.onnx is missing"),
        (("film.mp4", "film.mp4", "--json", "none/report.json"), 5, "not a folder that can be written to"),
    ],
)
def test_bad_input_ends_in_a_sentence_and_a_code(
    run: Run, tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    write(tmp_path / "film.mp4")
    write(tmp_path / "short.mp4", count=4)
    write(tmp_path / "small.mp4", size=(224, 200))
    write(tmp_path / "empty.mp4", face=False)
    (tmp_path / "text.mp4").write_text("not a video")
    assert (result := run("evaluate", "video", *arguments))[0] == code, result
    assert words in result[2] and len(result[2].splitlines()) == 1 and not result[1]
