"""Distilling the identity network: batches, the loss, resuming, and the recognizer's copy."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn

from facechange.core import ModelError
from facechange.data.shards import load_faces
from facechange.models.identity import IDENTITY_DIMENSIONS, IdentityNetwork, count_parameters
from facechange.models.recognizer import load_recognizer
from facechange.training.checkpoint import read_checkpoint
from facechange.training.identity import (
    IdentityConfig,
    cosine_rank_correlation,
    distillation_loss,
    make_batch,
    train_identity,
)


def test_identity_is_a_unit_vector_within_the_budget() -> None:
    network = IdentityNetwork()
    identity = network(torch.rand(2, 3, 112, 112) * 2 - 1)
    assert identity.shape == (2, IDENTITY_DIMENSIONS)
    assert torch.allclose(identity.norm(dim=1), torch.ones(2), atol=1e-5)
    assert count_parameters(network) <= 3_000_000
    identity.square().sum().backward()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in network.parameters())


def test_the_recognizer_is_frozen_but_lets_gradients_through(recognizer_path: Path) -> None:
    recognizer = load_recognizer(recognizer_path)
    crop = torch.rand(2, 3, 112, 112, requires_grad=True)
    vectors = recognizer(crop)
    assert vectors.shape == (2, 128)
    vectors[:, 0].sum().backward()
    assert crop.grad is not None and crop.grad.abs().sum() > 0
    assert not any(parameter.requires_grad for parameter in recognizer.parameters())


def test_other_files_are_no_recognizer(tmp_path: Path, identity_run: Path) -> None:
    for path in (tmp_path / "none.safetensors", identity_run):
        with pytest.raises(ModelError):
            load_recognizer(path)


def test_the_loss_is_zero_for_a_perfect_student() -> None:
    recognizer = nn.functional.normalize(torch.randn(6, 128), dim=1)
    features = torch.randn(6, 512, 7, 7)
    same_angles = torch.cat([recognizer, torch.zeros(6, 384)], 1)  # another space, the same table of cosines
    assert distillation_loss((same_angles, recognizer * 3, features * 2), recognizer, features).item() == pytest.approx(
        0, abs=1e-5
    )
    assert distillation_loss((same_angles, -recognizer, features), recognizer, features).item() == pytest.approx(
        2, abs=1e-5
    )


def test_batches_are_reproducible_and_only_the_students_view_is_degraded(shards: Path) -> None:
    faces = load_faces(shards, 160)
    first, second = (make_batch(faces, 8, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(first[0], second[0]) and torch.equal(first[1], second[1])
    assert first[0].shape == first[1].shape == (8, 3, 112, 112)
    assert not torch.equal(first[0], first[1])


def test_a_resumed_run_is_the_uninterrupted_run(shards: Path, recognizer_path: Path, tmp_path: Path) -> None:
    config = IdentityConfig(
        train=shards, val=shards, recognizer=recognizer_path, run=tmp_path / "whole", pictures=16, batch=4
    )
    whole = train_identity(config)
    halves = replace(config, run=tmp_path / "halves")
    train_identity(replace(halves, minutes=1e-6))  # one batch
    resumed = train_identity(halves)
    expected, found = read_checkpoint(whole)[0], read_checkpoint(resumed)[0]
    assert all(torch.equal(tensor, found[name]) for name, tensor in expected.items())
    assert torch.allclose(expected["earlier|student"][:16].norm(dim=1), torch.ones(16), atol=1e-2), (
        "16 crops are remembered"
    )
    assert not expected["earlier|student"][16:].any()


def test_rank_correlation_of_a_network_with_itself_is_one(shards: Path) -> None:
    network = IdentityNetwork().eval()
    faces = load_faces(shards, 160)
    assert cosine_rank_correlation(network, network, faces) == pytest.approx(1)


def test_the_network_that_ships_can_be_trained_with() -> None:
    from facechange.runtime import graph_path, load_graph
    from facechange.training.starting import load_identity_network

    crop = torch.rand(2, 3, 112, 112) * 2 - 1
    shipped = load_graph("identity", 1).run({"crop": crop.numpy()}, ["identity"])["identity"]
    with torch.no_grad():
        ours = load_identity_network(graph_path("identity")).eval()(crop)
    assert abs(ours.numpy() - shipped).max() < 1e-3
