"""Grow a trained network by a resolution at a time without forgetting what it computes.

Layers are named after their resolution, so those of the smaller network are copied as they are. The new, finest layers
start as a detour that hands the colours on: the grown encoder and discriminator see the halved picture as
before, and the grown generator gives the old picture upsampled, with the target's own detail let in through the new
masks. Training then goes on from the old quality instead of from noise. An activation passes a colour unchanged when
the colour is first raised by `RAISE`, which keeps it positive; detail, which has both signs, goes through two channels,
one for each.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from facechange.core import ModelError
from facechange.models.discriminator import HALF_VARIANCE, Discriminator, ResidualBlock
from facechange.models.face_change import Block, FaceChangeNetwork, Generator, scale_identity
from facechange.models.layers import ACTIVATION_GAIN, NEGATIVE_SLOPE, EqualizedConv2d, halve_size
from facechange.models.presets import ChannelTable

RAISE = 1.5  # more than any colour is below zero
COLOURS = 3
CONSTANT = 3  # the channel, after the colours, that carries 1
# A picture less its blur by 1, 2, 1 each way: about what the smaller model cannot show.
DETAIL = -torch.tensor([[1.0, 2.0, 1.0], [2.0, -12.0, 2.0], [1.0, 2.0, 1.0]]) / 16
OPEN = 2.0  # the bias of new masks: sigmoid(2) is 0.88, so that most of the detail comes in,
SHUT = -8.0  # but for the picture's outermost pixels, where `DETAIL` meets the zeros of padding

FITTED_AT_ONCE = 16  # pictures, and how far the fit of a shrunk model is held back, over its mean square
RIDGE = 1e-6


def grow_swapper(smaller: FaceChangeNetwork, size_px: int) -> FaceChangeNetwork:
    """A swapper for `size_px` that gives the old picture upsampled, plus the target's detail; raises `ModelError` where
    it would shrink."""
    while smaller.size_px < size_px:
        larger = FaceChangeNetwork(smaller.preset, 2 * smaller.size_px)
        _copy_matching(smaller, larger)
        _hand_on_target(smaller, larger)
        _hand_on_picture(smaller.generator, larger.generator)
        _let_detail_in(larger)
        smaller = larger
    if smaller.size_px != size_px:
        raise ModelError(
            f"A model of {smaller.size_px} pixels cannot grow to {size_px}.", "Choose a larger power of two."
        )
    return smaller


@torch.no_grad()
def shrink_swapper(larger: FaceChangeNetwork, target: Tensor, identity: Tensor) -> FaceChangeNetwork:
    """A swapper of half the side whose picture is about the larger one's halved: what `grow_swapper` grew, without its
    finest level.

    How it reads the target's colours is what growing handed on. How it colours its last feature is fitted by least
    squares to what the larger one makes of the pictures `target` [N, 3, R, R] with `identity` [N, 512].
    """
    smaller = FaceChangeNetwork(larger.preset, larger.size_px // 2).to(target.device).eval()
    _copy_matching(larger, smaller)
    joint, reads = larger.attributes.encoder[str(smaller.size_px)], _only_convolution(smaller.attributes.from_rgb)
    assert isinstance(joint, EqualizedConv2d)
    reads.weight.copy_(joint.weight[:, :COLOURS] * (joint.scale / reads.scale))
    reads.bias.copy_(joint.bias)
    colours = _only_convolution(smaller.generator.to_rgb)
    products: list[Tensor] = []
    for pictures, vectors in zip(target.split(FITTED_AT_ONCE), identity.split(FITTED_AT_ONCE), strict=True):
        wanted = halve_size(larger(pictures, vectors)).permute(0, 2, 3, 1).flatten(0, 2).double()  # [P, 3]
        feature = (
            smaller.generator.fuse(vectors, smaller.attributes(halve_size(pictures)))[0]
            .permute(0, 2, 3, 1)
            .flatten(0, 2)
            .double()
        )
        feature = torch.cat((feature, torch.ones_like(feature[:, :1])), 1)
        products.append(torch.cat((feature.T @ feature, feature.T @ wanted), 1))
    normal = torch.stack(products).sum(0)  # [C + 1, C + 4]
    square = normal[:, :-COLOURS]
    square = square + RIDGE * square.diagonal().mean() * torch.eye(
        len(square), dtype=square.dtype, device=square.device
    )
    fitted = torch.linalg.solve(square, normal[:, -COLOURS:]).T.float()  # [3, C + 1]
    colours.weight.copy_((fitted[:, :-1] / colours.scale)[:, :, None, None])
    colours.bias.copy_(fitted[:, -1])
    return smaller


class FinestLevel(nn.Module):
    """What growing added last to a swapper, as a map of its own: it turns what a model of half the size knows into the
    picture.

    Everything in it looks only a few pixels far, so it can be run on a window of the picture. Its weights are the
    swapper's own.
    """

    def __init__(self, swapper: FaceChangeNetwork) -> None:
        super().__init__()
        self.px, name = swapper.size_px, str(swapper.size_px)
        self.attributes, self.generator = swapper.attributes, swapper.generator
        attributes, generator = swapper.attributes, swapper.generator
        self.learned: tuple[nn.Module, ...] = (
            *(attributes.from_rgb[name], attributes.reduction[name], attributes.decoder[name]),
            *(generator.blocks[name], generator.to_rgb[name]),
        )

    def forward(
        self, feature: Tensor, attribute: Tensor, target: Tensor, identity: Tensor
    ) -> tuple[Tensor, list[Tensor]]:
        """Windows of the smaller model's fusion feature and finest `f_att` [N, C, h, h], the target's [N, 3, 2h, 2h],
        and f_id.

        Gives Y [N, 3, 2h, 2h] and the two masks; three pixels along a window's border are not what the whole would
        give.
        """
        encoded = self.attributes.from_rgb[str(self.px)](target)
        finest = self.attributes.decode(self.px, attribute, encoded)
        feature, *masks = self.generator.blocks[str(self.px)](feature, scale_identity(identity), finest)
        return self.generator.colour(feature), masks

    def learn_alone(self) -> None:
        """Freeze the swapper but for this level; of that, what hands the target's colours to the smaller model stays,
        too."""
        for network in (self.attributes, self.generator):
            network.requires_grad_(False)
        for module in self.learned:
            module.requires_grad_(True)
        for parameter in self.attributes.from_rgb.parameters():
            parameter.register_hook(_spare_colours)


def carry_finest(before: FaceChangeNetwork, after: FaceChangeNetwork) -> None:
    """Give `after` the finest level of `before`, a swapper of the same preset and size over another smaller one."""
    for mine, theirs in zip(FinestLevel(after).learned, FinestLevel(before).learned, strict=True):
        mine.load_state_dict(theirs.state_dict())


def _spare_colours(gradient: Tensor) -> Tensor:
    spared = torch.ones(len(gradient), *[1] * (gradient.ndim - 1), device=gradient.device)
    spared[: CONSTANT + 1] = 0
    return gradient * spared


def grow_discriminator(smaller: Discriminator, channels: ChannelTable) -> Discriminator:
    """A discriminator of these channels whose verdict is the smaller one's on the halved picture; raises
    `ModelError`."""
    size_px, wanted_px = max(smaller.channels), max(channels)
    if size_px > wanted_px or any(channels[px] != count for px, count in smaller.channels.items()):
        raise ModelError("The discriminator cannot grow into these channels.", "Use the same preset and a larger size.")
    while size_px < wanted_px:
        larger = Discriminator({px: count for px, count in channels.items() if px <= 2 * size_px})
        _copy_matching(smaller, larger)
        _hand_on_verdict(smaller, larger)
        smaller, size_px = larger, 2 * size_px
    return smaller


def _copy_matching(smaller: nn.Module, larger: nn.Module) -> None:
    fresh, trained = larger.state_dict(), smaller.state_dict()
    larger.load_state_dict(fresh | {name: trained[name] for name in fresh if name in trained})
    larger.to(next(smaller.parameters()).device)


@torch.no_grad()
def _hand_on_target(smaller: FaceChangeNetwork, larger: FaceChangeNetwork) -> None:
    """Make the new finest encoder layer carry the target's colours to where the old first layer read them."""
    old = _only_convolution(smaller.attributes.from_rgb)
    new = _only_convolution(larger.attributes.from_rgb)
    _pass_colours(new)
    new.weight[CONSTANT] = 0
    new.bias[CONSTANT] = 1
    joint = larger.attributes.encoder[str(smaller.size_px)]
    assert isinstance(joint, EqualizedConv2d)
    kernel = old.weight * old.scale  # [O, 3, 3, 3]
    joint.weight.zero_()
    joint.weight[:, :COLOURS] = kernel / joint.scale
    # The constant takes back what was raised, at the border as well, where padding hides both.
    joint.weight[:, CONSTANT] = -RAISE * kernel.sum(1) / joint.scale
    joint.bias.copy_(old.bias)


@torch.no_grad()
def _hand_on_picture(smaller: Generator, larger: Generator) -> None:
    """Make the new block carry the upsampled picture in three channels, and its negative in three more, to the new
    toRGB."""
    old, new = _only_convolution(smaller.to_rgb), _only_convolution(larger.to_rgb)
    block = larger.blocks[next(iter(larger.to_rgb))]
    assert isinstance(block, Block)
    first, second = block.first, block.second
    both = slice(2 * COLOURS)
    rows = (old.weight * old.scale)[:, :, 0, 0]  # [3, I]
    rows, bias = torch.cat((rows, -rows)), torch.cat((old.bias, -old.bias))
    for layer in (first, second):
        layer.affine.weight.zero_()  # every control vector starts at 1
        layer.weight[both] = 0
    # Demodulation makes kernels of any length the same; as long as random ones, they are as steady when they learn.
    first.weight[both, :, 1, 1] = rows * (first.weight[0].numel() ** 0.5 / rows.norm(dim=1, keepdim=True))
    second.weight[range(2 * COLOURS), range(2 * COLOURS), 1, 1] = second.weight[0].numel() ** 0.5
    gain = ACTIVATION_GAIN / rows.norm(dim=1)  # what demodulation makes of the first layer's rows
    first.bias[both] = gain * (bias + RAISE)
    new.weight.zero_()
    for sign, channels in ((1, range(COLOURS)), (-1, range(COLOURS, 2 * COLOURS))):
        new.weight[range(COLOURS), channels, 0, 0] = sign / (2 * gain[:COLOURS] * ACTIVATION_GAIN * new.scale)
    new.bias.zero_()


@torch.no_grad()
def _let_detail_in(larger: FaceChangeNetwork) -> None:
    """Make the new decoder layer find the target's detail, of either sign, for the new masks to add to the picture.

    One channel more is 1 along the picture's edges (more in its corners) and 0 within, and shuts the masks there.
    """
    name = str(larger.size_px)
    decoder, block, to_rgb = (
        larger.attributes.decoder[name],
        larger.generator.blocks[name],
        larger.generator.to_rgb[name],
    )
    assert isinstance(decoder, EqualizedConv2d) and isinstance(block, Block) and isinstance(to_rgb, EqualizedConv2d)
    border, channels = 2 * COLOURS, len(decoder.weight)
    for injection in (block.first_injection, block.second_injection):
        injection.weight.zero_()
        injection.weight[channels + border] = SHUT / injection.scale  # F2's half comes first
        injection.bias.fill_(OPEN)
    decoder.weight[: border + 1] = 0
    decoder.bias[: border + 1] = 0
    # Of detail d one channel gives activate(d), the other activate(-d): the difference is (1 + slope) d. It is let in
    # twice.
    mask = torch.sigmoid(torch.tensor(OPEN))
    encoded = decoder.weight.shape[1] // 2  # where the encoder's channels begin
    for sign, signed in ((1, range(COLOURS)), (-1, range(COLOURS, 2 * COLOURS))):
        seen = (
            (1 + NEGATIVE_SLOPE)
            * mask
            * (ACTIVATION_GAIN + 1)
            * (to_rgb.weight * to_rgb.scale)[range(COLOURS), range(COLOURS), 0, 0]
        )
        kernel = sign * DETAIL.to(decoder.weight) / (seen * decoder.scale)[:, None, None]  # [3, 3, 3]
        decoder.weight[signed, range(encoded, encoded + COLOURS)] = kernel
        # at the border, where padding hides what was raised
        decoder.weight[signed, encoded + CONSTANT] = -RAISE * kernel
    # an edge hides 4 / 16 of it
    decoder.weight[border, encoded + CONSTANT] = DETAIL.to(decoder.weight) * (4 / decoder.scale)


@torch.no_grad()
def _hand_on_verdict(smaller: Discriminator, larger: Discriminator) -> None:
    """Make the new finest discriminator block carry the picture's colours to where the old first layer read them."""
    old, new = _only_convolution(smaller.from_rgb), _only_convolution(larger.from_rgb)
    block = larger.blocks[next(iter(larger.from_rgb))]
    assert isinstance(block, ResidualBlock)
    _pass_colours(new)
    block.first.weight[:COLOURS] = 0
    block.first.weight[range(COLOURS), range(COLOURS), 1, 1] = 1 / block.first.scale
    kernel = (old.weight * old.scale)[:, :, 0, 0] / HALF_VARIANCE  # [O, 3]
    block.second.weight.zero_()
    block.second.weight[:, :COLOURS, 1, 1] = kernel / block.second.scale
    block.second.bias.copy_(old.bias / HALF_VARIANCE - RAISE * kernel.sum(1))
    block.shortcut.weight.zero_()


def _pass_colours(convolution: EqualizedConv2d) -> None:
    """Let the first channels be the picture's colours, raised."""
    middle = convolution.weight.shape[-1] // 2
    convolution.weight[:COLOURS] = 0
    convolution.weight[range(COLOURS), range(COLOURS), middle, middle] = 1 / convolution.scale
    convolution.bias[:COLOURS] = RAISE


def _only_convolution(modules: nn.ModuleDict) -> EqualizedConv2d:
    (convolution,) = modules.values()
    assert isinstance(convolution, EqualizedConv2d)
    return convolution
