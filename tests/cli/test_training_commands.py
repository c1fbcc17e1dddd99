"""`data prepare`, `train`, `export` and `--dry-run` through the command line, on a handful of drawn faces."""

import json
import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from typer.testing import CliRunner, Result

import facechange
from facechange.cli.app import app
from facechange.core import FacechangeError, hash_file, load_card
from facechange.runtime import graph_path, load_graph


def run(*words: object) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def flops_of(plan: str) -> float:
    """GFLOP of a whole step, out of the lines of a dry run."""
    return float(plan.split("whole step ")[1].split(" GFLOP")[0])


@pytest.fixture
def faces_folder(tmp_path: Path) -> Path:
    """Landmarks and a tar of four pictures."""
    import tarfile

    points = np.array([[60, 72], [100, 72], [80, 92], [64, 108], [96, 108]])
    folder = tmp_path / "faces"
    folder.mkdir()
    lines = []
    with tarfile.open(folder / "a.tar", "w") as tar:
        for number in range(4):
            image = np.random.default_rng(number).integers(0, 255, (160, 160, 3), dtype=np.uint8)
            path = folder / f"{number}.png"
            cv2.imwrite(str(path), image)
            tar.add(path, path.name)
            lines.append(json.dumps({"image": path.name, "shard": "a.tar", "size": 160, "landmarks5": points.tolist()}))
    (folder / "train.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return folder


def test_data_prepare_says_what_it_did_and_continues(faces_folder: Path, tmp_path: Path) -> None:
    words = ("data", "prepare", faces_folder, "-o", tmp_path / "shards", "--size", 64)
    first = run(*words)
    assert first.exit_code == 0 and "4 faces written" in first.stdout
    assert "0 faces written" in (again := run(*words)).stdout and "4 pictures were done before" in again.stdout


def test_data_prepare_names_a_few_of_the_pictures_left_out(faces_folder: Path, tmp_path: Path) -> None:
    told = run("data", "prepare", faces_folder, "-o", tmp_path / "shards", "--size", 1024, "--largest-enlargement", 1.5)
    assert told.stderr.splitlines() == [
        "Skipped 0.png, 1.png, 2.png and 1 more: the face is too small for crops of 1024 pixels"
    ]


def test_a_dry_run_prints_the_plan_and_writes_nothing(tmp_path: Path) -> None:
    given = ("--train", tmp_path, "--run", tmp_path / "run", "--identity", tmp_path, "--recognizer", tmp_path)
    result = run("train", "face", *given, "--preset", "tiny", "--size", 64, "--dry-run")
    assert result.exit_code == 0
    for word in ("parameters", "GFLOP a picture", "MiB a picture"):
        assert word in result.stdout
    speed = re.search(r"speed to expect: ([\d,.]+) pictures an? (second|minute|hour)", result.stdout)
    assert speed and float(speed[1].replace(",", "")) > 0
    finest = ("--preset", "small", "--size", 512, "--start-from", tmp_path, "--dry-run")
    whole, windows = (run("train", "face", *given, *finest, *window).stdout for window in ((), ("--window", 128)))
    assert flops_of(windows) < flops_of(whole) / 2
    assert not (tmp_path / "run").exists()


def test_a_table_stands_for_options_and_options_go_over_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # how fast this machine is does not matter here
    monkeypatch.setattr("facechange.training.plan._measure_flops", lambda device: 1e12)
    (tmp_path / "run.toml").write_text(
        'train = "x"\nrun = "y"\nrecognizer = "z"\npreset = "tiny"\nsize = 64\n', encoding="utf-8"
    )
    words = ("train", "face", "--config", tmp_path / "run.toml", "--dry-run")
    assert "preset tiny, 64 x 64" in run(*words).stdout
    assert "preset tiny, 128 x 128" in run(*words, "--size", 128).stdout
    assert "177,000 pictures" in run(*words, "--recipe", "shipped").stdout
    for wrong in (("train", "face", "--dry-run"), (*words, "--recipe", "soup")):
        assert isinstance(run(*wrong).exception, FacechangeError), wrong


def test_data_prepare_writes_down_what_the_faces_are(faces_folder: Path, tmp_path: Path) -> None:
    words = (
        "data",
        "prepare",
        faces_folder,
        "-o",
        tmp_path / "shards",
        "--size",
        64,
        "--origin",
        "A/B",
        "--licence",
        "CC0",
    )
    assert run(*words).exit_code == 0
    written = json.loads((tmp_path / "shards" / "dataset.json").read_text(encoding="utf-8"))
    assert written["faces"] == 4 and written["origins"] == [{"origin": "A/B", "licence": "CC0", "faces": 4}]


@pytest.mark.parametrize(
    ("speed", "words"),
    [
        (2345.6, "2,345.6 pictures a second"),
        (1, "1.0 pictures a second"),
        (0.04, "2.4 pictures a minute"),
        (0.004, "14.4 pictures an hour"),
    ],
)
def test_no_speed_is_said_to_be_nothing(speed: float, words: str) -> None:
    from facechange.training.plan import say_speed

    assert say_speed(speed) == words


def test_unknown_losses_presets_and_empty_data_are_refused(tmp_path: Path) -> None:
    given = ("--train", tmp_path, "--run", tmp_path / "run", "--identity", tmp_path, "--recognizer", tmp_path)
    for words in (("--weight", "beauty=3"), ("--weight", "gan=much"), ("--preset", "huge", "--dry-run"), ()):
        result = run("train", "face", *given, *words)
        assert isinstance(result.exception, FacechangeError), words


def test_an_untrained_run_exports_to_a_graph_that_equals_pytorch(tmp_path: Path) -> None:
    from facechange.models.face_change import FaceChangeNetwork
    from facechange.training.checkpoint import save_checkpoint

    torch.manual_seed(0)
    swapper = FaceChangeNetwork("tiny", 64)
    save_checkpoint(tmp_path / "face.safetensors", {"ema": swapper}, {}, {"pictures": 0, "preset": "tiny", "size": 64})
    (tmp_path / "report.json").write_text(json.dumps({"metrics": {"psnr_self_crop": {"mean": 1.0}}}), encoding="utf-8")
    output = tmp_path / "model.onnx"
    result = run("export", "face", tmp_path / "face.safetensors", "-o", output, "--metrics", tmp_path / "report.json")
    assert result.exit_code == 0, result.exception
    card = load_card(output.with_suffix(".json"))
    assert (card.role, card.size_px, card.sha256) == ("change", 64, hash_file(output))
    assert card.metrics == {"psnr_self_crop": {"mean": 1.0}}
    assert {"changed", "mask_4_1", "mask_64_2"} <= set(load_graph(output).output_names)


@pytest.mark.slow
def test_a_graph_becomes_a_program_beside_it(tmp_path: Path) -> None:
    for suffix in (".onnx", ".json"):
        shutil.copy(graph_path("facechange-256").with_suffix(suffix), tmp_path / f"copy{suffix}")
    result = run("export", "program", tmp_path / "copy.onnx")
    assert result.exit_code == 0, result.exception
    assert facechange.load(tmp_path / "copy.onnx", threads=1, engine="pytorch").engine == "PyTorch CPU bf16"
    for wrong in (graph_path("scout"), tmp_path / "none.onnx"):
        assert isinstance(run("export", "program", wrong).exception, FacechangeError)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy.json", "copy.onnx", "copy.pt2"]


def test_what_is_no_checkpoint_or_no_onnx_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "junk.safetensors").write_bytes(b"junk")
    for words in (
        (tmp_path / "junk.safetensors", "-o", tmp_path / "a.onnx"),
        (tmp_path / "junk.safetensors", "-o", tmp_path / "a.bin"),
    ):
        result = run("export", "identity", *words)
        assert isinstance(result.exception, FacechangeError)
    assert not list(tmp_path.glob("a.*"))


def test_an_exported_identity_network_trains_on(tmp_path: Path) -> None:
    from facechange.models.identity import IdentityNetwork
    from facechange.training.checkpoint import save_checkpoint
    from facechange.training.starting import load_identity_network

    torch.manual_seed(0)
    network = IdentityNetwork().train()
    network(torch.randn(4, 3, 112, 112))  # gives the batch norms statistics of their own
    save_checkpoint(
        tmp_path / "identity.safetensors", {"ema": torch.nn.ModuleDict({"identity": network})}, {}, {"pictures": 4}
    )
    result = run("export", "identity", tmp_path / "identity.safetensors", "-o", tmp_path / "identity.onnx")
    assert result.exit_code == 0, result.exception
    crop = torch.rand(2, 3, 112, 112) * 2 - 1
    before, after = (
        load_identity_network(tmp_path / name).eval()(crop) for name in ("identity.safetensors", "identity.onnx")
    )
    assert torch.allclose(before, after, atol=2e-3)
    with pytest.raises(FacechangeError):
        load_identity_network(tmp_path / "identity.json")
