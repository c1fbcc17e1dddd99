"""Model cards that a stranger may have written."""

import json
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import pytest

from facechange.core import ModelCard, ModelError, load_card


def table() -> dict[str, Any]:
    texts = {part.name: "toy" for part in fields(ModelCard) if part.type == "str"}
    return texts | {
        "size_px": 64,
        "parameters": 5,
        "inputs": {},
        "outputs": {},
        "metrics": {"cosine": {"mean": 1}, "flat": 2},
    }


@pytest.mark.parametrize(
    "change",
    [
        {"size_px": "64"},
        {"size_px": 64.0},
        {"size_px": -1},
        {"size_px": 10**9},
        {"parameters": None},
        {"parameters": -5},
        {"face_median": float("nan")},
        {"face_median": "0.4"},
        {"bfloat16": "no"},
        {"name": 7},
        {"inputs": ["target"]},
        {"metrics": [1]},
        {"metrics": {"a": json.loads("[" * 60 + "]" * 60)}},
        {"unknown": 1},
    ],
)
def test_a_card_with_a_value_of_a_wrong_kind_is_refused(change: dict[str, Any], tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    path.write_text(json.dumps({**table(), **change}))
    with pytest.raises(ModelError, match="not a readable model card"):
        load_card(path)


def test_its_words_are_clean_and_its_values_numbers(tmp_path: Path) -> None:
    path = tmp_path / "card.json"
    path.write_text(json.dumps(table() | {"name": "a\x1b[31m\nb\udcff"}))
    card = load_card(path)
    assert card.name == "a[31m b"
    assert (card.metric("cosine"), card.metric("none", 0.5)) == (1.0, 0.5)
    for name in ("flat", "none"):
        with pytest.raises(ModelError, match=name):
            card.metric(name)
    card.save(path)
    assert asdict(load_card(path)) == asdict(card)
