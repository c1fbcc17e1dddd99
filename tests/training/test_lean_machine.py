"""A machine that only trains: without plotting, TensorBoard, picture formats, ONNX or any engine."""

import subprocess
import sys
from pathlib import Path

from facechange.training.config import FaceConfig

ABSENT = (
    "matplotlib",
    "tensorboard",
    "pydantic",
    "openvino",
    "pillow_heif",
    "PIL",
    "onnx",
    "onnxruntime",
    "av",
    "rich",
    "typer",
)
PROGRAM = f"""
import sys
from importlib.machinery import PathFinder

find_spec = PathFinder.find_spec
PathFinder.find_spec = lambda name, *more: None if name.split(".")[0] in {ABSENT!r} else find_spec(name, *more)
from pathlib import Path
from facechange.training.config import load_config
from facechange.training.face import train_face
print(train_face(load_config(Path(sys.argv[1]))).reason)
"""


def test_training_needs_none_of_them(shards: Path, identity_run: Path, recognizer_path: Path, tmp_path: Path) -> None:
    config = FaceConfig(
        train=shards,
        run=tmp_path / "run",
        identity=identity_run,
        recognizer=recognizer_path,
        preset="tiny",
        size=64,
        pictures=2,
        batch=2,
        device="cpu",
    )
    config.save(tmp_path / "asked.json")
    result = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "asked.json")], capture_output=True, text=True, check=False
    )
    assert result.stdout.strip() == "pictures", result.stderr
    assert {"log.jsonl", "curves.png", "face.safetensors"} <= {path.name for path in config.run.iterdir()}
    assert "No sheets are drawn: PIL is not installed." in result.stderr  # they show changed faces, which leave marked
    assert not list(config.run.glob("sheet-*"))
    assert not (config.run / "tensorboard").exists()
