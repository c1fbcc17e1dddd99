"""A folder with the toy networks: what is found, named, changed, skipped and reported."""

import itertools
import json
import os
import re
import shutil
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import cv2
import numpy as np
import pytest
from PIL import Image

from facechange.consent import load_context, require_grant
from facechange.consent.record import Digests
from facechange.core import FaceError, OutputError, PictureError, StoppedError
from facechange.provenance import read_statement
from facechange.swap import Swapper, assign_sources
from facechange.swap.assignment import describe_sources
from facechange.swap.batch import (
    ChangeOptions,
    Done,
    Entry,
    FolderRun,
    change_work,
    describe_changes,
    journal,
    open_folder,
)
from facechange.swap.batch.find_files import Target, find_targets
from facechange.swap.batch.journal import REPORT_NAME
from facechange.swap.batch.page import PAGE_NAME, draw_page

ORANGE, YELLOW = (230, 110, 60), (235, 190, 40)
CONSENT = "Everyone in the folder agreed."
OPTIONS = ChangeOptions()


@pytest.fixture
def source(tmp_path: Path, faces_picture: Callable[..., np.ndarray]) -> Path:
    path = tmp_path / "ann.png"
    Image.fromarray(faces_picture({(200, 150): ORANGE}, height=160)).save(path)
    return path


@pytest.fixture
def folder(tmp_path: Path, faces_picture: Callable[..., np.ndarray]) -> Path:
    """Three pictures with faces, one without, one that is none, and things that are not meant."""
    folder = tmp_path / "in"
    (folder / "deep" / ".hidden").mkdir(parents=True)
    two = Image.fromarray(faces_picture({(80, 150): YELLOW, (300, 150): YELLOW}))
    for name in ("b.jpg", "deep/a.png", "deep/scan.bmp", ".thumb.jpg", "deep/.hidden/c.png"):
        two.save(folder / name)
    Image.fromarray(faces_picture({})).save(folder / "nobody.png")
    (folder / "broken.jpg").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("hello")
    return folder


def begin(swapper: Swapper, folder: Path, output: Path, source: Path, **options: object) -> tuple[FolderRun, Callable]:
    who = describe_sources(Digests(), [source])
    request = describe_changes(Digests(), who, swapper.card, OPTIONS, CONSENT, "")
    run = open_folder(folder, output, request, sources=[source], **options)
    grant = require_grant(load_context(), CONSENT, [source], run.targets)
    return run, change_work(swapper, assign_sources(swapper, [source]), grant, OPTIONS)


def test_a_dangling_link_is_one_file_that_failed(
    toy_swapper: Swapper, folder: Path, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "gone.jpg").symlink_to("nowhere.jpg")
    clock = itertools.count(0.0, 10.0)
    monkeypatch.setattr(journal.time, "monotonic", lambda: next(clock))  # so that the report is written at every chance
    run, work = begin(toy_swapper, folder, tmp_path / "new" / "out", source)
    counts = run.change(work)
    assert (counts.done, counts.failed) == (3, 2)
    assert states(tmp_path / "new" / "out")["gone.jpg"] == "failed"


def states(output: Path) -> dict[str, str]:
    return {entry["target"]: entry["state"] for entry in json.loads((output / REPORT_NAME).read_text())["files"]}


def test_every_file_is_tried_mirrored_and_reported(
    toy_swapper: Swapper, folder: Path, source: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    seen = []
    run, work = begin(toy_swapper, folder, output, source)
    counts = run.change(work, lambda done, total: seen.append((done, total)))
    assert (counts.done, counts.faceless, counts.failed, counts.skipped) == (3, 1, 1, 0)
    assert seen == [(number, 5) for number in range(6)]
    files = {path.relative_to(output).as_posix() for path in output.rglob("*") if path.is_file()}
    assert files == {"b.jpg", "deep/a.png", "deep/scan.bmp.png", REPORT_NAME, PAGE_NAME}
    expected = {
        "b.jpg": "done",
        "deep/a.png": "done",
        "deep/scan.bmp": "done",
        "nobody.png": "faceless",
        "broken.jpg": "failed",
    }
    assert states(output) == expected
    assert [entry.target for entry in run.failures] == ["broken.jpg"]
    for name in ("b.jpg", "deep/a.png", "deep/scan.bmp.png"):
        assert read_statement(output / name)["consent"] == CONSENT
        target = folder / name.removesuffix(".png") if "scan" in name else folder / name
        changed = np.asarray(Image.open(output / name)).astype(int) - np.asarray(Image.open(target).convert("RGB"))
        assert all(np.abs(changed[110:190, left : left + 80]).mean() > 10 for left in (40, 260))
    faces = {
        entry["faces"] for entry in json.loads((output / REPORT_NAME).read_text())["files"] if entry["state"] == "done"
    }
    assert faces == {2}


def test_a_rerun_does_only_what_is_new_touched_failed_or_lost(
    toy_swapper: Swapper, folder: Path, source: Path, tmp_path: Path, faces_picture: Callable[..., np.ndarray]
) -> None:
    output = tmp_path / "out"
    run, work = begin(toy_swapper, folder, output, source)
    run.change(work)
    again, _ = begin(toy_swapper, folder, output, source)
    assert [job.target.name for job in again.jobs] == ["broken.jpg"]
    assert again.skipped == 4
    Image.fromarray(faces_picture({(80, 150): ORANGE})).save(folder / "b.jpg")
    shutil.copy(folder / "deep/a.png", folder / "new.png")
    (output / "deep/scan.bmp.png").unlink()
    (folder / "nobody.png").unlink()
    again, work = begin(toy_swapper, folder, output, source)
    assert [job.target.name for job in again.jobs] == ["b.jpg", "broken.jpg", "deep/scan.bmp", "new.png"]
    counts = again.change(work)
    assert (counts.done, counts.faceless, counts.failed, counts.skipped) == (4, 0, 1, 1)
    assert "nobody.png" not in states(output)
    other = open_folder(
        folder,
        output,
        describe_changes(
            Digests(), describe_sources(Digests(), [source]), toy_swapper.card, ChangeOptions(strength=0.5), CONSENT, ""
        ),
        sources=[source],
    )
    assert len(other.jobs) == 5
    (output / REPORT_NAME).write_text('{"files": 3')
    assert len(begin(toy_swapper, folder, output, source)[0].jobs) == 5


@pytest.mark.parametrize("stop", [KeyboardInterrupt(), StoppedError("Stopped. 96 frames are kept.")])
def test_ctrl_c_stops_cleanly_and_a_rerun_goes_on(
    toy_swapper: Swapper, folder: Path, source: Path, tmp_path: Path, stop: BaseException
) -> None:
    output = tmp_path / "out"
    run, work = begin(toy_swapper, folder, output, source, pattern="{index:03d}-{source_name}-{target_name}.png")

    def interrupted(target: Target, place: Path) -> Done:
        if target.name == "deep/a.png":
            raise stop
        return work(target, place)

    with pytest.raises(StoppedError, match="Stopped after 2 of 5 files"):
        run.change(interrupted)
    assert states(output) == {"b.jpg": "done", "broken.jpg": "failed"}
    run, work = begin(toy_swapper, folder, output, source, pattern="{index:03d}-{source_name}-{target_name}.png")
    assert [job.output.name for job in run.jobs] == [
        "002-ann-broken.png",
        "003-ann-a.png",
        "004-ann-scan.png",
        "005-ann-nobody.png",
    ]
    assert run.change(work).done == 3
    assert {path.name for path in output.rglob("*.png")} == {"001-ann-b.png", "003-ann-a.png", "004-ann-scan.png"}


@pytest.mark.parametrize(
    "error",
    [
        ZeroDivisionError("x"),
        MemoryError(),
        cv2.error("(-4:Insufficient memory)"),
        OSError("disk"),
        FaceError("none"),
        OutputError("full"),
    ],
)
def test_nothing_that_goes_wrong_with_one_file_stops_the_others(folder: Path, tmp_path: Path, error: Exception) -> None:
    def work(target: Target, place: Path) -> Done:
        if target.name == "b.jpg":
            raise error
        return Done(faces=1)

    run = open_folder(folder, tmp_path / "out", {})
    counts = run.change(work)
    assert (counts.done, counts.faceless + counts.failed) == (4, 1)
    assert states(tmp_path / "out")["b.jpg"] == ("faceless" if isinstance(error, FaceError) else "failed")
    told = json.loads((tmp_path / "out" / REPORT_NAME).read_text())["files"][0]["message"]
    assert ("bug" in told, "memory" in told) == (isinstance(error, ZeroDivisionError), "emory" in f"{error!r}")


def test_an_output_folder_inside_the_input_is_not_read(toy_swapper: Swapper, folder: Path, source: Path) -> None:
    output = folder / "deep" / "out"
    run, work = begin(toy_swapper, folder, output, source)
    run.change(work)
    assert len(list(output.rglob("*.png"))) == 2
    assert len(find_targets(folder, output).targets) == 5


def test_originals_are_never_overwritten(folder: Path, source: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="folder to read"):
        open_folder(folder, folder / "deep" / "..", {})
    (folder / "in").mkdir()
    shutil.copy(folder / "b.jpg", folder / "in")
    with pytest.raises(OutputError, match=r"b\.jpg is one of the files to read"):
        open_folder(folder, tmp_path, {})  # in/in/b.jpg would become in/b.jpg
    shutil.rmtree(folder / "in")
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "b.jpg").symlink_to(folder / "b.jpg")
    with pytest.raises(OutputError, match="one of the files to read"):
        open_folder(folder, tmp_path / "links", {})
    shutil.copy(source, folder / "ann.png")
    with pytest.raises(OutputError, match=r"ann\.png is one of the files"):
        open_folder(folder, tmp_path, {}, sources=[source])


def test_names_that_collide_are_refused_before_any_work(folder: Path, tmp_path: Path) -> None:
    shutil.copy(folder / "b.jpg", folder / "b.png")
    with pytest.raises(OutputError, match=r"b\.jpg and b\.png would both be b\.webp"):
        open_folder(folder, tmp_path / "out", {}, pattern="{target_name}.webp")
    names = [
        job.output.name for job in open_folder(folder, tmp_path / "out", {}, pattern="{target_name}-{index}.webp").jobs
    ]
    assert len(set(names)) == 6
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "pattern",
    [
        "{name}.png",
        "{target_name",
        "{}.png",
        "{index.real}.png",
        "{index:q}.png",
        "a/{target_name}.png",
        "{target_name}",
        "..",
        "",
    ],
)
def test_patterns_that_make_no_name_are_refused(folder: Path, tmp_path: Path, pattern: str) -> None:
    with pytest.raises(OutputError, match="pattern"):
        open_folder(folder, tmp_path / "out", {}, pattern=pattern)


def test_links_and_files_that_cannot_be_read(folder: Path, tmp_path: Path) -> None:
    (folder / "circle").symlink_to(folder)
    (folder / "link.jpg").symlink_to(folder / "b.jpg")
    (folder / "lost.jpg").symlink_to(tmp_path / "nothing.jpg")
    os.mkfifo(folder / "pipe.jpg")
    found = find_targets(folder, tmp_path / "out")
    assert [target.name for target in found.targets] == [
        "b.jpg",
        "broken.jpg",
        "deep/a.png",
        "deep/scan.bmp",
        "link.jpg",
        "nobody.png",
    ]
    assert list(found.unreadable) == ["lost.jpg"]
    counts = open_folder(folder, tmp_path / "out", {}).change(lambda target, output: Done(faces=1))
    assert (counts.done, counts.failed) == (6, 1)


def test_a_folder_without_pictures_or_a_place_to_write_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for wrong in (tmp_path / "empty", tmp_path / "missing", folder / "b.jpg"):
        with pytest.raises(PictureError):
            open_folder(wrong, tmp_path / "out", {})
    (tmp_path / "file").touch()
    for output in (tmp_path / "file", tmp_path / "file" / "deeper"):
        with pytest.raises(OutputError):
            open_folder(folder, output, {})


def test_animations_go_to_the_video_side(folder: Path, tmp_path: Path) -> None:
    frames = [Image.new("RGB", (32, 32), (shade, 0, 0)) for shade in (0, 200)]
    frames[0].save(folder / "moving.webp", save_all=True, append_images=frames[1:])
    frames[0].save(folder / "moving.gif", save_all=True, append_images=frames[1:])
    frames[0].save(folder / "still.gif")
    frames[0].save(folder / "moving.png", save_all=True, append_images=frames[1:])
    frames[0].save(folder / "called.jpg", "GIF", save_all=True, append_images=frames[1:])
    frames[0].save(folder / "moving.avif", save_all=True, append_images=frames[1:])
    frames[0].save(folder / "pages.tiff", save_all=True, append_images=frames[1:])
    (folder / "clip.avi").write_bytes(b"RIFF\0\0\0\0AVI " + bytes(64))
    run = open_folder(folder, tmp_path / "out", {})
    names = {job.target.name: (job.target.moving, job.output.name) for job in run.jobs}
    assert names["moving.gif"] == (True, "moving.gif") and names["moving.webp"] == (True, "moving.webp")
    assert names["moving.png"] == (True, "moving.png") and names["called.jpg"] == (True, "called.jpg.mkv")
    assert names["moving.avif"] == (True, "moving.avif.mkv") and names["pages.tiff"] == (False, "pages.tiff")
    assert names["still.gif"] == (False, "still.gif.png") and names["clip.avi"] == (True, "clip.avi.mkv")


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value for name, value in attrs if name in ("src", "href") and value]


def test_the_page_escapes_names_and_links_to_what_is_there(tmp_path: Path) -> None:
    folder, output = tmp_path / "in<b>", tmp_path / "out"
    name = "<script>alert('1')</script> & \"50%\" ä#?.jpg".replace("/", "_")
    entries = [
        Entry(name, name, 1, "done", faces=2, covered=1),
        Entry("a.jpg", "a.jpg", 2, "failed", message="<img src=x onerror=alert(1)>"),
        Entry("b.tiff", "b.tiff", 3, "faceless", message="No face."),
    ]
    page = draw_page(entries, folder, output)
    assert page.count("1 covered, because") == 1
    parser = _Links()
    parser.feed(page)
    assert "script" not in parser.tags and parser.tags.count("img") == 3
    assert not re.search(r"https?:", page)
    places = {(output / unquote(link)).resolve() for link in parser.links}
    assert places == {folder / name, output / name, folder / "a.jpg", folder / "b.tiff"}
