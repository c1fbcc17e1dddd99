"""A video on a Ray cluster: frame for frame what one machine makes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest

YELLOW = (235, 190, 40)
VIDEO = ("video", "a.png", "in.mkv", "--consent", "All agreed.", "--output-video-encoder", "ffv1")


def read_video(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


@pytest.fixture
def video(tmp_path: Path, folder: Path, faces_picture: Callable[..., np.ndarray]) -> Path:
    """Forty frames of two faces that move."""
    with av.open(str(tmp_path / "in.mkv"), "w") as container:
        stream = container.add_stream("ffv1", rate=25)
        stream.width, stream.height, stream.pix_fmt = 400, 300, "bgr0"
        for index in range(40):
            faces = {(80 + 2 * index, 150): YELLOW, (300, 120 + index): (220, 140, 90)}
            frame = av.VideoFrame.from_ndarray(faces_picture(faces), format="rgb24")
            container.mux(stream.encode(frame.reformat(format="bgr0")))
        container.mux(stream.encode(None))
    return tmp_path / "in.mkv"


@pytest.mark.slow
def test_frames_are_those_of_one_machine_though_a_worker_dies(
    run: Callable, cluster: str, video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from facechange.scale import SharedSwapper

    taken: list[int] = []
    collect = SharedSwapper._collect

    def count(self: SharedSwapper) -> None:
        collect(self)
        taken.append(self.by_workers)

    monkeypatch.setattr(SharedSwapper, "_collect", count)
    code, out, err = run(*VIDEO, "-o", "one.mkv")
    assert code == 0 and "40 of 40 frames changed" in out, err
    code, out, err = run(*VIDEO, "-o", "many.mkv", "--ray", cluster)
    assert code == 0 and "40 of 40 frames changed" in out, err
    one, many = read_video(tmp_path / "one.mkv"), read_video(tmp_path / "many.mkv")
    assert len(one) == len(many) == 40
    assert all(np.array_equal(*frames) for frames in zip(one, many, strict=True))
    assert taken and taken[-1] > 0, "workers were to change crops"


class Workers:
    """A pool whose workers answer when they are waited for, the last call first."""

    size = 2

    def __init__(self, swapper: object) -> None:
        self._swapper, self._calls = swapper, []

    @property
    def has_room(self) -> bool:
        return len(self._calls) < 4

    def give(self, key: bytes, method: str, crops: np.ndarray, identity: np.ndarray, baked: bool) -> None:
        self._calls.append((key, crops, identity, baked))

    def wait(self) -> list:
        key, crops, identity, baked = self._calls.pop()
        if len(self._calls) == 2:
            return [(key, RuntimeError("lost"))]
        return [(key, self._swapper.change_crops(crops, self._swapper.bake(identity) if baked else identity))]


def test_what_comes_back_in_another_order_or_not_at_all_changes_no_frame(
    toy_swapper: object, video: Path, tmp_path: Path
) -> None:
    from facechange.consent import load_context
    from facechange.scale import SharedSwapper
    from facechange.swap.assignment import assign_sources
    from facechange.swap.video import VideoOptions, change_video, request_video_change

    source, options = tmp_path / "a.png", VideoOptions(encoder="ffv1")
    shared = SharedSwapper(toy_swapper, Workers(toy_swapper))
    for name, swapper in (("one.mkv", toy_swapper), ("many.mkv", shared)):
        grant = request_video_change(load_context(), [source], video, tmp_path / name, "All agreed.")
        change_video(swapper, assign_sources(swapper, [source]), video, tmp_path / name, grant=grant, options=options)
    assert shared.by_workers > 5
    one, many = read_video(tmp_path / "one.mkv"), read_video(tmp_path / "many.mkv")
    assert len(one) == 40 and all(np.array_equal(*frames) for frames in zip(one, many, strict=True))
