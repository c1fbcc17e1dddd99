"""What takes long shows that something happens."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from facechange import cli

FOLDER = Path(cli.__file__).parent
# What takes a second or more, now or for large files; the commands' own helpers with a bar inside are not among it.
SLOW = {
    *(
        "load_swapper",
        "load_detector",
        "load_graph",
        "open_evaluator",
        "open_landmarkers",
        "open_folder",
        "read_backgrounds",
        "import_module",
    ),
    *(
        "request_change",
        "request_video_change",
        "grant_change",
        "read_picture",
        "read_persona",
        "new_persona",
        "examine",
    ),
    *(
        "change_photograph",
        "change_video",
        "publish_mask_sheet",
        "publish_preview",
        "explain_faces",
        "describe_plan",
        "run_benchmark",
    ),
    *("export_face_program", "export_recognizer", "export_personas", "prepare_shards"),
    *("evaluate_change", "evaluate_anonymize", "evaluate_identity", "evaluate_scout", "evaluate_photographs"),
}
SHOWN = {"waiting", "counting"}


def slow_calls(node: ast.AST, shown: bool) -> Iterator[tuple[int, str]]:
    """Lines and names of slow calls below `node` that nothing shows."""
    around = (
        [item.context_expr for item in node.items]
        if isinstance(node, ast.With)
        else getattr(node, "decorator_list", [])
    )
    shown = shown or any(isinstance(each, ast.Call) and name_of(each) in SHOWN for each in around)
    if isinstance(node, ast.Call) and name_of(node) in SLOW and not shown:
        yield node.lineno, name_of(node)
    for child in ast.iter_child_nodes(node):
        yield from slow_calls(child, shown)


def name_of(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_what_takes_over_a_second_shows_that_it_works(path: Path) -> None:
    assert list(slow_calls(ast.parse(path.read_text(encoding="utf-8")), False)) == []


def test_each_of_those_is_still_called_so() -> None:
    trees = [ast.parse(path.read_text(encoding="utf-8")) for path in FOLDER.glob("*.py")]
    called = {name_of(node) for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call)}
    passed = {node.id for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert called | passed >= SLOW
