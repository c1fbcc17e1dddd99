import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

import facechange.swap
from facechange.core import ModelError, PictureError
from facechange.provenance import read_statement
from facechange.runtime import CHANGE_NAMES
from facechange.swap import Swapper

ORANGE, YELLOW = (230, 110, 60), (235, 190, 40)
CONSENT = ("--consent", "Both agreed.")


@pytest.fixture(autouse=True)
def toy_networks(toy_swapper: Swapper, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(facechange.swap, "load_swapper", lambda *_: toy_swapper)


@pytest.fixture(autouse=True)
def pictures(tmp_path: Path, faces_picture: Callable[..., np.ndarray]) -> None:
    Image.fromarray(faces_picture({(200, 150): ORANGE}, height=160)).save(tmp_path / "a.png")
    Image.fromarray(faces_picture({(80, 150): YELLOW, (300, 150): YELLOW})).save(tmp_path / "b.png")
    Image.fromarray(faces_picture({})).save(tmp_path / "empty.png")
    (tmp_path / "zero.jpg").touch()
    (tmp_path / "text.png").write_text("not a picture")
    (tmp_path / "cut.png").write_bytes((tmp_path / "b.png").read_bytes()[:600])


def test_swap_writes_the_result_and_says_where(run: Callable, tmp_path: Path) -> None:
    code, out, err = run("swap", "a.png", "b.png", "-o", "out.png", *CONSENT)
    assert (code, err) == (0, "")
    assert out.startswith("out.png: 2 faces changed in ")
    assert out.count("\n") == 1
    assert read_statement(tmp_path / "out.png")["consent"] == "Both agreed."


def test_swap_takes_several_sources_and_options(run: Callable, tmp_path: Path) -> None:
    options = ("--face-selector", "like:b.png", "--strength", "0.5", "--keep", "crop", "-v")
    code, out, err = run("swap", "a.png", "a.png", "b.png", "--output", "out.webp", *CONSENT, *options)
    assert code == 0
    assert "1 face changed" in out
    assert "toy-change 1, on ONNX Runtime CPU: " in err


def test_masks_writes_a_sheet(run: Callable, tmp_path: Path) -> None:
    code, _, _ = run("masks", "a.png", "b.png", "-o", "sheet.png", *CONSENT)
    assert code == 0
    assert Image.open(tmp_path / "sheet.png").width > 1000


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("a.png", "b.png", "-o", "out.png"), 6, "agreed"),
        (("a.png", "b.png", "-o", "out.png", "--consent", " "), 6, "agreed"),
        (("a.png", "b.png", "-o", "out.xyz", *CONSENT), 5, "out.xyz"),
        (("a.png", "b.png", "-o", "nowhere/out.png", *CONSENT), 5, "nowhere"),
        (("a.png", "b.png", "-o", "b.png", *CONSENT), 5, "b.png"),
        (("none.png", "b.png", "-o", "out.png", *CONSENT), 3, "none.png"),
        (("a.png", "zero.jpg", "-o", "out.png", *CONSENT), 3, "zero.jpg"),
        (("a.png", "text.png", "-o", "out.png", *CONSENT), 3, "text.png"),
        (("a.png", "cut.png", "-o", "out.png", *CONSENT), 3, "cut.png"),
        (("a.png", ".", "-o", "out.png", *CONSENT), 3, "folder"),
        (("empty.png", "b.png", "-o", "out.png", *CONSENT), 4, "empty.png"),
        (("a.png", "empty.png", "-o", "out.png", *CONSENT), 4, "empty.png"),
        (("a.png", "b.png", "-o", "out.png", *CONSENT, "--face", "7"), 4, "no face 7"),
        (("a.png", "b.png", "-o", "out.png", *CONSENT, "--face", "boss"), 4, "boss"),
        (("a.png", "b.png", "-o", "out.png", *CONSENT, "--face", "like:none.png"), 3, "none.png"),
        (("a.png", "b.png", "-o", "out.png", *CONSENT, "--strength", "2"), 2, "strength"),
        (("a.png", "-o", "out.png", *CONSENT), 2, "argument"),
    ],
)
def test_bad_input_ends_in_a_sentence_a_code_and_no_file(
    run: Callable, tmp_path: Path, arguments: tuple[str, ...], code: int, words: str
) -> None:
    before = set(tmp_path.iterdir())
    stopped, out, err = run("swap", *arguments)
    assert (stopped, out) == (code, "")
    assert words.lower() in err.lower()
    assert "Traceback" not in err
    assert set(tmp_path.iterdir()) == before


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
@pytest.mark.parametrize("command", ["swap", "masks"])
def test_what_moves_is_refused_with_the_name_of_the_command(
    run: Callable, tmp_path: Path, faces_picture: Callable[..., np.ndarray], command: str, kind: str
) -> None:
    frames = [Image.fromarray(faces_picture({(80 + x, 150): YELLOW}, (200, 200))) for x in (0, 9)]
    frames[0].save(tmp_path / "in.jpg", kind, save_all=True, append_images=frames[1:])
    code, _, err = run(command, "a.png", "in.jpg", "-o", "out.png", *CONSENT)
    assert code == 3 and "in.jpg is a video or an animation" in err and "facechange video" in err
    assert not (tmp_path / "out.png").exists()


@pytest.mark.parametrize("name", ["film.mp4", "film.jpg"])
def test_a_video_is_refused_with_the_name_of_the_command(run: Callable, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"\0\0\0\x18ftypisom" + bytes(80))
    code, _, err = run("swap", "a.png", name, "-o", "out.png", *CONSENT)
    assert code == 3 and "facechange video" in err


# What engines said under `ulimit -v`.
WITHOUT_MEMORY = (
    "Exception during initialization: std::bad_alloc",
    "[CPU] Convolution node with name 'Multiply_8029' can't alloc",
    "Resource temporarily unavailable",
    "PosixThread pthread_create failed, error code: 12 error msg: Cannot allocate memory",
    "libopenvino_intel_cpu_plugin.so: failed to map segment from shared object",
    "std::future_error: Broken promise",
    "Failed to serialize proto",
    "bfc_arena.cc:360 void* onnxruntime::BFCArena::AllocateRawInternal(size_t, bool)",
)


def _made_a_model_error(words: str) -> ModelError:
    error = ModelError("A graph did not run.", "Export it again.")
    error.__cause__ = RuntimeError(words)
    return error


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (KeyboardInterrupt(), 130, "Stopped"),
        (MemoryError(), 71, "memory"),
        (cv2.error("alloc.cpp:73: error: (-4:Insufficient memory) Failed to allocate 9 bytes"), 71, "memory"),
        (RuntimeError("can't start new thread"), 71, "memory"),
        *((_made_a_model_error(words), 71, "memory") for words in WITHOUT_MEMORY),
        (PictureError("out of memory.jpg is empty.", "Get it again."), 3, "is empty"),  # what a file is called
        (PermissionError(13, "Permission denied", "out of memory.jpg"), 74, "Permission denied"),
        (ZeroDivisionError("secret\nlines"), 70, "bug"),
    ],
)
def test_interruption_memory_and_bugs(
    run: Callable, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, words: str
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(facechange.swap, "load_swapper", fail)
    stopped, _, err = run("swap", "a.png", "b.png", "-o", "out.png", *CONSENT)
    assert stopped == code
    assert words in err
    assert err.count("\n") == 1
    if code == 70:
        monkeypatch.setenv("FACECHANGE_DEBUG", "1")
        assert "Traceback" in run("swap", "a.png", "b.png", "-o", "out.png", *CONSENT)[2]


def test_models_list_names_every_role(run: Callable) -> None:
    code, out, _ = run("models", "list")
    assert code == 0
    assert all(role in out for role in ("scout", "identity", "change"))
    entries = dict(entry.split(": ", 1) for entry in re.split(r"\n(?! )", out.strip()))
    uses = {entries[name].split("\n")[1] for name in CHANGE_NAMES}
    assert len(uses) == len(CHANGE_NAMES), "nobody could choose between them"


def test_help_and_version_load_nothing_heavy() -> None:
    program = (
        "import sys; sys.argv = ['facechange', {!r}]\n"
        "from facechange.cli.app import main\n"
        "try: main()\n"
        "except SystemExit as stop: assert not stop.code\n"
        "heavy = {{'cv2', 'numpy', 'onnxruntime', 'PIL', 'torch'}} & set(sys.modules); assert not heavy, heavy"
    )
    for option in ("--help", "--version"):
        subprocess.run([sys.executable, "-c", program.format(option)], check=True, capture_output=True, timeout=60)


def test_a_change_never_imports_pytorch() -> None:
    program = "import facechange, facechange.swap, sys; assert not {'torch', 'onnx'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, timeout=60)


@pytest.mark.parametrize("name", ["a\x1b[31m\nb.png", "a\x9b2J\r.png", "\udcff.png", "a\u202egnp.png"])
def test_names_of_files_steer_no_terminal(run: Callable, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes((tmp_path / "b.png").read_bytes())
    for arguments in (
        ("a.png", name, "-o", f"out-{name}"),
        ("a.png", f"no-{name}", "-o", "out.png"),
        ("a.png", "b.png", name, "--no" + name),
    ):
        _, out, err = run("swap", *arguments, *CONSENT)
        said = out + err
        assert out or err
        assert not {character for character in said if character not in "\n" and not character.isprintable()}, said
        assert "\\x1b" in said or "\x1b" not in name
    assert run("swap", "a.png", name, "-o", f"out-{name}", *CONSENT)[1].count("\n") == 1


def test_own_files_of_strangers_end_in_a_sentence(
    run: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change_path: Path
) -> None:
    deep = "[" * 100_000 + "]" * 100_000
    (tmp_path / "deep.persona").write_text(deep)
    assert run("swap", "deep.persona", "b.png", "-o", "out.png", *CONSENT)[0] == 3
    (tmp_path / "settings.toml").write_text(f"a = {deep}")
    monkeypatch.setenv("FACECHANGE_SETTINGS", "settings.toml")
    assert run("swap", "a.png", "b.png", "-o", "out.png", *CONSENT)[0] == 10


@pytest.mark.parametrize("place", ["source", "target", "output", "video", "folder", "model"])
def test_a_name_that_the_system_refuses_is_no_bug(run: Callable, place: str) -> None:
    name = 300 * "n"
    arguments = {
        "source": ("swap", name, "b.png", "-o", "out.png"),
        "target": ("anonymize", name, "-o", "out.png"),
        "output": ("swap", "a.png", "b.png", "-o", f"{name}.png"),
        "video": ("video", "a.png", name, "-o", "out.mp4"),
        "folder": ("batch", "a.png", name, "-o", "out"),
        "model": ("batch", "a.png", ".", "-o", "out", "--model", name),
    }
    code, out, err = run(*arguments[place], *CONSENT)
    assert code in (3, 5, 7, 74)
    assert not out
    assert "name" in err.lower()
