"""Whose face is changed where, on faces whose paths are known."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import av
import numpy as np
import pytest

from facechange.core import FaceError
from facechange.faces.select import FaceSelector
from facechange.faces.turn import Beyond
from facechange.metrics.temporal import crop_departures, crop_jitter
from facechange.swap import FixedIdentity, PersonaAssignment, Swapper
from facechange.swap.assignment import IdentityAssignment, TrackAssignment
from facechange.swap.face_choice import FaceChoice
from facechange.swap.tracking import FaceTracker
from facechange.swap.video.frames import SourceFrame
from facechange.swap.video.smoothing import FADE_FRAMES, PlacedFrame, Placer

SIZE = (480, 270)
Place = Callable[..., list[PlacedFrame]]


@pytest.fixture
def place(swapper: Swapper) -> Place:
    def run(
        frames: list[np.ndarray],
        face: str = "all",
        like: Path | None = None,
        assignment: IdentityAssignment | None = None,
        beyond: Beyond = "faded",
    ) -> list[PlacedFrame]:
        assignment = assignment or FixedIdentity(np.zeros(512, np.float32), [])
        by_sight = like is None and assignment.everyone is not None
        tracker = FaceTracker(swapper, None if by_sight else lambda image, found: swapper.identify(image, face=found))
        choice = FaceChoice(swapper, FaceSelector.parse(face if like is None else f"like:{like}"))
        stored = av.VideoFrame(16, 16, "yuv420p")
        source: Iterator[SourceFrame] = (SourceFrame(i, i, 1, stored, pixels, False) for i, pixels in enumerate(frames))
        return list(
            Placer(tracker, choice, TrackAssignment(assignment, tracker), Fraction(1, 25), 1000, beyond).place(source)
        )

    return run


def middle(placed: PlacedFrame) -> np.ndarray:
    assert len(placed.placements) == 1, placed.placements
    return placed.placements[0].points.mean(0)


def test_a_moving_face_is_followed_without_lag_and_steadier_than_it_is_located(
    place: Place, swapper: Swapper, videos: ModuleType, portrait: np.ndarray
) -> None:
    rng = np.random.default_rng(0)
    paths = [(150 + 4 * i, 135 + 15 * np.sin(i / 5)) for i in range(40)]
    clean = [videos.place_portrait(portrait, SIZE, path, 8 * np.sin(i / 7)) for i, path in enumerate(paths)]
    frames = [np.clip(frame + rng.normal(0, 6, frame.shape), 0, 255).astype(np.uint8) for frame in clean]
    placed = place(frames)
    offsets = np.array([middle(each) for each in placed]) - paths
    # px of a face of 130; a lag of one frame would show as 4 all along, and single frames differ by processor
    assert np.abs(offsets - offsets.mean(0)).max() < 6
    speed = np.gradient(np.array(paths)[:, 1])
    assert abs(np.polyfit(speed, offsets[:, 1], 1)[0]) < 0.5  # frames of lag
    located = np.stack([swapper.detect(frame)[0].points for frame in frames])
    put = np.stack([each.placements[0].points for each in placed])
    assert crop_jitter(crop_departures(put), crop_departures(located)) < 0.6


def test_a_face_that_is_covered_and_comes_back_keeps_its_number_and_fades(
    place: Place, videos: ModuleType, portrait: np.ndarray
) -> None:
    frames = [videos.place_portrait(portrait, SIZE, (200 + i, 135)) for i in range(36)]
    for frame in frames[14:24]:
        frame[40:250, 120:300] = (110, 120, 120)  # a hand
    placed = place(frames)
    counts = [len(each.placements) for each in placed]
    assert counts[:14] == [1] * 14 and counts[14:24] == [0] * 10 and counts[24:] == [1] * 12
    opacities = [each.placements[0].opacity for each in placed[:14]]
    assert opacities[-FADE_FRAMES:] == sorted(opacities[-FADE_FRAMES:], reverse=True)
    assert opacities[0] == 1 and 0 < opacities[-1] < 0.3


def test_a_face_that_is_turned_too_far_is_left_or_covered_by_choice(
    place: Place, videos: ModuleType, portrait: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    frames = [videos.place_portrait(portrait, SIZE, (200 + 4 * i, 135)) for i in range(12)]
    monkeypatch.setattr(
        "facechange.swap.video.smoothing.turn_of", lambda points: 60.0 if points.mean(0)[0] > 222 else 0.0
    )
    assert [len(placed.placements) for placed in place(frames, beyond="left")] == [1] * 6 + [0] * 6
    covered = [placed.placements[0].covered for placed in place(frames, beyond="covered")]
    assert covered == [False] * 6 + [True] * 6


def test_who_is_hidden_never_fades_and_is_changed_from_the_first_frame_to_the_last(
    place: Place, videos: ModuleType, portrait: np.ndarray
) -> None:
    frames = [videos.place_portrait(portrait, SIZE, (200 + i, 135)) for i in range(20)]
    for frame in [*frames[:4], *frames[6:]]:
        frame[40:250, 120:300] = (110, 120, 120)  # seen in two frames only
    assert [len(each.placements) for each in place(frames)] == [0] * 20
    hidden = place(frames, assignment=PersonaAssignment())
    assert [[each.opacity for each in placed.placements] for placed in hidden] == [[]] * 4 + [[1.0]] * 2 + [[]] * 14


def test_a_cut_starts_anew(place: Place, videos: ModuleType, portrait: np.ndarray) -> None:
    first = [videos.place_portrait(portrait, SIZE, (130, 135)) for _ in range(10)]
    second = [255 - videos.place_portrait(255 - portrait, SIZE, (330, 130), 0, 0.7) for _ in range(10)]
    placed = place(first + second)
    assert [each.cut for each in placed] == [index == 10 for index in range(20)]
    assert all(abs(middle(each)[0] - 130) < 12 for each in placed[:10])
    assert all(abs(middle(each)[0] - 330) < 12 for each in placed[10:])
    assert all(each.placements[0].opacity == 1 for each in placed)


def test_like_holds_the_right_one_of_two_people_who_pass_each_other(
    place: Place, videos: ModuleType, source: Path
) -> None:
    one, other = (videos.read_example(name, 170) for name in ("source", "target"))
    xs = np.linspace(110, 370, 60)
    frames = [_beside(videos, one, other, x) for x in xs]
    placed = place(frames, like=source)
    apart = [(each, 480 - x) for each, x in zip(placed, xs, strict=True) if abs(480 - 2 * x) > 180]
    right = [bool(each.placements) and abs(middle(each)[0] - x) < 15 for each, x in apart]
    assert len(right) == 20
    assert np.mean(right) >= 0.99


def _beside(videos: ModuleType, one: np.ndarray, other: np.ndarray, x: float) -> np.ndarray:
    """Both portraits, `other` at `x` in front of `one` at the mirrored place."""
    frame = videos.place_portrait(one, SIZE, (480 - x, 135))
    front = videos.place_portrait(other, SIZE, (x, 135))
    left, right = max(round(x - 85), 0), min(round(x + 85), SIZE[0])
    frame[:, left:right] = front[:, left:right]
    return frame


def test_a_word_is_held_while_the_face_is_followed(place: Place, videos: ModuleType) -> None:
    one, other = (videos.read_example(name, 170) for name in ("source", "target"))
    frames = []
    for i in range(16):
        frame = videos.place_portrait(one, SIZE, (110, 135), 0, 0.7 + 0.02 * i)  # grows past the other
        frame[:, 250:] = videos.place_portrait(other, SIZE, (360, 135), 0, 0.85)[:, 250:]
        frames.append(frame)
    assert all(abs(middle(each)[0] - 360) < 15 for each in place(frames, face="largest"))
    with pytest.raises(FaceError, match="called"):
        place(frames[:1], face="boss")
