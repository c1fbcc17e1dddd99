"""Counted costs against a count by hand."""

from facechange.models.costs import count_discriminator_costs, count_swapper_costs
from facechange.models.discriminator import Discriminator
from facechange.models.face_change import FaceChangeNetwork
from facechange.models.presets import find_preset


def test_swapper_costs() -> None:
    costs = count_swapper_costs("tiny", 64)
    assert costs.parameters == sum(parameter.numel() for parameter in FaceChangeNetwork("tiny", 64).parameters())
    # A level's two generator layers and decoder convolution are most of the work; they bound it from below.
    levels = {8: (16, 16), 16: (16, 16), 32: (16, 16), 64: (16, 8)}
    least = sum(2 * 9 * px * px * (before * own + 2 * own * own) for px, (before, own) in levels.items())
    assert least < costs.forward_flops < 2 * least
    assert 2.5 * costs.forward_flops < costs.step_flops < 3.1 * costs.forward_flops
    assert costs.saved_values > 10 * 8 * 64 * 64


def test_larger_networks_cost_more() -> None:
    small, large = count_discriminator_costs("tiny", 64), count_discriminator_costs("tiny", 128)
    assert small.parameters == sum(
        value.numel() for value in Discriminator(find_preset("tiny").discriminator_channels(64)).parameters()
    )
    assert small.forward_flops < large.forward_flops and small.saved_values < large.saved_values
