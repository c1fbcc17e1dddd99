"""A folder of a photograph, a video and an animation with the networks that ship."""

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

import facechange
from facechange.consent import load_context, require_grant
from facechange.consent.record import Digests
from facechange.core import PictureError
from facechange.faces.select import FaceSelector
from facechange.swap import assign_sources
from facechange.swap.assignment import describe_sources
from facechange.swap.batch import ChangeOptions, change_work, describe_changes, open_folder
from facechange.swap.batch.names import VIDEO_SUFFIXES
from facechange.swap.video import encode

EXAMPLES = Path(facechange.__file__).parent.parent / "examples"
SOURCE = EXAMPLES / "source.jpg"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    (folder / "videos").mkdir(parents=True)
    portrait = Image.open(EXAMPLES / "target.jpg").convert("RGB").resize((192, 192), Image.Resampling.LANCZOS)
    portrait.save(folder / "photo.webp")
    Image.new("RGB", (64, 64), "grey").save(
        folder / "empty.gif", save_all=True, append_images=[Image.new("RGB", (64, 64), "blue")]
    )
    for name, shown in (("clip.mp4", portrait), ("wall.mp4", Image.new("RGB", (192, 192), "grey"))):
        with av.open(str(folder / "videos" / name), "w") as container:
            stream = container.add_stream("libx264", rate=25, options={"crf": "12"})
            stream.width, stream.height, stream.pix_fmt = 192, 192, "yuv420p"
            for _ in range(6):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(np.asarray(shown), format="rgb24")))
            container.mux(stream.encode(None))
    (folder / "videos" / "cut.mp4").write_bytes((folder / "videos" / "clip.mp4").read_bytes()[:600])
    return folder


def test_photographs_and_videos_are_changed_alike(folder: Path, tmp_path: Path) -> None:
    swapper, options, output = (
        facechange.load("facechange-256", threads=1),
        ChangeOptions(preset="ultrafast"),
        tmp_path / "out",
    )
    run = open_folder(
        folder,
        output,
        describe_changes(Digests(), describe_sources(Digests(), [SOURCE]), swapper.card, options, "synthetic", ""),
        sources=[SOURCE],
    )
    grant = require_grant(load_context(), "synthetic", [SOURCE], run.targets)
    counts = run.change(change_work(swapper, assign_sources(swapper, [SOURCE]), grant, options))
    assert [(entry.target, entry.state) for entry in run.failures] == [("videos/cut.mp4", "failed")]
    assert (counts.done, counts.faceless) == (2, 2)
    before = np.asarray(Image.open(folder / "photo.webp"))
    photograph = np.asarray(Image.open(output / "photo.webp"))
    with av.open(str(output / "videos" / "clip.mp4")) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == 6
    middle = slice(70, 130), slice(70, 130)
    assert np.abs(photograph[middle].astype(int) - before[middle]).mean() > 4
    assert np.abs(frames[3][middle].astype(int) - photograph[middle]).mean() < 8  # one person, twice
    assert {path.name for path in output.rglob("*") if path.is_file()} == {
        "photo.webp",
        "clip.mp4",
        "facechange-batch.json",
        "facechange-batch.html",
    }


def test_the_pictures_of_the_request_count_by_what_is_in_them(tmp_path: Path) -> None:
    card = facechange.load("facechange-256", threads=1).card
    (tmp_path / "one.jpg").write_bytes(SOURCE.read_bytes())
    both = (SOURCE, tmp_path / "one.jpg")
    same = [
        describe_changes(Digests(), describe_sources(Digests(), [path]), card, ChangeOptions(), "self", "")
        for path in both
    ]
    assert same[0] == same[1]
    liked = ChangeOptions(face=FaceSelector.parse(f"like:{tmp_path / 'one.jpg'}"))
    first = describe_changes(Digests(), describe_sources(Digests(), [SOURCE]), card, liked, "self", "")
    (tmp_path / "one.jpg").write_bytes(b"another")
    assert describe_changes(Digests(), describe_sources(Digests(), [SOURCE]), card, liked, "self", "") != first
    with pytest.raises(PictureError, match="missing"):
        describe_changes(
            Digests(), describe_sources(Digests(), [tmp_path / "missing.jpg"]), card, ChangeOptions(), "self", ""
        )


def test_videos_are_called_what_videos_can_be_written_as() -> None:
    assert set(VIDEO_SUFFIXES) == set(encode.VIDEO_SUFFIXES)
