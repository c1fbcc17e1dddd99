"""Interlaced videos: no combing is left, and the frames and their times stay."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import av
import numpy as np
import pytest
from PIL import Image

from facechange.consent import load_context
from facechange.swap import Swapper, assign_sources
from facechange.swap.video import VideoOptions, change_video, request_video_change
from facechange.swap.video.fields import make_whole
from facechange.swap.video.frames import Window, read_frames
from facechange.swap.video.probe import inspect_video

INTERLACED = {"crf": "6", "preset": "superfast", "x264-params": "tff=1"}
SHIFT_PX = 4  # between the fields of a frame


@pytest.fixture(scope="module")
def combed(
    videos: ModuleType, faces_picture: Callable[..., np.ndarray], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """Twelve frames, each of two moments: a face that moves on, every other row."""
    frames = []
    for index in range(12):
        first, second = (
            faces_picture({(110 + 2 * SHIFT_PX * index + x, 120): (235, 190, 40)}, videos.SIZE, 120)
            for x in (0, SHIFT_PX)
        )
        first[1::2] = second[1::2]
        frames.append(first)
    return videos.write_video(tmp_path_factory.mktemp("combed") / "combed.mp4", frames, options=INTERLACED)


def combing(frame: np.ndarray) -> float:
    """How far the rows around the face's sides depart from their neighbours, in levels."""
    rows = frame[90:150, 60:260].astype(float).mean(-1)
    return float(np.abs(rows[1:-1] * 2 - rows[:-2] - rows[2:]).mean())


def test_an_interlaced_video_is_made_whole_and_counted(
    toy_swapper: Swapper, videos: ModuleType, combed: Path, faces_picture: Callable[..., np.ndarray], tmp_path: Path
) -> None:
    ann, output = tmp_path / "ann.png", tmp_path / "out.mkv"
    Image.fromarray(faces_picture({(200, 150): (230, 110, 60)}, height=160)).save(ann)
    grant = request_video_change(load_context(), [ann], combed, output, "Nobody in these pictures exists.")
    done = change_video(
        toy_swapper,
        assign_sources(toy_swapper, [ann]),
        combed,
        output,
        grant=grant,
        options=VideoOptions(encoder="ffv1"),
    )
    (before_times, before), (after_times, after) = videos.read_video(combed), videos.read_video(output)
    assert (done.frames, done.changed, done.interlaced) == (12, 12, 12) and after_times == before_times
    for old, new in zip(before, after, strict=True):
        assert combing(new) < 0.5 * combing(old), (combing(new), combing(old))
    with av.open(str(output)) as container:
        assert not any(frame.interlaced_frame for frame in container.decode(video=0))


def test_reading_that_goes_on_makes_the_same_frames_whole(combed: Path) -> None:
    probe = inspect_video(combed)
    whole = list(read_frames(combed, probe, probe.pixel_format, Window()))
    assert all(frame.interlaced for frame in whole)
    for done in (1, 5, 11):
        rest = list(
            read_frames(combed, probe, probe.pixel_format, Window(done_frames=done, done_pts=whole[done - 1].pts))
        )
        assert [frame.index for frame in rest] == list(range(done, 12))
        for frame in rest:
            assert np.array_equal(frame.stored.to_ndarray(), whole[frame.index].stored.to_ndarray())


def test_progressive_frames_pass_and_a_new_size_begins_anew(videos: ModuleType, clip: Path, combed: Path) -> None:
    def decode(path: Path) -> list[av.VideoFrame]:
        with av.open(str(path)) as container:
            return list(container.decode(video=0))

    plain, woven = decode(clip)[:2], decode(combed)[:3]
    small = [frame.reformat(width=160, height=120, interpolation="POINT") for frame in decode(combed)[:1]]
    given = [*plain, *woven, plain[0], *small]
    made = list(make_whole((10 * index, 10, frame, False) for index, frame in enumerate(given)))
    assert [decoded[0] for decoded, _ in made] == [0, 10, 20, 30, 40, 50, 60]
    assert [interlaced for _, interlaced in made] == [False, False, True, True, True, False, small[0].interlaced_frame]
    assert [decoded[2].width for decoded, _ in made] == [*[320] * 6, 160]
    for index in (0, 1, 5):
        assert np.array_equal(made[index][0][2].to_ndarray(), given[index].to_ndarray())
