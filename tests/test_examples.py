"""The examples run as they are, the notebook cell by cell."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

from facechange.provenance import read_statement

EXAMPLES = Path(__file__).parents[1] / "examples"
SAYS = {  # what each script says, and what it leaves
    "swap_photo.py": ("changed, recognisable: True", ["swapped.jpg"]),
    "several_people.py": ("in memory: 2 faces changed", ["left-only.png", "party.png"]),
    "video.py": ("12 of 12 frames changed", ["clip.mp4", "swapped.mp4"]),
    "anonymize_folder.py": ("2 changed, 0 failed", ["anonymous", "photographs"]),
    "verify.py": ("refused: ", ["changed.jpg"]),
}


def test_every_script_is_tried() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == set(SAYS)


@pytest.mark.parametrize("name", sorted(SAYS))
def test_a_script_says_what_it_did(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    if name == "video.py":
        pytest.importorskip("av")
    monkeypatch.setattr("sys.argv", [name, str(tmp_path)])
    runpy.run_path(str(EXAMPLES / name), run_name="__main__")
    said, (words, left) = capsys.readouterr().out, SAYS[name]
    assert words in said, said
    assert sorted(path.name for path in tmp_path.iterdir()) == left
    for path in tmp_path.glob("swapped.jpg"):
        assert read_statement(path)["consent"]


def test_the_notebook_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(EXAMPLES)
    cells = json.loads((EXAMPLES / "first_steps.ipynb").read_text(encoding="utf-8"))["cells"]
    names: dict[str, object] = {}
    for number, cell in enumerate(cell for cell in cells if cell["cell_type"] == "code"):
        assert not cell["outputs"] and cell["execution_count"] is None, (
            "pictures and results are not stored in the notebook"
        )
        exec(compile("".join(cell["source"]), f"cell {number}", "exec"), names)
    assert names["again"].vector @ names["identity"] > 0.999  # type: ignore[attr-defined]
    assert names["done"].outcomes[0].recognisable and names["findings"].consent_state == "in force"  # type: ignore[attr-defined]
