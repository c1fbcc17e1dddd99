"""A handful of drawn faces as aligned shards, and a recognizer with random weights."""

import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from facechange.models.recognizer import blank_tensors
from facechange.training.config import FaceConfig

POINTS = np.array([[0.38, 0.45], [0.62, 0.45], [0.5, 0.57], [0.4, 0.68], [0.6, 0.68]])


def draw_face(rng: np.random.Generator, size: int) -> np.ndarray:
    """A cartoon face [size, size, 3] uint8 with eyes, nose and mouth at `POINTS`."""
    image = np.full((size, size, 3), rng.integers(30, 220, 3), np.uint8)
    cv2.ellipse(
        image,
        (size // 2, size // 2),
        (size * 3 // 10, size * 4 // 10),
        0,
        0,
        360,
        rng.integers(60, 250, 3).tolist(),
        -1,
    )
    for x, y in POINTS * size:
        cv2.circle(image, (round(x), round(y)), max(2, size // 20), rng.integers(0, 120, 3).tolist(), -1)
    return image


@pytest.fixture(scope="session")
def landmarked_faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`faces.jsonl` and its tar: eight cartoons of 160 pixels, one of them corrupt."""
    folder, rng = tmp_path_factory.mktemp("faces"), np.random.default_rng(0)
    lines = []
    with tarfile.open(folder / "faces-00.tar", "w") as tar:
        for number in range(8):
            encoded = cv2.imencode(".webp", draw_face(rng, 160))[1].tobytes() if number != 3 else b"not a picture"
            path = folder / f"face-{number}.webp"
            path.write_bytes(encoded)
            tar.add(path, path.name)
            path.unlink()
            lines.append(
                {"image": path.name, "shard": "faces-00.tar", "size": 160, "landmarks5": (POINTS * 160).tolist()}
            )
    (folder / "faces.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return folder / "faces.jsonl"


@pytest.fixture(scope="session")
def shards(landmarked_faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from facechange.training.prepare import prepare_shards

    folder = tmp_path_factory.mktemp("shards")
    prepare_shards(landmarked_faces, folder, 160)
    return folder


@pytest.fixture(scope="session")
def labelled_faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `val.jsonl`: six cartoons with 68 landmarks about their outline."""
    folder, rng = tmp_path_factory.mktemp("labelled"), np.random.default_rng(1)
    angles = np.linspace(0, 2 * np.pi, 68, endpoint=False)
    outline = np.stack([0.5 + 0.3 * np.cos(angles), 0.5 + 0.4 * np.sin(angles)], 1) * 160
    lines = []
    with tarfile.open(folder / "val-00.tar", "w") as tar:
        for number in range(6):
            path = folder / f"val-{number}.png"
            cv2.imwrite(str(path), draw_face(rng, 160))
            tar.add(path, path.name)
            labels = {"landmarks5": (POINTS * 160).tolist(), "landmarks68": outline.tolist()}
            lines.append({"image": path.name, "shard": "val-00.tar", "size": 160} | labels)
    (folder / "val.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def landmark_shards(labelled_faces: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    from facechange.training.prepare import prepare_shards

    folder = tmp_path_factory.mktemp("shards68")
    prepare_shards(labelled_faces / "val.jsonl", folder, 160)
    return folder


@pytest.fixture(scope="session")
def recognizer_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MobileFaceNet tensors of random values: the right names and shapes, no knowledge."""
    generator = torch.Generator().manual_seed(0)
    tensors = blank_tensors()
    for name, tensor in tensors.items():
        if tensor.ndim == 4:
            tensors[name] = torch.randn(tensor.shape, generator=generator) / tensor[0].numel() ** 0.5
        elif name.endswith(".weight"):  # of a batch norm
            tensors[name] = torch.ones(tensor.shape)
    path = tmp_path_factory.mktemp("recognizer") / "recognizer.safetensors"
    save_file(tensors, path)
    return path


@pytest.fixture(scope="session")
def identity_run(shards: Path, recognizer_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The checkpoint of an identity network that saw two batches."""
    from facechange.training.identity import IdentityConfig, train_identity

    run = tmp_path_factory.mktemp("identity")
    return train_identity(
        IdentityConfig(train=shards, val=shards, recognizer=recognizer_path, run=run, pictures=8, batch=4)
    )


@pytest.fixture
def config(shards: Path, identity_run: Path, recognizer_path: Path, tmp_path: Path) -> FaceConfig:
    """Four steps of a tiny model on a processor."""
    return FaceConfig(
        train=shards,
        run=tmp_path / "run",
        identity=identity_run,
        recognizer=recognizer_path,
        preset="tiny",
        size=64,
        pictures=16,
        batch=4,
        device="cpu",
    )


@pytest.fixture
def rows() -> tuple[list[dict[str, float]], Callable[[dict[str, float]], None]]:
    seen: list[dict[str, float]] = []
    return seen, seen.append
