"""GIF, WebP and PNG animations: shown as long and as often as the source's, frame for frame."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from facechange.consent import load_context
from facechange.core import OutputError
from facechange.images.icc import nameless_icc
from facechange.provenance.credentials import read_credentials
from facechange.swap import PersonaAssignment, Swapper, assign_sources
from facechange.swap.video import VideoOptions, change_video, request_video_change
from facechange.swap.video.encode import choose_encoder
from facechange.swap.video.frames import Window, read_frames
from facechange.swap.video.journal import Entry, Journal, Progress
from facechange.swap.video.mux import Join
from facechange.swap.video.pictures_out import write_animation
from facechange.swap.video.probe import inspect_video
from facechange.swap.video.segments import SegmentWriter

DURATIONS_MS = [40, 500, 1700]


def draw_animation(path: Path, mode: str = "RGB", **options: object) -> Path:
    """Three frames of `DURATIONS_MS` in which a square moves."""
    pixels = np.random.default_rng(0).integers(0, 255, (3, 40, 60, 3), np.uint8) // 4 + 60
    for index, frame in enumerate(pixels):
        frame[10:25, 5 + 10 * index : 20 + 10 * index] = (230, 120, 40)
    frames = [Image.fromarray(frame).convert(mode) for frame in pixels]
    if mode == "RGBA":
        for frame in frames:
            frame.putalpha(Image.new("L", frame.size, 255))
            frame.paste((0, 0, 0, 0), (0, 0, 8, 40))
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=DURATIONS_MS, **options)
    return path


def rewrite(source: Path, output: Path, trim: Window | None = None) -> Path:
    """What becomes of an animation in which nothing is changed."""
    probe = inspect_video(source)
    settings, window = choose_encoder(probe, output, None, 80, "ultrafast"), trim or Window()
    with Journal(output.parent / f".{output.name}", {}, {}, output.parent) as journal:
        writer = SegmentWriter(journal.folder, 0, settings, probe)
        for frame in read_frames(source, probe, settings.pixel_format, window):
            writer.write(frame)
        journal.add(Entry(writer.finish(), Progress(), None))
        write_animation(Join(source, probe, settings, window), journal, output)
        journal.discard()
    return output


def read_animation(path: Path) -> tuple[list[float], object, list[np.ndarray]]:
    """Milliseconds of each frame, what the file says of how often they are shown, and the frames [H, W, 4]."""
    with Image.open(path) as image:
        durations, frames = [], []
        for number in range(image.n_frames):
            image.seek(number)
            frames.append(np.asarray(image.convert("RGBA")).astype(int))
            durations.append(image.info["duration"])
        return durations, image.info.get("loop"), frames


@pytest.mark.parametrize("name", ["in.gif", "in.webp", "in.png"])
@pytest.mark.parametrize("said", [None, 0, 1, 3])
def test_every_frame_lasts_as_long_and_the_whole_plays_as_often(tmp_path: Path, name: str, said: int | None) -> None:
    source = draw_animation(tmp_path / name, **({} if said is None else {"loop": said}))
    (durations, plays, _), before = (
        read_animation(rewrite(source, tmp_path / name.replace("in", "out"))),
        read_animation(source),
    )
    assert durations == before[0] == DURATIONS_MS
    assert plays == before[1]


@pytest.mark.parametrize(
    ("name", "said", "output", "expected"),
    [
        ("in.gif", None, "out.webp", 1),
        ("in.gif", None, "out.png", 1),
        ("in.webp", 3, "out.gif", 2),
        ("in.webp", 3, "out.apng", 3),
        ("in.png", 1, "out.gif", None),
        ("in.avif", None, "out.webp", 0),
    ],
)
def test_kinds_that_count_otherwise_are_shown_as_often(
    tmp_path: Path, name: str, said: int | None, output: str, expected: int | None
) -> None:
    source = draw_animation(tmp_path / name, **({} if said is None else {"loop": said}))
    assert read_animation(rewrite(source, tmp_path / output))[:2] == (DURATIONS_MS, expected)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "P"])
def test_what_is_not_changed_of_an_animated_png_is_the_same(tmp_path: Path, mode: str) -> None:
    source = draw_animation(tmp_path / "in.png", mode)
    after, before = read_animation(rewrite(source, tmp_path / "out.png")), read_animation(source)
    for old, new in zip(before[2], after[2], strict=True):
        assert (old == new).all()


def test_a_part_lasts_as_long_as_its_frames(tmp_path: Path) -> None:
    source = draw_animation(tmp_path / "in.webp")
    assert read_animation(rewrite(source, tmp_path / "out.webp", Window(end_pts=540)))[0] == DURATIONS_MS[:2]


def test_a_face_in_an_animated_png_is_changed_and_signed(
    toy_swapper: Swapper, faces_picture: Callable[..., np.ndarray], tmp_path: Path
) -> None:
    ann, target, output = tmp_path / "ann.png", tmp_path / "in.png", tmp_path / "out.png"
    Image.fromarray(faces_picture({(200, 150): (230, 110, 60)}, height=160)).save(ann)
    frames = [
        Image.fromarray(faces_picture({(200 + 2 * index, 150): (235, 190, 40)}, height=160)) for index in range(3)
    ]
    frames[0].save(target, save_all=True, append_images=frames[1:], duration=DURATIONS_MS, loop=1)
    grant = request_video_change(load_context(), [ann], target, output, "Nobody in these pictures exists.")
    done = change_video(toy_swapper, assign_sources(toy_swapper, [ann]), target, output, grant=grant)
    (before_ms, before_plays, before), (after_ms, after_plays, after) = read_animation(target), read_animation(output)
    assert (done.changed, after_ms, after_plays) == (3, before_ms, before_plays) == (3, DURATIONS_MS, 1)
    assert all(np.abs(old - new)[130:170, 190:210, :3].mean() > 10 for old, new in zip(before, after, strict=True))
    credentials = read_credentials(output)
    assert credentials is not None and credentials.problems == ("signingCredential.untrusted",)


WIDE = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()  # stands for any: kept to the byte


@pytest.mark.parametrize("name", ["in.webp", "in.png", "in.avif", "%02d.png"])
@pytest.mark.parametrize("output", ["out.webp", "out.png", "%02d-out.png", "out.gif", "out.mkv"])
@pytest.mark.parametrize("hidden", [False, True])
def test_a_colour_profile_goes_on_or_is_said_to_be_lost(
    toy_swapper: Swapper, faces_picture: Callable[..., np.ndarray], tmp_path: Path, name: str, output: str, hidden: bool
) -> None:
    if name.startswith("%") and output == "out.png":
        pytest.skip("numbered pictures do not become one animated .png by a slip")
    ann, target = tmp_path / "ann.png", tmp_path / name
    Image.fromarray(faces_picture({(200, 150): (230, 110, 60)}, height=160)).save(ann)
    frames = [
        Image.fromarray(faces_picture({(200 + 2 * index, 150): (235, 190, 40)}, height=160)) for index in range(2)
    ]
    if name.startswith("%"):
        for number, frame in enumerate(frames, 1):
            frame.save(tmp_path / (name % number), icc_profile=WIDE)
    else:
        frames[0].save(target, save_all=True, append_images=frames[1:], duration=80, icc_profile=WIDE, quality=95)
    assignment = PersonaAssignment(1) if hidden else assign_sources(toy_swapper, [ann])
    words = ([], "They are hidden.", "", True) if hidden else ([ann], "Nobody in these pictures exists.")
    grant = request_video_change(load_context(), words[0], target, tmp_path / output, *words[1:])
    done = change_video(
        toy_swapper, assignment, target, tmp_path / output, grant=grant, options=VideoOptions(preset="ultrafast")
    )
    kept = not output.endswith((".gif", ".mkv"))
    assert ("the colour profile" in done.taken_away) == (not kept)
    if kept:
        made = tmp_path / (output.replace("%02d", "01"))
        with Image.open(made) as image:
            assert image.info["icc_profile"] == (nameless_icc(WIDE) if hidden else WIDE)
            assert (image.n_frames if hasattr(image, "n_frames") else 1) == (1 if "%" in output else 2)
            image.load()
        assert read_credentials(made).problems == ("signingCredential.untrusted",)


def test_a_film_does_not_become_one_png_by_a_slip(source: Path, clip: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"one animated PNG, out\.png"):
        request_video_change(load_context(), [source], clip, tmp_path / "out.png", "synthetic")
