from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

import facechange
from facechange.cli import extras
from facechange.core import load_card
from facechange.runtime import graph_path

SOURCE = Path(facechange.__file__).parent.parent / "examples" / "source.jpg"
CONSENT = ("--consent", "Nobody in these pictures exists.")
QUICK = f"Model: {load_card(graph_path('change').with_suffix('.json')).name} "
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    portrait = np.asarray(Image.open(SOURCE.with_name("target.jpg")).convert("RGB").resize((240, 240)))
    path = tmp_path / "clip.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast", "crf": "12"})
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for index in range(6):
            pixels = np.full((240, 320, 3), 100, np.uint8)
            pixels[:, 20 + 4 * index : 260 + 4 * index] = portrait
            frame = av.VideoFrame.from_ndarray(pixels, format="rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def test_video_says_where_it_is_and_how_much_changed(run: Run, clip: Path) -> None:
    code, out, err = run(
        "video", str(SOURCE), "clip.mp4", "-o", "out.mp4", "--output-video-preset", "ultrafast", "-v", *CONSENT
    )
    assert code == 0, err
    assert out.startswith("out.mp4: 6 of 6 frames changed in ")
    assert QUICK in err
    with av.open("out.mp4") as container:
        assert len(list(container.decode(video=0))) == 6


def test_people_in_a_video_are_anonymised_by_the_quick_model(run: Run, clip: Path) -> None:
    code, out, err = run("anonymize", "clip.mp4", "-o", "out.mp4", "-v")
    assert code == 0, err
    assert "6 of 6 frames changed" in out and QUICK in err


def test_preview_makes_a_sheet_and_no_video(run: Run, clip: Path, tmp_path: Path) -> None:
    code, out, err = run("video", str(SOURCE), "clip.mp4", "-o", "out.mp4", "--preview", "2", *CONSENT)
    assert (code, out) == (0, "out-preview.jpg: before above, after below\n"), err
    with Image.open("out-preview.jpg") as sheet:
        assert sheet.width > sheet.height > 600
    assert not (tmp_path / "out.mp4").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("clip.mp4", "-o", "out.mp4"), 6, "agreed"),
        (("none.mp4", "-o", "out.mp4", *CONSENT), 3, "no video none.mp4"),
        (("clip.mp4", "-o", "out.txt", *CONSENT), 5, "no kind of video"),
        (("clip.mp4", "-o", "clip.mp4", *CONSENT), 5, "to read"),
        (("clip.mp4", "-o", "out.mp4", *CONSENT, "--trim", "later"), 3, "no part of a video"),
        (("clip.mp4", "-o", "out.mp4", *CONSENT, "--trim", "9-3"), 3, "before it begins"),
        (("clip.mp4", "-o", "out.mp4", *CONSENT, "--face", "boss"), 4, "boss"),
        (("clip.mp4", "-o", "out.mp4", *CONSENT, "--output-video-preset", "warp"), 5, "warp"),
        (("clip.mp4", "-o", "out.mp4", *CONSENT, "--output-video-quality", "101"), 2, "quality"),
    ],
)
def test_bad_input_ends_in_a_sentence_and_a_code(
    run: Run, clip: Path, tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    stopped, out, err = run("video", str(SOURCE), *arguments)
    assert (stopped, out) == (code, "")
    assert words in err.lower()
    assert {path.name for path in tmp_path.iterdir()} - {"home"} == {"clip.mp4"}


def test_without_pyav_the_extra_is_named(run: Run, clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    code, _, err = run("video", str(SOURCE), "clip.mp4", "-o", "out.mp4", *CONSENT)
    assert code == 9
    assert 'pip install "facechange[video]"' in err


def test_a_video_without_a_face_is_copied_as_it_is(run: Run, tmp_path: Path) -> None:
    with av.open(str(tmp_path / "empty.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 320, 240, "yuv420p"
        for _ in range(4):
            container.mux(
                stream.encode(av.VideoFrame.from_ndarray(np.full((240, 320, 3), 90, np.uint8), format="rgb24"))
            )
        container.mux(stream.encode(None))
    code, out, err = run("video", str(SOURCE), "empty.mp4", "-o", "same.mp4", *CONSENT)
    assert (code, err) == (0, "")
    assert "no frame has such a face" in out
    assert (tmp_path / "same.mp4").read_bytes() == (tmp_path / "empty.mp4").read_bytes()
    code, _, err = run("video", str(SOURCE), "empty.mp4", "-o", "other.mkv", *CONSENT)
    assert code == 4
    assert "no frame has such a face" in err
    assert not list(tmp_path.glob("other*"))


def test_a_video_without_a_face_is_not_copied_with_pictures_that_nobody_looked_at(run: Run, tmp_path: Path) -> None:
    with av.open(str(tmp_path / "empty.mkv"), "w") as container:
        streams = [container.add_stream("ffv1", rate=25) for _ in range(2)]
        for stream in streams:
            stream.width, stream.height, stream.pix_fmt = 320, 240, "bgr0"
        for stream in streams:
            grey = av.VideoFrame.from_ndarray(np.full((240, 320, 3), 90, np.uint8), format="rgb24")
            container.mux(stream.encode(grey.reformat(format="bgr0")))
        for stream in streams:
            container.mux(stream.encode(None))
    code, out, err = run("anonymize", "empty.mkv", "-o", "same.mkv")
    assert (code, out) == (4, "") and "further video tracks" in err
    assert not list(tmp_path.glob("*same*"))
    assert run("video", str(SOURCE), "empty.mkv", "-o", "same.mkv", *CONSENT)[0] == 0
