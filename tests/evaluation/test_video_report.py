"""A changed video beside its original, on squares that a toy finds and frames whose movement is known."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from facechange.core import Face, FaceError, VideoError
from facechange.evaluation import Landmarker
from facechange.evaluation.video_report import LOOKED_EVERY, evaluate_video

SHARES = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]])
FRAMES = 24


def detect(frame: np.ndarray) -> list[Face]:
    """Red squares, in the order of their places."""
    red = (frame[..., 0].astype(int) - frame[..., 1] > 60).astype(np.uint8)
    _, _, boxes, _ = cv2.connectedComponentsWithStats(red)
    return [
        Face((x, y, w, h), (SHARES * (w, h) + (x, y)).astype(np.float32), 0.9)
        for x, y, w, h, area in boxes[1:]
        if area > 9
    ]


def film(
    shake: float = 0.0, flicker: int = 0, faces: tuple[tuple[int, int, int], ...] = ((30, 40, 40),)
) -> list[np.ndarray]:
    """Textured frames that move by two pixels, with red squares (x, y, side) of which the first one `shake`s."""
    random = np.random.default_rng(0)
    scene = cv2.GaussianBlur(random.integers(60, 160, (140, 240, 1), np.uint8), (0, 0), 3)[..., None].repeat(3, 2)
    frames = []
    for number in range(FRAMES):
        frame = np.ascontiguousarray(scene[:120, 2 * number : 2 * number + 160])
        shaken = round(random.normal(0, shake))
        for index, (x, y, side) in enumerate(faces):
            moved = x + number + shaken * (index == 0)
            frame[y : y + side, moved : moved + side] = (200, 40, 40)
        frames.append(cv2.convertScaleAbs(frame, alpha=1, beta=flicker * (number % 2)))
    return frames


def test_a_video_beside_itself_moves_as_it_does() -> None:
    report = evaluate_video(iter(film(shake=1)), iter(film(shake=1)), detect)
    assert {name: (value.low, value.mean, value.high) for name, value in report.metrics.items()} == {
        "crop_jitter": (1, 1, 1),
        "warp_error": (1, 1, 1),
    }
    assert report.protocol["frames"] == report.protocol["with_the_face"] == FRAMES


def test_what_shakes_and_flickers_is_told_with_its_interval() -> None:
    calm = film(shake=0.5)
    shaking = evaluate_video(calm, film(shake=3), detect).metrics
    assert (
        shaking["crop_jitter"].mean > 3
        and shaking["crop_jitter"].low < shaking["crop_jitter"].mean < shaking["crop_jitter"].high
    )
    flickering = evaluate_video(calm, film(shake=0.5, flicker=12), detect)
    assert flickering.metrics["warp_error"].low > 2 and flickering.metrics["crop_jitter"].mean == pytest.approx(
        1, abs=0.1
    )
    assert flickering.details["warp_error_changed"] > 2 * flickering.details["warp_error_original"] > 0


def test_the_largest_face_of_the_first_frame_is_followed() -> None:
    original, changed = (film(shake=shake, faces=((20, 30, 60), (110, 100, 14))) for shake in (0.5, 3))
    alone = evaluate_video(film(shake=0.5, faces=((20, 30, 60),)), film(shake=3, faces=((20, 30, 60),)), detect)
    assert evaluate_video(original, changed, detect).metrics["crop_jitter"] == alone.metrics["crop_jitter"]
    assert (
        evaluate_video(original, changed, lambda frame: detect(frame)[::-1]).metrics["crop_jitter"]
        == alone.metrics["crop_jitter"]
    )


def test_mouths_and_poses_are_of_the_frames_that_were_looked_at(landmarker: Landmarker) -> None:
    brighter = [cv2.convertScaleAbs(frame, alpha=1, beta=40) for frame in film()]
    report = evaluate_video(film(), brighter, detect, landmarkers=[landmarker])
    assert report.metrics["mouth_opening_error68_toy"].mean > 1  # the toy opens the mouth of a brighter picture
    assert report.metrics["pose_error_pnp68_toy"].mean < 0.01
    assert report.protocol["looked_every"] == LOOKED_EVERY < FRAMES and report.protocol["landmarkers"] == "toy"


def test_a_face_that_goes_away_leaves_its_frames_out() -> None:
    gone = film()
    gone[10] = np.full_like(gone[10], 90)
    assert evaluate_video(film(), gone, detect).protocol["with_the_face"] == FRAMES - 1
    elsewhere = film(faces=((110, 70, 40),))
    with pytest.raises(FaceError, match="No three frames"):
        evaluate_video(film(faces=((10, 10, 20),)), elsewhere, detect)  # somebody else


@pytest.mark.parametrize(
    ("original", "changed", "error", "words"),
    [
        (film(), film()[:-2], VideoError, "changed video has 22 frames, and the original has more"),
        (film()[:5], film(), VideoError, "original has 5 frames, and the changed video has more"),
        (film(), [frame[:100] for frame in film()], VideoError, "160 x 120 and 160 x 100 pixels"),
        (film()[:2], film()[:2], VideoError, "2 frames do not tell"),
        (film(faces=()), film(), FaceError, "No three frames"),
        (film(), film(faces=()), FaceError, "No three frames"),
    ],
)
def test_what_cannot_be_compared_is_said(
    original: list[np.ndarray], changed: list[np.ndarray], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        evaluate_video(original, changed, detect)
