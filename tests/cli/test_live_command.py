"""`facechange live` as a process of its own, watched over HTTP."""

import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import av
import numpy as np
from PIL import Image

import facechange

EXAMPLES = Path(facechange.__file__).parent.parent / "examples"
LIVE = (
    sys.executable,
    "-c",
    "from facechange.cli.app import main; main()",
    "live",
    str(EXAMPLES / "source.jpg"),
    "--consent",
    "synthetic",
)


def test_a_video_is_watched_over_http(tmp_path: Path) -> None:
    clip = tmp_path / "clip.mp4"
    portrait = np.asarray(Image.open(EXAMPLES / "target.jpg").convert("RGB").resize((192, 192)))
    with av.open(str(clip), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 192, 192, "yuv420p"
        for _ in range(50):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(portrait, format="rgb24")))
        container.mux(stream.encode(None))
    with subprocess.Popen([*LIVE, "--input", str(clip), "--mjpeg", "0"], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        url = re.search(r"Look at (http://127\.0\.0\.1:\d+/)", process.stderr.readline())
        assert url
        with urllib.request.urlopen(f"{url[1]}live.mjpg", timeout=10) as stream:
            parts = stream.read().split(b"--frame\r\n")  # to the end of the video
        said = process.stderr.read()
        assert process.wait(10) == 0
    assert len(parts) >= 5
    assert parts[-1].endswith(b"\xff\xd9\r\n") and b"compositeWithTrainedAlgorithmicMedia" in parts[-1]
    assert re.search(r"\d+\.\d frames/s, \d+ ms behind, \d+ dropped, 1 face", said)
    assert "The end" in said


def test_what_cannot_be_is_one_sentence() -> None:
    for arguments, code, words in (
        (("--input", "99", "--mjpeg", "0"), 3, "camera 99"),
        (("--input", "nothing.mp4", "--mjpeg", "0"), 3, "nothing.mp4"),
        (("--mjpeg", "here"), 5, "here"),
    ):
        done = subprocess.run([*LIVE, *arguments], capture_output=True, text=True, timeout=30, check=False)
        assert (done.returncode, done.stderr.count("\n")) == (code, 1), done.stderr
        assert words in done.stderr
