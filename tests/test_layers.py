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
ORDER = ("core", "pictures", "trust", "faces", "runtime", "model", "training", "evaluation", "change", "cli")
HEAVY = {"torch", "torchvision", "safetensors", "onnx", "tensorboard", "matplotlib"}  # what only the extra `train` installs
HEAVY_PACKAGES = {"model", "training"}

# The only files that turn pixels into a picture file, and why each may.
PICTURE_WRITERS = {
    "pictures/writing.py": "encodes bytes; publish writes them",
    "trust/publish.py": "the exit of a changed picture",
    "evaluation/comparison_grid.py": "sheets of measurements",
}
# training/ compresses in memory what it learns from, and its files named *sheet* or *curve* draw how a run goes.

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
        imported = parts[1]
        assert imported in ORDER, f"{name_of(path)}:{line} imports {name}, which is no package"
        assert ORDER.index(imported) <= ORDER.index(package), f"{name_of(path)}:{line}: {package} may not import {imported}"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_only_model_and_training_import_pytorch(path: Path) -> None:
    if package_of(path) in HEAVY_PACKAGES:
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
        names = isinstance(node, ast.Assign) and all(isinstance(target, ast.Name) and target.id.startswith("__") for target in node.targets)
        late = package_of(path) == "" and isinstance(node, (ast.FunctionDef, ast.If))
        assert words or names or late or isinstance(node, (ast.Import, ast.ImportFrom)), f"{name_of(path)}:{node.lineno}"


def picture_writing_calls(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Calls that can make a picture file: OpenCV's and Matplotlib's by name, Pillow's `save` where Pillow is imported."""
    pillow = any(name.split(".")[0] in {"PIL", "pillow_heif"} for _, name in imports_of(tree))
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        name = node.func.attr
        if name in {"imwrite", "imwritemulti", "imencode", "savefig", "imsave", "save_image"} or (name == "save" and pillow):
            yield node.lineno, name


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_pictures_leave_only_through_publish(path: Path) -> None:
    training = package_of(path) == "training"
    if name_of(path) in PICTURE_WRITERS or (training and ("sheet" in path.stem or "curve" in path.stem)):
        return
    for line, call in picture_writing_calls(parse(path)):
        if training and call == "imencode":
            continue
        pytest.fail(f"{name_of(path)}:{line} calls {call}: a changed picture leaves through facechange.trust.publish only")


def test_encoded_pictures_are_asked_for_by_publish_alone() -> None:
    for path in FILES:
        names = {name.split(".")[-1] for _, name in imports_of(parse(path))}
        if "encode_picture" in names:
            assert package_of(path) == "pictures" or name_of(path) == "trust/publish.py", name_of(path)


def test_importing_the_product_leaves_pytorch_out() -> None:
    light = [path for path in FILES if package_of(path) not in HEAVY_PACKAGES]
    modules = [".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__") for path in light]
    program = f"import sys, {', '.join(modules)}\nprint([name for name in {sorted(HEAVY)!r} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert result.stdout.strip() == "[]"


def test_the_checks_see_what_they_forbid() -> None:
    tree = ast.parse("import cv2\nfrom PIL import Image\ncv2.imwrite('x.png', y)\nImage.new('L', (1, 1)).save('x.png')\n")
    assert [call for _, call in picture_writing_calls(tree)] == ["imwrite", "save"]
    assert list(imports_of(ast.parse("def f():\n    import torch.nn"))) == [(2, "torch.nn")]
    assert not late_nodes(ast.parse("import torch"))
