"""Every loss against a value worked out by hand."""

import math

import cv2
import numpy as np
import pytest
import torch

from facechange.faces.mean_face68 import read_mean_face
from facechange.training import losses


def test_mask_loss_is_the_mean_over_layers_whatever_their_size() -> None:
    masks = [torch.full((2, 1, 4, 4), 0.2), torch.full((2, 1, 64, 64), 0.6)]
    assert losses.mask_loss(masks).item() == pytest.approx(0.4)


def test_kept_background_counts_only_outside_the_face() -> None:
    background = torch.zeros(1, 1, 4, 4)
    background[..., :2] = 1  # the left half is background
    mask = torch.full((1, 1, 4, 4), 0.25)
    assert losses.kept_background_loss([mask], background).item() == pytest.approx(0.75 / 2)
    mask[..., :2] = 1
    assert losses.kept_background_loss([mask], background).item() == 0


def test_gan_losses_at_known_logits() -> None:
    zero, two = torch.zeros(3, 1), torch.full((3, 1), 2.0)
    assert losses.generator_loss(zero).item() == pytest.approx(math.log(2))
    expected = math.log(1 + math.exp(-2)) + math.log(2)
    assert losses.discriminator_loss(two, zero).item() == pytest.approx(expected, rel=1e-6)


def test_gradient_penalty_of_a_linear_critic_is_its_squared_length() -> None:
    pictures = torch.randn(2, 3, 4, 4, requires_grad=True)
    weight = torch.arange(48.0).view(3, 4, 4) / 10
    logits = (pictures * weight).sum((1, 2, 3))
    assert losses.gradient_penalty(logits, pictures).item() == pytest.approx(weight.square().sum().item(), rel=1e-6)


def test_reconstruction_counts_same_object_pairs_only() -> None:
    target = torch.zeros(2, 3, 8, 8)
    changed = torch.stack([torch.full((3, 8, 8), 0.5), torch.full((3, 8, 8), 9.0)])
    assert losses.reconstruction_loss(changed, target, torch.tensor([1.0, 0.0])).item() == pytest.approx(0.5)
    assert losses.reconstruction_loss(changed, target, torch.zeros(2)).item() == 0


def test_feature_matching_masks_the_first_layers_and_weighs_the_rest_a_tenth() -> None:
    background = torch.zeros(1, 1, 8, 8)
    background[..., :4] = 1
    real = [torch.zeros(1, 2, 8, 8), torch.zeros(1, 2, 4, 4)]
    fake = [torch.full((1, 2, 8, 8), 2.0), torch.full((1, 2, 4, 4), 3.0)]
    expected = math.sqrt(4 * 0.5) + 0.1 * 3
    assert losses.feature_matching_loss(real, fake, background, 1).item() == pytest.approx(expected, rel=1e-5)
    fake[0][..., 4:] = 99  # the face may differ as it likes
    assert losses.feature_matching_loss(real, fake, background, 1).item() == pytest.approx(expected, rel=1e-5)


def test_both_terms_of_the_identity_contrastive_loss_in_the_plane() -> None:
    source, target = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])
    half = torch.tensor([[math.sqrt(0.5), math.sqrt(0.5)]])
    assert losses.identity_loss(half, source).item() == pytest.approx(1 - math.sqrt(0.5))
    assert losses.contrast_loss(half, source, target).item() == pytest.approx(0.5)
    assert (
        losses.identity_loss(source, source).item()
        == losses.contrast_loss(source, source, target).item()
        == pytest.approx(0)
    )


def test_texture_compares_how_strong_detail_is_and_not_what_it_shows() -> None:
    generator = torch.Generator().manual_seed(0)
    skin, other = torch.randn(2, 1, 3, 32, 32, generator=generator)
    assert losses.texture_loss(skin, skin).item() == 0
    assert losses.texture_loss(-skin, skin).item() == pytest.approx(0)
    assert (
        losses.texture_loss(other, skin)
        < 0.1
        < 0.4
        < losses.texture_loss(0.5 * skin, skin)
        < losses.texture_loss(0 * skin, skin)
    )


def test_background_and_tone() -> None:
    background = torch.zeros(1, 1, 32, 32)
    background[..., :16] = 1
    target, changed = torch.zeros(1, 3, 32, 32), torch.zeros(1, 3, 32, 32)
    changed[..., 16:] = 1
    assert losses.kept_loss(changed, target, background).item() == 0
    assert losses.tone_loss(changed, target).item() == pytest.approx(0.5)
    stripes = torch.ones(1, 3, 32, 32)
    stripes[..., ::2] = -1  # texture without a change of tone
    assert losses.tone_loss(stripes, target).item() == pytest.approx(0)


def test_colour_is_what_light_and_texture_leave() -> None:
    target = torch.zeros(1, 3, 64, 64)
    shaded, purple, stripes = target - 0.4, target.clone(), target.clone()
    purple[:, 1] = -0.6
    stripes[:, 0, :, ::2], stripes[:, 0, :, 1::2] = 1, -1
    assert losses.colour_loss(shaded, target).item() == losses.colour_loss(stripes, target).item() == pytest.approx(0)
    assert losses.colour_loss(purple, target).item() == pytest.approx((0.2 + 0.4 + 0.2) / 3)


def test_total_is_the_weighted_sum() -> None:
    terms = {"gan": torch.tensor(1.0), "identity": torch.tensor(0.5)}
    assert losses.total_loss(terms, {"gan": 1.0, "identity": 5.0}).item() == pytest.approx(3.5)


def test_what_is_kept_counts_where_it_lies_alone() -> None:
    target, covered = torch.zeros(2, 3, 4, 4), torch.zeros(2, 1, 4, 4)
    changed = torch.full((2, 3, 4, 4), 9.0)
    covered[0, :, :2] = 1
    changed[0, :, :2] = 0.5
    assert losses.kept_loss(changed, target, covered).item() == pytest.approx(0.5)
    assert losses.kept_loss(changed, target, covered * 0).item() == 0


def test_landmark_loss_leaves_the_outline_out() -> None:
    target, changed = torch.zeros(2, 68, 2), torch.zeros(2, 68, 2)
    changed[:, :17] = 5
    assert losses.landmark_loss(changed, target).item() == 0
    changed[:, 17:] = 0.25
    assert losses.landmark_loss(changed, target).item() == pytest.approx(0.25)
    smiling = changed.clone()
    smiling[:, 65:, 1] += 0.1  # the lower lip, and with it the mouth's three openings of eight
    assert losses.landmark_loss(smiling, changed).item() == pytest.approx(0.1 * 3 / 51 / 2 + 0.1 * 3 / 8 / 2)


def test_pose_loss_reads_small_turns_in_radians() -> None:
    face = read_mean_face()[0]

    def see(pitch: float = 0, yaw: float = 0, roll: float = 0) -> torch.Tensor:
        turned = face @ cv2.Rodrigues(np.array([pitch, yaw, roll], float))[0].T
        return torch.tensor(turned[None, :, :2] * 0.2 + 0.5, dtype=torch.float32)

    for turn in ({"pitch": 0.1}, {"yaw": -0.1}, {"roll": 0.1}):
        assert losses.pose_loss(see(**turn), see()).item() == pytest.approx(0.1 / 3, rel=0.05)
    assert losses.pose_loss(see() * 1.1 + 0.05, see()).item() == pytest.approx(0, abs=1e-6)  # nearer and elsewhere
    speaking = see()
    speaking[:, 48:, 1] += 0.05
    assert losses.pose_loss(speaking, see()).item() == pytest.approx(0, abs=1e-6)


def test_low_frequency_loss_compares_what_is_left_when_the_detail_is_averaged_away() -> None:
    detail = torch.tensor([1.0, -1.0]).repeat(4).expand(1, 3, 8, 8)
    drawn, background = torch.full((1, 3, 4, 4), 0.3), torch.zeros(1, 1, 8, 8)
    background[..., 4:] = 1
    assert losses.low_frequency_loss(drawn[..., :1, :1] + detail, drawn, background).item() == pytest.approx(
        0, abs=1e-6
    )
    changed = detail.clone()
    changed[..., 4:] = 9  # background is not its business
    assert losses.low_frequency_loss(changed, drawn, background).item() == pytest.approx(0.3)
