"""A video in which people are to be hidden shows nobody in any frame, whatever the detector misses and the model
leaves."""

import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from facechange.consent import Grant
from facechange.core import Face
from facechange.runtime.crops import ChangedCrops
from facechange.swap import PersonaAssignment, Swapper
from facechange.swap.outcomes import is_all_changed, summarise, tabulate_video
from facechange.swap.tracking import Sighting, face_at
from facechange.swap.video import PublishedVideo, VideoOptions, change_video, files
from facechange.swap.video.fill_gaps import FILLED_FRAMES, Trails, cut_patch, find_patch

Grants = Callable[[Path], Grant]
MISSED = 5  # frames at the beginning in which the detector sees nothing


@pytest.fixture
def clip(videos: ModuleType, portrait: np.ndarray, tmp_path: Path) -> Path:
    return videos.write_video(tmp_path / "clip.mkv", videos.moving(portrait, 18), codec="ffv1", pixel_format="bgr0")


@pytest.fixture
def late(swapper: Swapper, monkeypatch: pytest.MonkeyPatch) -> Swapper:
    """A scout that finds nothing at first."""
    looks, find_all = [], swapper.find_all

    def find_late(image: np.ndarray, *given: object, **named: object) -> list[Face]:
        looks.append(1)
        return find_all(image) if len(looks) > MISSED else []

    monkeypatch.setattr(swapper, "find_all", find_late)
    return swapper


@pytest.fixture
def idle(swapper: Swapper, monkeypatch: pytest.MonkeyPatch) -> Swapper:
    """A model that changes nothing."""

    def change(crops: np.ndarray, identity: np.ndarray, with_masks: bool = False) -> ChangedCrops:
        same = crops.astype(np.float32) / 255
        return ChangedCrops(same, same, [[] for _ in crops])

    monkeypatch.setattr(swapper, "change_crops", change)
    return swapper


def anonymize(swapper: Swapper, clip: Path, output: Path, grant: Grant, **options: str) -> PublishedVideo:
    return change_video(
        swapper, PersonaAssignment(), clip, output, grant=grant, options=VideoOptions(encoder="ffv1", **options)
    )  # type: ignore[arg-type]


def likenesses(swapper: Swapper, videos: ModuleType, clip: Path, output: Path) -> list[bool]:
    """For each frame whether a network still takes its face for the original's."""
    alike = []
    for before, after in zip(videos.read_video(clip)[1], videos.read_video(output)[1], strict=True):
        faces = [swapper._detector.detect(before)[0]]
        (cosines,) = swapper.comparer.cosines(swapper.comparer.read(before, faces), swapper.comparer.read(after, faces))
        alike.append(swapper.comparer.are_alike(cosines))
    return alike


def test_no_frame_shows_the_person_also_before_the_face_is_first_found(
    late: Swapper, videos: ModuleType, clip: Path, grant_for: Grants, tmp_path: Path
) -> None:
    done = anonymize(late, clip, tmp_path / "out.mkv", grant_for(clip))
    assert (done.frames, done.changed) == (18, 18)
    assert likenesses(late, videos, clip, tmp_path / "out.mkv") == [False] * 18
    (face,) = done.faces
    assert (face["first_frame"], face["last_frame"]) == (0, 17)


def test_a_face_that_no_change_makes_unlike_is_covered_in_every_frame_and_that_is_said(
    idle: Swapper, videos: ModuleType, clip: Path, grant_for: Grants, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "SEGMENT_FRAMES", 10)  # what was decided holds over segments
    done = anonymize(idle, clip, tmp_path / "out.mkv", grant_for(clip))
    (outcome,) = done.outcomes
    assert outcome.is_covered and outcome.why and not outcome.like_original
    assert summarise(done.outcomes, hides=True) == "0 of 1 face changed, 1 covered"
    assert not is_all_changed(done.outcomes)
    assert likenesses(idle, videos, clip, tmp_path / "out.mkv") == [False] * 18
    table = json.loads(json.dumps(tabulate_video(done.faces, done.outcomes, hides=True)))
    assert table["counts"] == {"changed": 0, "covered": 1, "left": 0}
    assert (table["faces"][0]["first_frame"], table["faces"][0]["last_frame"]) == (0, 17)


def test_without_a_fallback_it_is_left_and_that_is_said(
    idle: Swapper, clip: Path, grant_for: Grants, tmp_path: Path
) -> None:
    done = anonymize(idle, clip, tmp_path / "out.mkv", grant_for(clip), fallback="none")
    assert [(outcome.done, outcome.like_original) for outcome in done.outcomes] == [("left", True)]


def test_a_patch_is_found_where_it_went_and_not_in_what_covers_it(
    videos: ModuleType, portrait: np.ndarray, swapper: Swapper
) -> None:
    first, second = (videos.place_portrait(portrait, (320, 240), centre) for centre in ((140, 120), (152, 115)))
    (face,) = swapper.detect(first)
    sighting = Sighting(7, face.points.astype(np.float64), face.size_px)
    found = find_patch(second, cut_patch(first, sighting), sighting)
    assert found is not None and found.number == 7
    np.testing.assert_allclose(
        found.points - sighting.points, np.broadcast_to([12, -5], (5, 2)), atol=face.size_px / 30
    )
    covered = first.copy()
    covered[:] = (110, 120, 120)
    assert find_patch(covered, cut_patch(first, sighting), sighting) is None
    noise = np.random.default_rng(0).integers(0, 255, first.shape, np.uint8)
    assert find_patch(noise, cut_patch(first, sighting), sighting) is None


def test_a_lost_face_is_followed_for_a_while_and_not_over_a_cut(
    videos: ModuleType, portrait: np.ndarray, swapper: Swapper
) -> None:
    frame = videos.place_portrait(portrait, (320, 240), (140, 120))
    (face,) = swapper.detect(frame)
    trails = Trails()
    seen = [
        len(trails.step(frame, False, [Sighting(0, face.points, face.size_px)] if index == 0 else []))
        for index in range(FILLED_FRAMES + 4)
    ]
    assert seen == [1] * (FILLED_FRAMES + 1) + [0] * 3
    trails.step(frame, False, [Sighting(0, face.points, face.size_px)])
    again = Trails()
    again.restore(json.loads(json.dumps(trails.state())))
    assert len(again.step(frame, False, [])) == 1
    assert trails.step(frame, True, []) == []
    assert face_at(face.points).points.shape == (5, 2)
