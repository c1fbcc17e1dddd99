"""One step of training: nothing keeps a compiler or an accelerator waiting, and the compiled step is the same step."""

from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from torch import nn

from facechange.data.shards import load_faces
from facechange.models.discriminator import Discriminator, FeatureDiscriminator
from facechange.models.face_change import FaceChangeNetwork
from facechange.models.identity import IdentityNetwork
from facechange.models.landmarks import LandmarkNetwork
from facechange.models.presets import find_preset
from facechange.models.recognizer import load_recognizer
from facechange.training.checkpoint import read_checkpoint
from facechange.training.config import FaceConfig
from facechange.training.detail_step import DetailStep
from facechange.training.export import export_face
from facechange.training.face import train_face
from facechange.training.face_batch import crop_identity, make_batch
from facechange.training.face_step import FaceStep, build_networks, face_reach, view_landmarks
from facechange.training.starting import load_further_recognizer, load_identity_network


def make_step(config: FaceConfig) -> FaceStep:
    torch.manual_seed(0)
    return FaceStep(
        config, build_networks(config, load_identity_network(config.identity), load_identity_network(config.recognizer))
    )


@pytest.mark.slow
def test_a_compiler_takes_every_network_whole_and_gives_the_same_gradients(recognizer_path: Path) -> None:
    torch.manual_seed(0)
    swapper, critic = FaceChangeNetwork("tiny", 64), Discriminator(find_preset("tiny").discriminator_channels(64))
    target, identity = torch.rand(4, 3, 64, 64) * 2 - 1, nn.functional.normalize(torch.randn(4, 512), dim=1)

    def compiled(function: object) -> object:
        return torch.compile(function, fullgraph=True, backend="aot_eager")

    gradients = []
    for wrap in (lambda function: function, compiled):
        changed, masks = wrap(swapper)(target, identity, with_masks=True)
        logits, features = wrap(critic)(changed)
        loss = logits.mean() + sum(mask.square().mean() for mask in masks) + features[0].mean()
        gradients.append(torch.autograd.grad(loss, [*swapper.parameters(), *critic.parameters()]))
    for plain, fast in zip(*gradients, strict=True):
        assert torch.allclose(plain, fast, atol=1e-5 + 1e-3 * float(plain.abs().max()))
    crop = torch.rand(2, 3, 112, 112)
    for recognizer in (IdentityNetwork().eval().view, load_recognizer(recognizer_path)):
        assert torch.allclose(compiled(recognizer)(crop), recognizer(crop), atol=1e-5)


def test_no_step_reads_a_number_back_from_the_device(config: FaceConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    run, faces = make_step(config), load_faces(config.train, 128)
    run.advance([make_batch(faces, config, 0)], 0)  # constants reach the device once

    def refuse(*given: object) -> None:
        raise AssertionError("a number was read back")

    for name in ("item", "tolist", "__float__", "__int__", "__bool__", "numpy", "cpu", "nonzero"):
        monkeypatch.setattr(torch.Tensor, name, refuse)
    monkeypatch.setattr(torch, "tensor", refuse)
    terms = run.advance([make_batch(faces, config, 1)], 1)
    monkeypatch.undo()
    assert all(value.isfinite() for value in terms.values())


def test_the_finest_of_256_pixels_is_drawn_and_held_in_float32(
    config: FaceConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("facechange.training.face_step.DETAIL_FROM_PX", config.size)
    run, seen = make_step(config), {}
    blocks = run.networks.swapper.generator.blocks
    for px, block in blocks.items():
        block.first.register_forward_hook(lambda _, __, given, px=px: seen.update({px: given.dtype}))
    faces = load_faces(config.train, 128)
    batch = make_batch(faces, config, 0)
    with torch.autocast("cpu", torch.bfloat16):  # as on a processor with bfloat16
        run.networks.swapper(batch.target, run.read_identities(batch))
    assert seen.pop(str(config.size)) == torch.float32
    assert set(seen.values()) == {torch.bfloat16}
    assert "texture" in run.advance([batch], 0)


def test_a_step_stays_on_the_device_of_its_faces(config: FaceConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a GPU, which is not needed here: on the device "meta" shapes, types and devices are worked out, and nothing
    else."""

    class Generator(torch.Generator):
        """One that says it were on the device asked for; there is none on "meta"."""

        def __new__(cls, device: torch.device | str = "cpu") -> "Generator":
            made = super().__new__(cls)
            made.said = torch.device(device)  # type: ignore[attr-defined]
            return made

        device = property(lambda self: self.said)  # type: ignore[assignment]

    monkeypatch.setattr(torch, "Generator", Generator)
    monkeypatch.setattr(torch, "autocast", lambda *_, **__: nullcontext())
    plain = torch.optim.Adam
    monkeypatch.setattr(torch.optim, "Adam", lambda *given, fused: plain(*given))
    faces = load_faces(config.train, 128).to(torch.device("meta"))
    textures = torch.zeros(3, 3, 64, 64, dtype=torch.uint8, device="meta")
    everything = replace(config, device="meta", degradations=dict.fromkeys(config.degradations, 0.5))
    recognizers = load_identity_network(config.identity), load_identity_network(config.recognizer)
    networks = build_networks(everything, *recognizers, LandmarkNetwork())
    whole = FaceStep(everything, networks).advance([make_batch(faces, everything, 0, textures)], 0)
    windows = replace(everything, size=128, window=64, start_from=config.identity)
    level = DetailStep(windows, build_networks(windows, *recognizers), FaceChangeNetwork("tiny", 64))
    detail = level.advance([make_batch(faces, windows, 0)], 0)
    assert {value.device.type for value in (*whole.values(), *detail.values())} == {"meta"}
    assert {"pose", "gradient_penalty", "identity"} <= set(whole) and {"low_frequency", "identity"} <= set(detail)


def test_the_recognizers_named_are_those_asked(config: FaceConfig) -> None:
    both, one = make_step(config), make_step(replace(config, recognizers=("recognizer",)))
    faces = load_faces(config.train, 128)
    terms = [step.advance([make_batch(faces, config, 0)], 0)["identity"] for step in (both, one)]
    assert terms[0] != terms[1]


def test_a_further_recognizer_joins_those_named_and_the_card_counts_it(
    config: FaceConfig, mobilenet_path: Path, tmp_path: Path
) -> None:
    three = replace(config, further_recognizer=mobilenet_path)
    ended = train_face(replace(three, pictures=4))
    assert read_checkpoint(ended.checkpoint)[1]["recognizers"] == ["identity", "recognizer", "further_recognizer"]
    card = export_face(ended.checkpoint, tmp_path / "three.onnx")
    assert card.training.startswith("Losses 1 to 6, identity judged by three recognizers; ")


def test_identities_are_read_from_the_clean_picture_or_from_the_degraded_one(config: FaceConfig) -> None:
    run, batch = make_step(config), make_batch(load_faces(config.train, 128), config, 0)
    read = run.networks.identity
    clean, degraded = (
        read(crop_identity(*given))
        for given in ((batch.person, batch.person_points), (batch.source, batch.source_points))
    )
    for viewed, expected in ((False, clean), (True, degraded)):
        found = run.read_identities(replace(batch, viewed=torch.full_like(batch.viewed, viewed)))
        assert torch.allclose(found, expected, atol=1e-2)  # as far as bfloat16 goes
    assert not torch.allclose(clean, degraded, atol=1e-2)


def test_the_identity_asked_for_is_that_of_the_person(config: FaceConfig) -> None:
    run, batch = make_step(config), make_batch(load_faces(config.train, 128), config, 0)
    everywhere = torch.ones_like(batch.background)
    small = nn.functional.interpolate(batch.person, size=config.size, mode="bilinear")
    points = (batch.person_points + 0.5) * (config.size / batch.person.shape[-1]) - 0.5
    asked = replace(batch, target=small, whole_target=small, target_points=points)
    terms = [
        run.identity_terms(asked, changed, everywhere, torch.Generator().manual_seed(0))["identity"]
        for changed in (small, small.flip(0))
    ]
    assert terms[0] < 0.5 * terms[1]


def test_identity_is_painted_into_the_face_alone(config: FaceConfig) -> None:
    """Neither the hair line nor what covers the face is paid for looking like the source."""
    run, batch = make_step(config), make_batch(load_faces(config.train, 128), config, 0)
    covered = torch.zeros_like(batch.background)
    covered[:, :, 32:40, 28:36] = 1
    reach = face_reach(batch.background, covered)
    inside = (batch.background == 0) & (covered == 0)
    assert (
        inside.any()
        and (reach[inside] >= 0.5).all()
        and reach[inside].mean() > 0.9
        and (reach[covered == 1] == 0).all()
    )
    assert (reach[:, :, 0] == 0).all() and (reach > 0).float().mean() < 1.9 * (batch.background == 0).float().mean()
    changed = batch.target.clone().requires_grad_()
    terms = run.identity_terms(batch, changed, reach, torch.Generator().manual_seed(0))
    (gradient,) = torch.autograd.grad(terms["identity"] + terms["contrast"], changed)
    strength = gradient.abs().sum(1, keepdim=True)
    assert (strength[reach == 0] == 0).all() and (strength[inside] > 0).float().mean() > 0.9


def test_the_landmark_network_sees_result_and_target_alike(config: FaceConfig) -> None:
    target = make_batch(load_faces(config.train, 128), config, 0).target
    darker, seen = view_landmarks(target * 0.5, target, torch.Generator().manual_seed(0))
    assert torch.allclose(darker, seen * 0.5, atol=1e-5) and (seen == seen[:, :1]).all()
    assert (seen - target.mean(1, keepdim=True)).abs().mean() > 0.02, "nothing was turned or moved"


@pytest.mark.slow
def test_a_compiled_step_is_the_same_step(config: FaceConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    # traces and splits, but writes no C++
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    faces = load_faces(config.train, 128)
    config = replace(config, learning_rate=4e-5)  # as small as the first steps of a run have it
    plain, fast = (make_step(replace(config, compile=compile)) for compile in (False, True))
    for number in range(2):
        batch = make_batch(faces, config, number)
        slow_terms, fast_terms = plain.advance([batch], number), fast.advance([batch], number)
        for name, value in slow_terms.items():
            assert float(fast_terms[name]) == pytest.approx(float(value), rel=0.03, abs=0.01), name


def test_a_discriminator_on_the_maps_of_a_recognizer_learns_to_object_and_the_generator_hears_it(
    config: FaceConfig, mobilenet_path: Path
) -> None:
    people = load_faces(config.train, 128)
    further = load_further_recognizer(mobilenet_path, people, 0)
    known = load_identity_network(config.identity), load_identity_network(config.recognizer)
    networks = build_networks(config, *known, further_recognizer=further)
    assert networks.feature_discriminator is not None and "feature_discriminator" in networks.trained()
    before = {name: value.clone() for name, value in networks.feature_discriminator.state_dict().items()}
    terms = FaceStep(config, networks).advance([make_batch(people, config, 0)], 0)
    assert terms["feature_gan"] > 0 and terms["feature_discriminator"] > 0
    after = networks.feature_discriminator.state_dict()
    moved = {name.split(".")[1] for name in after if not torch.equal(before[name], after[name])}
    assert moved == {"0", "1", "2", "3"}  # every head

    pictures = torch.zeros(2, 3, 64, 64, requires_grad=True)
    maps = further.maps(pictures)
    assert [each.shape[-1] for each in maps] == [56, 28, 14, 7]
    toy = FeatureDiscriminator([each.shape[1] for each in maps])
    sum(each.mean() for each in toy(maps)).backward()
    assert pictures.grad is not None and pictures.grad.abs().sum() > 0

    windows = replace(config, size=128, window=64, start_from=config.identity)
    assert build_networks(windows, *known, further_recognizer=further).feature_discriminator is None
