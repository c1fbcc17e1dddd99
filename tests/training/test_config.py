"""Tables of runs: from TOML or a saved run, by recipe, with options over them; one place for defaults."""

from dataclasses import fields
from pathlib import Path

import pytest

from facechange.core import TrainingError
from facechange.training.config import (
    LOSS_WEIGHTS,
    FaceConfig,
    IdentityConfig,
    load_config,
    read_recipes,
    resolve_config,
)

GIVEN = {"train": "shards", "run": "runs/a", "identity": "i.onnx", "recognizer": "r.safetensors"}
TOML = "".join(f'{name} = "{value}"\n' for name, value in GIVEN.items())


def test_options_go_over_the_file_and_the_file_over_its_recipe(tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text(TOML + 'recipe = "patent"\nbatch = 4\n[weights]\ngan = 3\n')
    config = resolve_config(
        FaceConfig, tmp_path / "run.toml", {"batch": 8, "seed": None, "weights": {"mask": 2.0}, "degradations": {}}
    )
    assert (config.train, config.batch, config.seed, config.learning_rate) == (Path("shards"), 8, 0, 1e-4)
    assert (config.weights["gan"], config.weights["mask"], config.weights["tone"], config.weights["identity"]) == (
        3,
        2,
        0,
        5,
    )
    config.save(tmp_path / "config.json")
    assert load_config(tmp_path / "config.json") == config, "what a run saved is a table to run"


def test_a_recipe_that_is_given_goes_over_the_file(tmp_path: Path) -> None:
    resolve_config(FaceConfig, None, dict(GIVEN)).save(tmp_path / "config.json")
    config = resolve_config(FaceConfig, tmp_path / "config.json", {"recipe": "patent", "weights": {"tone": 1.0}})
    assert (config.recipe, config.learning_rate, config.weights["tone"], config.weights["colour"]) == (
        "patent",
        1e-4,
        1,
        0,
    )


def test_the_patents_recipe_is_formula_6_without_additions() -> None:
    config = resolve_config(FaceConfig, None, GIVEN | {"recipe": "patent"})
    asked = {name: weight for name, weight in config.weights.items() if weight}
    assert asked == {"gan": 1, "mask": 1, "feature_matching": 1, "reconstruction": 10, "identity": 5, "contrast": 5}
    assert not any(config.degradations.values()) and config.recognizers == ("recognizer",) and config.free_recognizers
    assert not (
        config.recovered_share or config.morphed_share or config.gradient_penalty or config.augment_discriminator
    )
    assert set(read_recipes()["patent"]["weights"]) == set(LOSS_WEIGHTS), (
        "an addition made later has to be left out here, too"
    )


@pytest.mark.parametrize("name", ["patent", "shipped", "shipped-256", "shipped-512"])
def test_every_recipe_makes_a_run(name: str) -> None:
    assert set(read_recipes()) == {"patent", "shipped", "shipped-256", "shipped-512"}
    config = resolve_config(FaceConfig, None, GIVEN | {"recipe": name, "start_from": "before.safetensors"})
    assert config.recipe == name and read_recipes()[name]["about"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("learning_rat = 1\n", "learning_rat is unknown"),
        ('batch = "many"\n', "batch is of a wrong kind"),
        ('recipe = "soup"\n', "no recipe soup"),
        ("broken", "not the table of a run"),
    ],
)
def test_what_is_wrong_with_a_table_is_said(text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "run.toml").write_text(TOML + text)
    with pytest.raises(TrainingError, match=words):
        resolve_config(FaceConfig, tmp_path / "run.toml", {})


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="which run, train, val the run has"):
        resolve_config(IdentityConfig, None, {"recognizer": tmp_path})


def test_help_tells_the_defaults_of_the_tables() -> None:
    from typer.testing import CliRunner

    from facechange.cli.train import app

    told = CliRunner().invoke(app, ["identity", "--help"], env={"COLUMNS": "200", "TERM": "dumb"}).output
    defaults = {part.name: part.default for part in fields(IdentityConfig)}
    assert f"[default: ({defaults['pictures']})" in told or f"default: {defaults['pictures']}" in told
