"""`facechange batch` through the command line, with the toy networks."""

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

import facechange.swap
from facechange.swap import Swapper

ORANGE, YELLOW = (230, 110, 60), (235, 190, 40)
BATCH = ("batch", "a.png", "in", "-o", "out", "--consent", "All agreed.")


@pytest.fixture(autouse=True)
def folder(
    toy_swapper: Swapper, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, faces_picture: Callable[..., np.ndarray]
) -> None:
    """The toy networks, and in `tmp_path` a folder `in` with a face and none."""
    (tmp_path / "in").mkdir()
    Image.fromarray(faces_picture({(200, 150): ORANGE}, height=160)).save(tmp_path / "a.png")
    Image.fromarray(faces_picture({(80, 150): YELLOW})).save(tmp_path / "in" / "b.png")
    Image.fromarray(faces_picture({})).save(tmp_path / "in" / "empty.png")
    monkeypatch.setattr(facechange.swap, "load_swapper", lambda *_, **__: toy_swapper)


def test_a_folder_is_changed_and_then_there_is_nothing_left(
    run: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, out, err = run(*BATCH)
    assert (code, err) == (0, "")
    assert out.startswith("out: 1 changed, 1 without such a face, 0 failed in ")
    assert out.endswith("facechange-batch.html shows them\n") and out.count("\n") == 1
    monkeypatch.setattr(facechange.swap, "load_swapper", lambda *_, **__: pytest.fail("no model is needed"))
    code, out, _ = run(*BATCH)
    assert code == 0
    assert "1 changed, 1 without such a face, 0 failed (2 of them before)" in out


def test_what_failed_is_named_and_the_exit_code_says_so(run: Callable, tmp_path: Path) -> None:
    (tmp_path / "in" / "zero.jpg").touch()
    (tmp_path / "in" / "raw.cr2").write_bytes(bytes(99))
    code, out, err = run(*BATCH)
    assert code == 1
    assert "1 changed, 1 without such a face, 2 failed" in out
    assert [line.split(":")[0] for line in err.splitlines()] == ["raw.cr2", "zero.jpg"]
    assert len(json.loads((tmp_path / "out" / "facechange-batch.json").read_text())["files"]) == 4


def test_what_of_a_file_is_left_out_is_said(
    run: Callable, tmp_path: Path, faces_picture: Callable[..., np.ndarray]
) -> None:
    pages = [Image.fromarray(faces_picture({(150, 150): YELLOW}, (300, 300), 160)) for _ in range(2)]
    pages[0].save(tmp_path / "in" / "pages.tiff", save_all=True, append_images=pages[1:])
    for _ in range(2):
        code, _, err = run(*BATCH)
        assert (code, err) == (0, "pages.tiff: further pictures left out.\n")
    assert "further pictures left out" in (tmp_path / "out" / "facechange-batch.html").read_text()
    code, _, err = run("swap", "a.png", "in/pages.tiff", "-o", "out.tiff", "--consent", "All agreed.")
    assert (code, err) == (0, "Taken away: further pictures.\n")


def test_what_a_video_does_not_go_on_with_is_said(
    run: Callable, tmp_path: Path, faces_picture: Callable[..., np.ndarray]
) -> None:
    with av.open(str(tmp_path / "in" / "two.mkv"), "w") as container:
        streams = [container.add_stream("ffv1", rate=25) for _ in range(2)]
        for stream in streams:
            stream.width, stream.height, stream.pix_fmt = 400, 300, "bgr0"
        for stream in streams:
            frame = av.VideoFrame.from_ndarray(faces_picture({(200, 150): YELLOW}), format="rgb24")
            container.mux(stream.encode(frame.reformat(format="bgr0")))
        for stream in streams:
            container.mux(stream.encode(None))
    code, _, err = run(*BATCH)
    assert code == 0 and "two.mkv: further video tracks left out." in err


def test_animations_stay_animations(run: Callable, tmp_path: Path, faces_picture: Callable[..., np.ndarray]) -> None:
    frames = [Image.fromarray(faces_picture({(150 + x, 150): YELLOW}, (300, 300), 160)) for x in (0, 4)]
    names = ("moves.gif", "moves.png", "moves.webp")
    for name in names:
        frames[0].save(tmp_path / "in" / name, save_all=True, append_images=frames[1:], duration=[100, 700])
    code, out, err = run(*BATCH)
    assert code == 0 and "4 changed" in out, err
    for name in names:
        with Image.open(tmp_path / "out" / name) as image:
            assert getattr(image, "n_frames", 1) == 2, name


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("a.png", "in", "-o", "out"), 6, "agreed"),
        (("empty.png", "in", "-o", "out", "--consent", "All agreed."), 3, "empty.png"),
        (("a.png", "nowhere", "-o", "out", "--consent", "All agreed."), 3, "nowhere"),
        (("a.png", "in", "-o", "in", "--consent", "All agreed."), 5, "folder to read"),
        (("a.png", "in", "-o", "out", "--output-pattern", "same.png", "--consent", "All agreed."), 5, "{index}"),
        (("in/empty.png", "in", "-o", "out", "--consent", "All agreed."), 4, "empty.png"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    run: Callable, tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    stopped, out, err = run("batch", *arguments)
    assert (stopped, out) == (code, "")
    assert words in err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_killed_at_random_moments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGKILL gives no chance to tidy up; in the end every picture is that of a run that nothing disturbed, and nothing
    else is left."""
    examples = Path(facechange.__file__).parent.parent / "examples"
    (tmp_path / "faces").mkdir()
    for number in range(6):
        Image.open(examples / "target.jpg").resize((300 + number, 300)).save(
            tmp_path / "faces" / f"{number}.{('png', 'jpg')[number % 2]}"
        )
    program = (
        "import importlib; importlib.import_module('facechange.provenance.publish').new_identifier = lambda folder: 12345\n"
        "from facechange.cli.app import main; main()\n"
    )
    for name, folder in (("TMPDIR", "tmp"), ("FACECHANGE_HOME", "home")):
        (tmp_path / folder).mkdir()
        monkeypatch.setenv(name, str(tmp_path / folder))

    def start(output: Path) -> subprocess.Popen[bytes]:
        words = (
            "batch",
            examples / "source.jpg",
            tmp_path / "faces",
            "-o",
            output,
            "--threads",
            "1",
            "--consent",
            "Nobody here exists.",
        )
        return subprocess.Popen([sys.executable, "-c", program, *map(str, words)], stdout=subprocess.DEVNULL)

    def wait_until_it_works(process: subprocess.Popen[bytes], output: Path) -> float:
        while process.poll() is None and not (output / "facechange-batch.json").exists():
            time.sleep(0.005)
        return time.monotonic()

    process = start(tmp_path / "straight")
    began = wait_until_it_works(process, tmp_path / "straight")
    assert process.wait() == 0
    lasts_s, draw, kills = time.monotonic() - began, random.Random(0), 0
    results = [tmp_path / "killed-0"]
    while kills < 3:
        process = start(results[-1])
        wait_until_it_works(process, results[-1])
        time.sleep(draw.uniform(0.2, 0.8) * lasts_s)
        process.kill()
        if process.wait() == 0:
            results.append(tmp_path / f"killed-{len(results)}")
        else:
            kills += 1
    assert start(results[-1]).wait() == 0
    for result in results:
        names = sorted(path.name for path in (tmp_path / "straight").iterdir())
        assert sorted(path.name for path in result.iterdir()) == names
        for name in names[:6]:
            before, after = (np.asarray(Image.open(folder / name)) for folder in (tmp_path / "straight", result))
            np.testing.assert_array_equal(after, before)
    assert not list(tmp_path.rglob("*.part")) and not list((tmp_path / "tmp").iterdir())
