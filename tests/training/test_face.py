"""The training loop: it learns, resumes to the very same numbers, and stops when it should."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from facechange.consent import load_context
from facechange.consent.status import look_up
from facechange.core import TrainingError, hash_file
from facechange.data.shards import load_faces
from facechange.provenance.verify import examine
from facechange.training import loop
from facechange.training.checkpoint import read_checkpoint
from facechange.training.config import LOSS_WEIGHTS, FaceConfig, load_config
from facechange.training.face import train_face
from facechange.training.face_batch import make_batch
from facechange.training.face_step import FaceStep
from facechange.training.prepare import prepare_shards
from facechange.training.starting import describe_progress, load_face_change_network, load_identity_network


def test_a_resumed_run_is_the_uninterrupted_run(config: FaceConfig, tmp_path: Path) -> None:
    whole = train_face(config)
    halves = replace(config, run=tmp_path / "halves")
    assert train_face(replace(halves, pictures=8)).pictures == 8
    resumed = train_face(halves)
    assert (whole.pictures, resumed.pictures, resumed.reason) == (16, 16, "pictures")
    expected, found = read_checkpoint(whole.checkpoint)[0], read_checkpoint(resumed.checkpoint)[0]
    assert expected.keys() == found.keys()
    for name, tensor in expected.items():
        assert torch.equal(tensor, found[name]), name


def test_every_trained_weight_moves_and_the_run_shows_itself(
    config: FaceConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "REPORT_SECONDS", math.inf)  # however slow the machine: rows at the end alone
    train_face(replace(config, pictures=4))
    with (config.run / "log.jsonl").open("a") as log:
        log.write('{"pictures": 8, "total": 99}\n{"pictu')  # a killed run got farther than its checkpoint
    before = read_checkpoint(config.run / "face.safetensors")[0]
    train_face(config)
    after = read_checkpoint(config.run / "face.safetensors")[0]
    still = [
        name
        for name in before
        if name.startswith(("swapper|", "discriminator|")) and torch.equal(before[name], after[name])
    ]
    assert not still
    assert {"config.json", "log.jsonl", "curves.png", "sheet-00000016.png"} <= {
        path.name for path in config.run.iterdir()
    }
    assert load_config(config.run / "config.json") == config
    assert [json.loads(line)["pictures"] for line in (config.run / "log.jsonl").read_text().splitlines()] == [4, 16]


def test_a_sheet_is_marked_signed_and_on_record(config: FaceConfig, shards: Path) -> None:
    train_face(replace(config, pictures=4))
    signed = examine(load_context(), config.run / "sheet-00000004.png").signed
    assert signed.signed_here and signed.watermark and signed.model["version"] == "at 4 pictures"
    record = look_up(load_context().ledger, signed.consent["id"]).record
    assert record.basis == "evaluation" and set(record.targets) == {
        hash_file(path) for path in shards.glob("aligned-*.jsonl")
    }


def test_no_sheet_leaves_but_through_publish(config: FaceConfig, shut_exit: Callable[[Path], list[str]]) -> None:
    train_face(replace(config, pictures=4))
    assert shut_exit(config.run) == ["curves.png"]


def test_training_goes_on_without_sheets_where_the_operator_wants_records(
    config: FaceConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "settings.toml").write_text("[consent]\nsource_record = true\n", encoding="utf-8")
    monkeypatch.setenv("FACECHANGE_SETTINGS", str(tmp_path / "settings.toml"))
    assert train_face(replace(config, pictures=4)).pictures == 4
    assert "No sheets are drawn." in capsys.readouterr().err
    assert not list(config.run.glob("sheet-*"))


def test_a_larger_model_starts_from_a_smaller_one(config: FaceConfig, tmp_path: Path) -> None:
    small = train_face(replace(config, pictures=4))
    grown = replace(
        config, run=tmp_path / "grown", size=128, start_from=small.checkpoint, pictures=1, learning_rate=1e-9
    )
    weights, progress = read_checkpoint(train_face(grown).checkpoint)
    assert describe_progress(progress) == [
        "4 pictures at 64, learning rate 0.005",
        "4 pictures at 128, learning rate 1e-09",
    ]
    carried = read_checkpoint(small.checkpoint)[0]
    name = next(name for name in carried if name.startswith("swapper|generator.first_block.second.weight"))
    assert torch.allclose(weights[name], carried[name], atol=1e-6)


@pytest.mark.parametrize(
    "size", [256, pytest.param(512, marks=pytest.mark.slow), pytest.param(1024, marks=pytest.mark.slow)]
)
def test_a_grown_run_begins_with_the_picture_it_had(
    size: int, landmarked_faces: Path, config: FaceConfig, tmp_path: Path
) -> None:
    small = train_face(replace(config, pictures=4))
    prepare_shards(landmarked_faces, tmp_path / "large", size)
    grown = replace(config, train=tmp_path / "large", run=tmp_path / "grown", size=size, start_from=small.checkpoint)
    ended = train_face(replace(grown, batch=2, pictures=2, learning_rate=1e-9))
    before, after = load_face_change_network(small.checkpoint), load_face_change_network(ended.checkpoint)
    target = functional.interpolate(torch.rand(1, 3, 16, 16) * 2 - 1, size=size, mode="bilinear")  # without detail
    identity = functional.normalize(torch.randn(1, 512), dim=1)
    with torch.no_grad():
        expected = before(functional.adaptive_avg_pool2d(target, 64), identity)
        found = functional.adaptive_avg_pool2d(after(target, identity), 64)
    assert (found - expected).abs().mean() < 0.1 * expected.std(), (
        "upsampled and averaged again it is the same picture, if softer"
    )
    row = json.loads((grown.run / "log.jsonl").read_text())
    assert row["pictures"] == 2 and all(math.isfinite(value) for value in row.values())


def test_a_finished_run_is_left_as_it_is(config: FaceConfig) -> None:
    first = train_face(replace(config, pictures=4))
    before = first.checkpoint.read_bytes()
    assert train_face(replace(config, pictures=4)) == first
    assert first.checkpoint.read_bytes() == before


def test_a_table_of_an_older_run_is_read_and_another_file_refused(config: FaceConfig, tmp_path: Path) -> None:
    config.save(tmp_path / "config.json")
    values = json.loads((tmp_path / "config.json").read_text())
    old = {name: value for name, value in values.items() if name not in ("degradations", "recognizers", "backgrounds")}
    old["weights"] = {name: value for name, value in values["weights"].items() if name != "contrast"}
    (tmp_path / "config.json").write_text(json.dumps(old | {"covered_target_share": 0.15}))
    assert load_config(tmp_path / "config.json") == config
    (tmp_path / "config.json").write_text("[1]")
    with pytest.raises(TrainingError, match="not the table of a run"):
        load_config(tmp_path / "config.json")


def test_a_batch_is_a_function_of_seed_and_step(config: FaceConfig) -> None:
    faces = load_faces(config.train, 128)
    one, same, other = (make_batch(faces, config, step) for step in (3, 3, 4))
    assert torch.equal(one.target, same.target) and torch.equal(one.source, same.source)
    assert not torch.equal(one.target, other.target)
    assert one.same_object.sum() == 2  # recovered pairs
    assert one.target.shape == (4, 3, 64, 64) and one.source.shape == one.target.shape
    assert one.target.abs().max() <= 1 + 1e-5 and one.background.min() >= 0 and one.background.max() <= 1


def test_stops_by_time_and_by_loss(config: FaceConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    assert train_face(replace(config, minutes=1e-6)).reason == "minutes"
    monkeypatch.setattr(loop, "SETTLED_STEPS", 0)
    monkeypatch.setattr(loop, "LOG_STEPS", 1)
    assert train_face(replace(config, pictures=10_000, loss_below=1e9)).reason == "loss"


def test_a_lost_run_stops_and_names_the_last_good_checkpoint(
    config: FaceConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    train_face(replace(config, pictures=4))
    good = (config.run / "face.safetensors").read_bytes()
    advance = FaceStep.advance
    monkeypatch.setattr(FaceStep, "advance", lambda *given: advance(*given) | {"total": torch.tensor(float("nan"))})
    with pytest.raises(TrainingError, match=r"not finite.*face\.safetensors"):
        train_face(config)
    assert (config.run / "face.safetensors").read_bytes() == good


def test_wrong_checkpoints_and_weights_are_refused(config: FaceConfig) -> None:
    with pytest.raises(TrainingError, match="not a checkpoint"):
        load_identity_network(config.train / "aligned-00000.jsonl")
    with pytest.raises(TrainingError, match="no loss named"):
        replace(config, weights=LOSS_WEIGHTS | {"beauty": 1.0})
    with pytest.raises(TrainingError, match="Nothing degrades pictures by rain"):
        replace(config, degradations={"rain": 0.5})
    with pytest.raises(TrainingError, match="no such recognizer"):
        replace(config, recognizers=("mother",))
    train_face(replace(config, pictures=4))
    with pytest.raises(TrainingError, match="does not fit"):
        train_face(replace(config, preset="small"))
