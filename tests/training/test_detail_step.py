"""The finest resolution trained alone: windows show what the whole would, nothing coarser moves, and detail is
learnt."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn import functional

from facechange.core import TrainingError
from facechange.data.shards import load_faces
from facechange.models.face_change import FaceChangeNetwork
from facechange.models.growing import FinestLevel, grow_swapper
from facechange.training import losses
from facechange.training.checkpoint import part_of, read_checkpoint
from facechange.training.config import FaceConfig
from facechange.training.detail_step import MARGIN_PX, DetailStep, count_windows, cut_windows
from facechange.training.face import FaceTraining, train_face
from facechange.training.face_batch import make_batch
from facechange.training.starting import describe_stages, load_face_change_network


@pytest.fixture
def config(shards: Path, identity_run: Path, recognizer_path: Path, tmp_path: Path) -> FaceConfig:
    """A run of the finest resolution at 128 pixels, from a model of 64 that saw one batch."""
    whole = FaceConfig(
        train=shards,
        run=tmp_path / "whole",
        identity=identity_run,
        recognizer=recognizer_path,
        preset="tiny",
        size=64,
        batch=4,
        device="cpu",
        pictures=1_000_000,
    )
    small = train_face(replace(whole, pictures=4))
    return replace(whole, run=tmp_path / "detail", size=128, window=64, start_from=small.checkpoint, pictures=8)


@torch.no_grad()
def test_a_window_shows_what_the_whole_picture_shows_there() -> None:
    torch.manual_seed(0)
    smaller = FaceChangeNetwork("tiny", 64)
    larger = grow_swapper(smaller, 128)
    for parameter in larger.generator.blocks["128"].parameters():
        parameter += 0.1 * torch.randn_like(parameter)  # more than a detour
    target, identity = torch.rand(2, 3, 128, 128) * 2 - 1, functional.normalize(torch.randn(2, 512), dim=1)
    whole, masks = larger(target, identity, with_masks=True)

    attributes = smaller.attributes(functional.avg_pool2d(target, 2))
    feature, _ = smaller.generator.fuse(identity, attributes)
    rows, corners = torch.tensor([0, 1, 1]), torch.tensor([[0, 56], [20, 8], [56, 0]])
    small = [cut_windows(each, rows, corners // 2, 36) for each in (feature, attributes[-1])]
    windows, window_masks = FinestLevel(larger)(*small, cut_windows(target, rows, corners, 72), identity[rows])
    inner = MARGIN_PX * torch.tensor([[0, 2], [1, 1], [2, 0]])  # a window at the picture's border reaches it
    for expected, found in ((whole, windows), *zip(masks[-2:], window_masks, strict=True)):
        there = cut_windows(expected, rows, corners + inner, 64)
        assert torch.allclose(cut_windows(found, torch.arange(3), inner, 64), there, atol=1e-4)


def test_detail_is_what_half_the_size_cannot_show() -> None:
    coarse, stripes = torch.rand(2, 3, 8, 8), torch.tensor([1.0, -1.0]).repeat(8)
    assert losses.finest_detail(functional.interpolate(coarse, scale_factor=2.0)).abs().max() < 1e-6
    striped = stripes.expand(2, 3, 16, 16)
    assert torch.allclose(losses.finest_detail(striped + 0.3), striped, atol=1e-6)


def test_windows_match_their_margins_and_reach_the_border(config: FaceConfig) -> None:
    """What is compared lies in one place of the picture, and recognizers see pairs of two people."""
    config = replace(config, batch=16)
    faces = load_faces(config.train, 128)
    step = FaceTraining(config, torch.device("cpu")).run
    assert isinstance(step, DetailStep)
    batch = make_batch(faces, config, 0)
    cut = step._cut(batch)
    assert torch.equal(cut_windows(cut.wide_target, torch.arange(32), cut.inner, 64), cut.target)
    assert set(cut.inner.unique().tolist()) == {0, MARGIN_PX, 2 * MARGIN_PX}
    assert (cut.inner != MARGIN_PX).any(1).float().mean() > 0.2  # a third, but for chance
    for row, (down, _) in enumerate(cut.inner.tolist()):
        whole, window = batch.target[row % 16], cut.target[row]
        if down != MARGIN_PX:
            edge = 0 if down == 0 else -1
            assert (whole[:, edge].unfold(1, 64, 1) == window[:, edge, None]).all(2).all(0).any()
            assert cut.border[row, 0, edge].eq(1).all()
        assert cut.border[row].any() == (cut.inner[row] != MARGIN_PX).any()
    assert torch.equal(cut.seen_whole[2], batch.target[-4:]) and not batch.same_object[-4:].any()


def test_detail_is_not_rounded_to_bfloat16(config: FaceConfig) -> None:
    faces = load_faces(config.train, 128)
    step = FaceTraining(config, torch.device("cpu")).run
    assert isinstance(step, DetailStep)
    refine, seen = step._refine, []

    def watch(*given: torch.Tensor) -> tuple[torch.Tensor, list[torch.Tensor]]:
        picture, masks = refine(*given)
        seen.extend([*given, picture, *masks])
        return picture, masks

    step._refine = watch
    step.advance([make_batch(faces, config, 0)], 0)
    # windows, and whole pictures for the recognizers
    assert len(seen) == 14 and {tensor.dtype for tensor in seen} == {torch.float32}


def test_nothing_coarser_moves_and_every_weight_of_the_level_does(config: FaceConfig) -> None:
    ended = train_face(config)
    before, after = load_face_change_network(config.start_from), load_face_change_network(ended.checkpoint, "swapper")  # type: ignore[arg-type]
    fresh = grow_swapper(before, 128).state_dict()
    learned = {name for name, value in after.state_dict().items() if not torch.equal(value, fresh[name])}
    exported = load_face_change_network(ended.checkpoint).state_dict()
    assert all(torch.equal(exported[name], value) for name, value in fresh.items() if name not in learned)
    level = (
        "attributes.from_rgb.",
        "attributes.reduction.128.",
        "attributes.decoder.128.",
        "generator.blocks.128.",
        "generator.to_rgb.",
    )
    # At 128 pixels this preset has four channels for the target, all of them taken by its colours.
    expected = {name for name in fresh if name.startswith(level)} - {
        "attributes.from_rgb.128.weight",
        "attributes.from_rgb.128.bias",
    }
    assert learned == expected
    target, identity = torch.rand(1, 3, 128, 128) * 2 - 1, functional.normalize(torch.randn(1, 512), dim=1)
    small_masks = before(functional.avg_pool2d(target, 2), identity, with_masks=True)[1]
    for mask, same in zip(small_masks, after(target, identity, with_masks=True)[1], strict=False):
        assert torch.allclose(mask, same, atol=1e-5)


def test_it_says_what_it_did_resumes_and_hands_on(config: FaceConfig, tmp_path: Path) -> None:
    whole = train_face(config)
    halves = replace(config, run=tmp_path / "halves")
    assert train_face(replace(halves, minutes=1e-6)).pictures == 4
    resumed = train_face(halves)
    expected, found = read_checkpoint(whole.checkpoint)[0], read_checkpoint(resumed.checkpoint)[0]
    assert all(torch.equal(tensor, found[name]) for name, tensor in expected.items())
    assert describe_stages(whole.checkpoint)[-1].endswith("the finest resolution alone on windows of 64")
    told = json.loads((config.run / "log.jsonl").read_text().splitlines()[-1])
    assert {"identity", "low_frequency", "texture", "reconstruction", "occluder", "border"} <= told.keys()
    together = replace(config, run=tmp_path / "together", window=None, start_from=whole.checkpoint, pictures=4)
    assert train_face(together).pictures == 4  # with a discriminator of whole pictures, afresh


def test_a_run_goes_on_from_a_larger_model_without_its_finest_level(config: FaceConfig, tmp_path: Path) -> None:
    larger = train_face(config)  # a finest level over the model that the next run begins with
    shrunk = replace(config, run=tmp_path / "shrunk", size=64, window=None, start_from=larger.checkpoint)
    training = FaceTraining(shrunk, torch.device("cpu"))
    assert training.begin()["earlier"] == describe_stages(larger.checkpoint)
    assert config.start_from is not None
    small, ema = load_face_change_network(config.start_from), training.run.networks.ema
    batch = make_batch(load_faces(config.train, 128), shrunk, 0)
    with torch.no_grad():
        identity = training.run.read_identities(batch)
        expected, found = small(batch.target, identity), ema(batch.target, identity)
    assert (expected - found).abs().mean() < 0.2 * expected.std()
    assert train_face(replace(shrunk, pictures=4)).pictures == 4  # with a discriminator afresh


def test_the_finest_measure_goes_on_over_another_smaller_model(config: FaceConfig, tmp_path: Path) -> None:
    taught = train_face(config)
    other = train_face(
        replace(config, run=tmp_path / "other", size=64, window=None, start_from=None, pictures=8, seed=1)
    )
    onward = replace(config, run=tmp_path / "onward", start_from=other.checkpoint, finest_from=taught.checkpoint)
    training = FaceTraining(onward, torch.device("cpu"))
    step, progress = training.run, training.begin()
    old, smaller = (
        load_face_change_network(taught.checkpoint).state_dict(),
        load_face_change_network(other.checkpoint).state_dict(),
    )
    for network in (step.networks.swapper, step.networks.ema):
        found = network.state_dict()
        assert torch.equal(found["generator.blocks.128.first.weight"], old["generator.blocks.128.first.weight"])
        assert torch.equal(found["generator.blocks.64.first.weight"], smaller["generator.blocks.64.first.weight"])
    critic = step.networks.discriminator.state_dict()
    expected = part_of(read_checkpoint(taught.checkpoint)[0], "discriminator")
    assert all(torch.equal(critic[name], value) for name, value in expected.items())
    assert progress["finest_before"].startswith("8 pictures at 128")
    assert "it went on from 8 pictures at 128" in describe_stages(train_face(onward).checkpoint)[-1]
    with pytest.raises(TrainingError, match="no run of the preset tiny on windows of 64"):
        train_face(replace(onward, run=tmp_path / "wrong", finest_from=other.checkpoint))


def test_larger_pictures_give_more_windows(config: FaceConfig) -> None:
    assert [count_windows(replace(config, size=size, window=128)) for size in (256, 512, 1024)] == [2, 2, 8]


def test_windows_that_do_not_fit_are_refused(config: FaceConfig) -> None:
    for wrong in ({"window": 128}, {"window": 50}, {"start_from": None}):
        with pytest.raises(TrainingError, match="do not fit"):
            replace(config, **wrong)
    with pytest.raises(TrainingError, match="on windows only"):
        replace(config, window=None, finest_from=config.start_from)
    large = train_face(replace(config, pictures=4)).checkpoint
    with pytest.raises(TrainingError, match="is a model of 128 pixels"):
        train_face(replace(config, run=config.run / "again", start_from=large))
