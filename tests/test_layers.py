"""The shape of the code: who may import whom, where PyTorch may be, and the one way out for a changed picture."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import facechange

ROOT = Path(facechange.__file__).parent
ORDER = (
    *("core", "images", "faces", "data", "consent", "provenance", "runtime", "models"),
    *("metrics", "evaluation", "training", "swap", "benchmark", "service", "scale", "cli"),
)
# what only the extra `train` installs
HEAVY = {"torch", "torchvision", "safetensors", "onnx", "tensorboard", "matplotlib"}
HEAVY_PACKAGES = {"models", "training"}
# An engine, its ceilings, and faces held as tensors; imported where asked for.
HEAVY_FILES = {"runtime/pytorch.py", "benchmark/pytorch_ceilings.py", "data/shards.py"}

# The only files that encode pixels as a picture, and why each may. A changed face is in none of them but those of
# `publish`.
PICTURE_WRITERS = {
    "images/writing.py": "encodes bytes; publish writes them",
    "provenance/publish.py": "the exit of a changed picture",
    "provenance/live_frames.py": "the exit of a live frame, which is shown and not kept",
    "benchmark/stages.py": "the photograph that a measured change reads",
    "cli/benchmark.py": "the roofline",
    "cli/faces.py": "boxes on a photograph, in which nothing is changed",
    "evaluation/inception_fid.py": "work files of FID, in a folder that is gone when it is measured",
    "training/curves.py": "curves of a run",
    "data/composites.py": "what a scout learns from, made smaller",
    "data/composite_scenes.py": "a camera's compression, in memory",
    "service/inspection.py": "thumbnails of the library's entries, which say what the entry says of itself",
    "training/prepare.py": "aligned crops of photographs, in which nothing is changed",
}
# The only files that encode videos, and why each may. What they write are work files, which publish_media gives out.
MEDIA_WRITERS = {
    "swap/video/pictures_out.py": "GIF and animated WebP from finished segments",
    "swap/video/mux.py": "a whole video from finished segments",
    "images/media.py": "opens files for those two",
}
# The only files that show live frames, and why each may. What they show is a provenance.PublishedFrame, by its type.
LIVE_SINKS = {
    "swap/live/windows.py": "a window",
    "swap/live/virtual_cameras.py": "a camera for other programs",
    "swap/live/mjpeg.py": "browsers",
}

FILES = sorted(ROOT.rglob("*.py"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def package_of(path: Path) -> str:
    parts = path.relative_to(ROOT).parts
    return parts[0] if len(parts) > 1 else ""


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def imports_of(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and full dotted name of everything that is imported anywhere in `tree`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: imports here are absolute"
            yield from ((node.lineno, f"{node.module}.{alias.name}") for alias in node.names)


def late_nodes(tree: ast.Module) -> set[ast.AST]:
    """Nodes that do not run at import: inside functions and below `if TYPE_CHECKING`."""
    late: set[ast.AST] = set()
    for node in ast.walk(tree):
        checking = isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        if checking or isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)):
            late.update(ast.walk(node))
    return late


def test_every_package_is_in_the_order() -> None:
    folders = {package_of(path) for path in FILES} - {""}
    assert folders <= set(ORDER), f"docs/map.md and ORDER do not know {folders - set(ORDER)}"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_package_imports_only_from_those_before_it(path: Path) -> None:
    package = package_of(path)
    if not package:
        return  # facechange/__init__.py offers `load` and imports it late
    for line, name in imports_of(parse(path)):
        parts = name.split(".")
        if parts[0] != "facechange" or name == "facechange.__version__":
            continue
        if parts[1] == "client":  # what other programs call, like facechange itself
            assert package == "cli", f"{name_of(path)}:{line}: only the command line asks a server"
            continue
        imported = parts[1]
        assert imported in ORDER, f"{name_of(path)}:{line} imports {name}, which is no package"
        assert ORDER.index(imported) <= ORDER.index(package), (
            f"{name_of(path)}:{line}: {package} may not import {imported}"
        )


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")


def find_circles(imported: dict[str, set[str]]) -> list[str]:
    """Modules that lead back to themselves, given what each module imports; those that lead to nothing are taken away
    in turn."""
    left = dict(imported)
    while ends := [module for module, names in left.items() if not names & left.keys()]:
        for module in ends:
            del left[module]
    while starts := left.keys() - {name for module, names in left.items() for name in names}:
        for module in starts:
            del left[module]
    return sorted(left)


def test_no_modules_import_each_other_in_a_circle_not_even_late() -> None:
    modules = {module_of(path): path for path in FILES}
    imported = {}
    for module, path in modules.items():
        names = [name for _, name in imports_of(parse(path))]
        imported[module] = {name if name in modules else name.rpartition(".")[0] for name in names} & modules.keys() - {
            module
        }
    assert find_circles(imported) == []


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_only_model_and_training_import_pytorch(path: Path) -> None:
    if package_of(path) in HEAVY_PACKAGES or name_of(path) in HEAVY_FILES:
        return
    tree = parse(path)
    late = late_nodes(tree)
    for node in ast.walk(tree):
        if not isinstance(node, (ast.Import, ast.ImportFrom)) or (package_of(path) == "cli" and node in late):
            continue  # a command may import them once it runs
        for line, name in imports_of(node):
            assert name.split(".")[0] not in HEAVY, f"{name_of(path)}:{line} imports {name}"


@pytest.mark.parametrize("path", [path for path in FILES if path.name == "__init__.py"], ids=name_of)
def test_init_files_only_export(path: Path) -> None:
    for node in parse(path).body:
        words = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        names = isinstance(node, ast.Assign) and all(
            isinstance(target, ast.Name) and target.id.startswith("__") for target in node.targets
        )
        late = package_of(path) == "" and isinstance(node, (ast.FunctionDef, ast.If))
        assert words or names or late or isinstance(node, (ast.Import, ast.ImportFrom)), (
            f"{name_of(path)}:{node.lineno}"
        )


ENCODERS = {"encode_picture", "imwrite", "imwritemulti", "imencode", "savefig", "imsave", "save_image"}


def picture_writing_calls(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Calls that can make a picture file: ours, OpenCV's and Matplotlib's by name, Pillow's `save` where Pillow is
    imported."""
    pillow = any(name.split(".")[0] in {"PIL", "pillow_heif"} for _, name in imports_of(tree))
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in ENCODERS or (name == "save" and pillow):
            yield node.lineno, name


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_pictures_leave_only_through_publish(path: Path) -> None:
    for line, call in picture_writing_calls(parse(path)):
        allowed = name_of(path) in PICTURE_WRITERS
        assert allowed, (
            f"{name_of(path)}:{line} calls {call}: a changed picture leaves through facechange.provenance.publish only"
        )


def media_writing_calls(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Calls that make a video: OpenCV's writer, and PyAV's streams, packets and files opened to write."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        opens = node.func.attr == "open" and isinstance(node.func.value, ast.Name) and node.func.value.id == "av"
        modes = [*node.args[1:2], *(keyword.value for keyword in node.keywords if keyword.arg == "mode")]
        writes = opens and any(not isinstance(mode, ast.Constant) or mode.value != "r" for mode in modes)
        if writes or node.func.attr in {"VideoWriter", "add_stream", "add_stream_from_template", "mux", "mux_one"}:
            yield node.lineno, node.func.attr


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_videos_are_encoded_where_publish_media_gives_them_out(path: Path) -> None:
    for line, call in media_writing_calls(parse(path)):
        assert name_of(path) in MEDIA_WRITERS, (
            f"{name_of(path)}:{line} calls {call}: a video leaves through provenance.publish_media only"
        )


def naming_calls(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Calls that hand FFmpeg a name, in which it may see a network address."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"av.open", "cv2.VideoCapture"}:
            yield node.lineno, ast.unparse(node.func)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_ffmpeg_is_given_names_in_one_place(path: Path) -> None:
    for line, call in naming_calls(parse(path)):
        # whose inputs may be on the network
        live = call == "cv2.VideoCapture" and name_of(path) == "swap/live/capture.py"
        assert live or name_of(path) == "images/media.py", (
            f"{name_of(path)}:{line} calls {call}: use facechange.images.media"
        )


def showing_calls(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """What can show frames without a file: OpenCV's windows, virtual cameras and servers."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "imshow":
            yield node.lineno, "imshow"
    for line, name in imports_of(tree):
        if name.startswith(("pyvirtualcam", "http.server", "socketserver")):
            yield line, name


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_live_frames_are_shown_only_after_publish_frame(path: Path) -> None:
    tree = parse(path)
    for line, call in showing_calls(tree):
        assert name_of(path) in LIVE_SINKS, (
            f"{name_of(path)}:{line} uses {call}: a live frame is shown by a sink of swap/live only"
        )
    made = [
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("PublishedFrame")
    ]
    assert not made or name_of(path) == "provenance/live_frames.py", f"{name_of(path)}:{made} makes a PublishedFrame"
    if name_of(path) in LIVE_SINKS:
        shows = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name == "show"]
        assert [ast.unparse(show.args.args[1].annotation or show) for show in shows] == ["PublishedFrame"]


def test_nothing_but_publish_signs() -> None:
    for path in FILES:
        signing = {"sign_picture", "sign_file"} & {name.split(".")[-1] for _, name in imports_of(parse(path))}
        assert not signing or name_of(path) == "provenance/publish.py", name_of(path)


def test_importing_the_product_leaves_pytorch_out() -> None:
    light = [path for path in FILES if package_of(path) not in HEAVY_PACKAGES and name_of(path) not in HEAVY_FILES]
    light = [path for path in light if name_of(path) != "service/migrations/env.py"]  # a script that Alembic runs
    program = f"import sys, {', '.join(map(module_of, light))}\nprint([name for name in {sorted(HEAVY)!r} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "[]"


def test_the_checks_see_what_they_forbid() -> None:
    tree = ast.parse(
        "import cv2\nfrom PIL import Image\ncv2.imwrite('x.png', y)\nImage.new('L', (1, 1)).save('x')\nencode_picture(y)\n"
    )
    assert sorted(call for _, call in picture_writing_calls(tree)) == ["encode_picture", "imwrite", "save"]
    tree = ast.parse(
        "av.open(p, 'w')\nav.open(p)\nav.open(p, mode='r')\nav.open(p, mode=m)\nc.mux(x)\ncv2.VideoWriter(p)\n"
    )
    assert [line for line, _ in media_writing_calls(tree)] == [1, 4, 5, 6]
    tree = ast.parse("import http.server\ncv2.imshow('x', y)\nimport pyvirtualcam\n")
    assert {line for line, _ in showing_calls(tree)} == {1, 2, 3}
    assert [
        name for _, name in ambient_calls(ast.parse("Ledger(p)\nsettings.load_settings()\nx = load_context()"))
    ] == [
        "Ledger",
        "load_settings",
        "load_context",
    ]
    assert list(imports_of(ast.parse("def f():\n    import torch.nn"))) == [(2, "torch.nn")]
    assert not late_nodes(ast.parse("import torch"))
    assert find_circles({"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set()}) == ["b", "c"]


# Who builds what a run depends on around it, and why; everything below is handed a `consent.Context`.
CONTEXT_BUILDERS = {
    "benchmark/stages.py": "a caller of its own, in a home that is gone afterwards",
    "training/sheets.py": "a run draws sheets only where the packages of `provenance` are installed",
}
AMBIENT = {"load_settings", "Ledger", "data_folder", "settings_path", "SigningKeys"}


def ambient_calls(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Calls that look settings, ledger, keys or folders up instead of being handed them, and those that build a
    context."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            if name in AMBIENT | {"load_context"}:
                yield node.lineno, name


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_one_context_is_built_at_the_edge_and_handed_down(path: Path) -> None:
    edge = package_of(path) in ("cli", "") or name_of(path) in CONTEXT_BUILDERS
    for line, call in ambient_calls(parse(path)):
        if call == "load_context":
            assert edge, f"{name_of(path)}:{line} builds a context: take one as an argument, or from the grant"
        else:
            assert name_of(path) in ("consent/context.py", "core/settings.py"), (
                f"{name_of(path)}:{line} calls {call}: use the context"
            )


LONGEST_FILE, LONGEST_BODY = 450, 60  # lines; of a function what follows its options and its docstring


def lines_of_body(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """From the first statement after the docstring to the end."""
    first = function.body[1 if ast.get_docstring(function) and len(function.body) > 1 else 0]
    return (function.end_lineno or 0) - first.lineno + 1


# A migration is a list of tables, written once and never edited.
@pytest.mark.parametrize("path", [path for path in FILES if path.parent.name != "versions"], ids=name_of)
def test_files_and_functions_are_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_FILE
    for node in ast.walk(parse(path)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert lines_of_body(node) <= LONGEST_BODY, f"{node.name}: {lines_of_body(node)}"
