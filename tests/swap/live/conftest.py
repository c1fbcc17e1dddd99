"""A video of a face that moves, to be played as a camera, and the networks that ship."""

from pathlib import Path

import av
import cv2
import numpy as np
import pytest

import facechange
from facechange.swap import Swapper

EXAMPLES = Path(facechange.__file__).parent.parent / "examples"
SIZE = (320, 240)  # width, height
RATE = 25


@pytest.fixture(scope="session")
def source() -> Path:
    return EXAMPLES / "source.jpg"


@pytest.fixture(scope="session")
def swapper() -> Swapper:
    return facechange.load("facechange-256", threads=1)


@pytest.fixture(scope="session")
def frames() -> list[np.ndarray]:
    """30 frames [240, 320, 3]: the example's face goes to the right and nods."""
    portrait = cv2.resize(
        cv2.cvtColor(cv2.imread(str(EXAMPLES / "target.jpg")), cv2.COLOR_BGR2RGB),
        (200, 200),
        interpolation=cv2.INTER_AREA,
    )
    frames = []
    for number in range(30):
        matrix = cv2.getRotationMatrix2D((99.5, 99.5), 5 * np.sin(number / 5), 1)
        matrix[:, 2] += (20 + 2 * number, 20)
        frame = np.full((SIZE[1], SIZE[0], 3), 110, np.uint8)
        frames.append(cv2.warpAffine(portrait, matrix, SIZE, dst=frame, borderMode=cv2.BORDER_TRANSPARENT))
    return frames


@pytest.fixture(scope="session")
def clip(frames: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`frames` as a video at `RATE`."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE, options={"crf": "12", "preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = *SIZE, "yuv420p"
        for frame in frames:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    return path
