"""Several people in one video, each somebody else's source, with the toy networks."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

from facechange.consent import load_context
from facechange.core import StoppedError
from facechange.faces.select import FaceSelector
from facechange.swap import PersonaAssignment, Swapper
from facechange.swap.people import People, parse_map
from facechange.swap.video import VideoOptions, change_video, files, publish_preview, request_video_change

ORANGE, PINK = (230, 110, 60), (230, 60, 140)  # those in the video
RED, BROWN = (230, 30, 30), (120, 60, 20)  # the sources
FRAMES = 12  # a shot
Draw = Callable[..., np.ndarray]


@pytest.fixture(autouse=True)
def clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, videos: ModuleType, faces_picture: Draw) -> Path:
    """Two shots: orange to the left of pink, and on another ground to the right of her."""
    monkeypatch.chdir(tmp_path)
    for name, colour in {"ann": RED, "ben": BROWN, "orange": ORANGE, "pink": PINK}.items():
        Image.fromarray(faces_picture({(200, 150): colour}, height=160)).save(f"{name}.png")
    first = [faces_picture({(100 + index, 150): ORANGE, (300, 150 + index): PINK}) for index in range(FRAMES)]
    second = [faces_picture({(100 + index, 150): PINK, (300, 150): ORANGE}) for index in range(FRAMES)]
    for frame in second:
        ground = (frame == faces_picture({})).all(-1)
        ground[:, :200] &= np.arange(200) % 40 < 20
        frame[ground] = (10, 30, 60)
    return videos.write_video(tmp_path / "clip.mkv", first + second, codec="ffv1", pixel_format="bgr0")


def change(swapper: Swapper, people: People, output: str = "out.mkv") -> files.PublishedVideo:
    grant = request_video_change(load_context(), people.files, Path("clip.mkv"), Path(output), "All of them agreed.")
    lossless = VideoOptions(face=people.selection, encoder="ffv1")
    return change_video(swapper, people.assign(swapper), Path("clip.mkv"), Path(output), grant=grant, options=lossless)


def colours(swapper: Swapper, frame: np.ndarray) -> list[str]:
    """Who is where in a frame, left to right."""
    known = {name: swapper.identify(Path(f"{name}.png")) for name in ("ann", "ben", "orange", "pink")}
    found = [swapper.identify(frame, face=face) for face in swapper.select(frame) if face.size_px > 60]
    return [max(known, key=lambda name: float(known[name] @ identity)) for identity in found]


def test_each_person_keeps_their_source_over_a_cut(toy_swapper: Swapper, videos: ModuleType) -> None:
    done = change(toy_swapper, parse_map(["ann.png=like:pink.png", "ben.png=like:orange.png"]))
    assert (done.frames, done.changed, done.unmet) == (2 * FRAMES, 2 * FRAMES, [])
    frames = videos.read_video(Path("out.mkv"))[1]
    assert [colours(toy_swapper, frame) for frame in frames[2 : FRAMES - 2]] == [["ben", "ann"]] * (FRAMES - 4)
    assert [colours(toy_swapper, frame) for frame in frames[FRAMES + 2 : -2]] == [["ann", "ben"]] * (FRAMES - 4)


def test_places_are_resolved_in_each_shot_and_who_never_comes_is_told(toy_swapper: Swapper, videos: ModuleType) -> None:
    done = change(toy_swapper, parse_map(["ann.png=left", "ben.png=3"]))
    assert done.unmet == ["3"]
    frames = videos.read_video(Path("out.mkv"))[1]
    assert colours(toy_swapper, frames[5]) == ["ann", "pink"]
    assert colours(toy_swapper, frames[FRAMES + 5]) == ["ann", "orange"]


def test_a_face_that_two_rules_name_is_nobody_s(toy_swapper: Swapper, videos: ModuleType) -> None:
    done = change(toy_swapper, parse_map(["ann.png=left", "ben.png=1", "orange.png=right"]))
    assert done.unmet == ["left", "1"]
    assert colours(toy_swapper, videos.read_video(Path("out.mkv"))[1][5]) == ["orange", "orange"]


def test_the_same_map_goes_on_and_another_one_begins_anew(
    toy_swapper: Swapper, videos: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = ["ann.png=like:pink.png", "ben.png=left"]
    monkeypatch.setattr(files, "SEGMENT_FRAMES", 8)
    monkeypatch.setattr(files, "new_identifier", lambda home: 5)  # of the watermark
    change(toy_swapper, parse_map(rules), "whole.mkv")

    def stop(done: int, total: int) -> None:
        if done == 18:
            raise KeyboardInterrupt

    def begin(rules: list[str], report: files.Report) -> files.PublishedVideo:
        people = parse_map(rules)
        grant = request_video_change(
            load_context(), people.files, Path("clip.mkv"), Path("out.mkv"), "All of them agreed."
        )
        options = VideoOptions(face=people.selection, encoder="ffv1")
        return change_video(
            toy_swapper,
            people.assign(toy_swapper),
            Path("clip.mkv"),
            Path("out.mkv"),
            grant=grant,
            options=options,
            report=report,
        )

    with pytest.raises(StoppedError, match="16 frames"):
        begin(rules, stop)
    done = begin(rules, lambda done, total: None)
    assert (done.resumed_at, done.unmet) == (16, [])
    for resumed, whole in zip(*(videos.read_video(Path(name))[1] for name in ("out.mkv", "whole.mkv")), strict=True):
        np.testing.assert_array_equal(resumed, whole)
    with pytest.raises(StoppedError):
        begin(rules, stop)
    assert begin([rules[0], "ann.png=left"], lambda done, total: None).resumed_at == 0


def test_everybody_but_one_person_is_hidden_in_every_shot(toy_swapper: Swapper, videos: ModuleType) -> None:
    grant = request_video_change(
        load_context(), [], Path("clip.mkv"), Path("out.mkv"), "They are hidden.", persona=True
    )
    options = VideoOptions(face=FaceSelector.parse("like:pink.png", all_but=True), encoder="ffv1")
    done = change_video(
        toy_swapper, PersonaAssignment(1), Path("clip.mkv"), Path("out.mkv"), grant=grant, options=options
    )
    assert (done.changed, done.unmet) == (2 * FRAMES, [])
    before, after = (videos.read_video(Path(name))[1] for name in ("clip.mkv", "out.mkv"))
    for index in (0, 5, FRAMES - 1, FRAMES, FRAMES + 5, 2 * FRAMES - 1):
        left, right = (
            np.array_equal(before[index][:, part], after[index][:, part]) for part in (slice(0, 200), slice(200, 400))
        )
        assert (left, right) == ((False, True) if index < FRAMES else (True, False))


def test_a_preview_shows_each_with_their_own(toy_swapper: Swapper) -> None:
    people = parse_map(["ann.png=left", "ben.png=right"])
    grant = request_video_change(load_context(), people.files, Path("clip.mkv"), Path("out.mkv"), "All of them agreed.")
    options = VideoOptions(face=people.selection)
    sheet = publish_preview(
        toy_swapper, people.assign(toy_swapper), Path("clip.mkv"), Path("out.mkv"), 1, grant=grant, options=options
    )
    after = np.asarray(Image.open(sheet).convert("RGB"))[8 + 360 :]
    assert colours(toy_swapper, after) == ["ann", "ben"]
