"""What the release before wrote and called otherwise is still read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import facechange
from facechange.core import load_card
from facechange.runtime import graph_path
from facechange.training.checkpoint import load_part
from facechange.training.config import load_config


@pytest.mark.parametrize(
    ("earlier", "now"),
    [
        ("change", "facechange-256"),
        ("change-large", "facechange-512"),
        ("change-largest", "facechange-1024"),
        ("locator", "scout"),
        ("recogniser", "recognizer"),
    ],
)
def test_models_are_found_by_their_earlier_names(earlier: str, now: str) -> None:
    assert graph_path(earlier) == graph_path(now) and graph_path(now).is_file()


def test_a_card_of_an_earlier_role_has_the_role_of_now(tmp_path: Path) -> None:
    table = json.loads(graph_path("scout").with_suffix(".json").read_text(encoding="utf-8")) | {"role": "locator"}
    (tmp_path / "card.json").write_text(json.dumps(table), encoding="utf-8")
    assert load_card(tmp_path / "card.json").role == "scout"


def test_a_checkpoint_of_the_release_before_gives_its_parts(tmp_path: Path) -> None:
    linear, weight = torch.nn.Linear(2, 2), torch.arange(4.0).view(2, 2)
    progress = {"progress": json.dumps({"pictures": 8})}
    save_file(
        {"average|weight": weight, "average|bias": torch.ones(2)}, tmp_path / "run.safetensors", metadata=progress
    )
    load_part(tmp_path / "run.safetensors", "ema", linear)
    assert torch.equal(linear.weight.detach(), weight)


def test_the_table_of_a_run_of_the_release_before_is_one_of_now(tmp_path: Path) -> None:
    table = {
        "train": "x",
        "run": "y",
        "identity": "i",
        "recogniser": "z",
        "average_pictures": 7,
        "judges": ["recogniser"],
    }
    table |= {"weights": {"drawn": 3}, "spoiling": {"hat": 0.5}}
    (tmp_path / "config.json").write_text(json.dumps(table), encoding="utf-8")
    config = load_config(tmp_path / "config.json")
    assert (config.recognizer, config.ema_pictures, config.recognizers) == (Path("z"), 7, ("recognizer",))
    assert config.weights["low_frequency"] == 3 and config.degradations["hat"] == 0.5


def test_what_programs_call_works_on() -> None:
    swapper = facechange.load(model="change", threads=1)
    target = Path(__file__).parents[1] / "examples" / "target.jpg"
    faces = swapper.locate(target)
    changed = swapper.change(target, swapper.identify(target.with_name("source.jpg")), faces=faces)
    assert changed.image.shape[2] == 3 and changed.faces[0].box == faces[0].box and faces[0].points.shape == (5, 2)
