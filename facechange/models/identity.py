"""The identity network: aligned crop to a unit vector `f_id` of 512 numbers (para. 33).

It is two networks and a mapping: one of its own, whose vectors the generator learned to follow, MobileFaceNet, which
knows more people, and what moves the vectors of the first, by what the second sees, to where the generator follows
them.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from facechange.models.recognizer import MobileFaceNet, RecognizerIdentity, blank_tensors

IDENTITY_SIZE = 112
IDENTITY_DIMENSIONS = 512
MAPPING_WIDTH = 1024
# of the way that the mapping moves a vector; the rest of it costs pose and light, and dlib knows nobody better for it
MAPPED_SHARE = 0.8
MOVED_SHARE = 0.25  # of what the mapping's layers give, so that it moves slowly at first


class ResidualBlock(nn.Module):
    """Pre-activation residual block (He et al. 2016b); halves the map where `stride` is 2."""

    def __init__(self, channels_in: int, channels_out: int, stride: int = 1) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(channels_in)
        self.conv1 = nn.Conv2d(channels_in, channels_out, 3, stride, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels_out)
        self.conv2 = nn.Conv2d(channels_out, channels_out, 3, 1, 1, bias=False)
        self.skip: nn.Module = nn.Identity()
        if stride != 1 or channels_in != channels_out:
            self.skip = nn.Sequential(nn.AvgPool2d(stride), nn.Conv2d(channels_in, channels_out, 1, bias=False))

    def forward(self, features: Tensor) -> Tensor:
        hidden = functional.relu(self.norm1(features))
        return self.skip(features) + self.conv2(functional.relu(self.norm2(self.conv1(hidden))))


class IdentityNetwork(nn.Module):
    """Crop [N, 3, 112, 112] in [-1, 1], RGB, ArcFace template, to L2-normalised identities [N, 512]; 2.9 M
    parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 32, 5, 2, 2, bias=False)  # 56²
        self.blocks = nn.Sequential(
            ResidualBlock(32, 48),
            ResidualBlock(48, 96, stride=2),  # 28²
            ResidualBlock(96, 96),
            ResidualBlock(96, 160, stride=2),  # 14²
            ResidualBlock(160, 160),
            ResidualBlock(160, 160),
            ResidualBlock(160, 224, stride=2),  # 7²
        )
        self.last_norm = nn.BatchNorm2d(224)
        self.widen = nn.Conv2d(224, IDENTITY_DIMENSIONS, 1, bias=False)
        self.pool = nn.Conv2d(IDENTITY_DIMENSIONS, IDENTITY_DIMENSIONS, 7, groups=IDENTITY_DIMENSIONS, bias=False)
        self.head = nn.Linear(IDENTITY_DIMENSIONS, IDENTITY_DIMENSIONS)

    def features(self, crop: Tensor) -> Tensor:
        """The last map before pooling, [N, 512, 7, 7]."""
        return self.widen(functional.relu(self.last_norm(self.blocks(self.stem(crop)))))

    def embed(self, features: Tensor) -> Tensor:
        """Unit vectors [N, 512] from `features`."""
        pooled = self.pool(functional.relu(features)).flatten(1)
        return functional.normalize(self.head(pooled).float(), dim=1)

    def view(self, crop: Tensor) -> Tensor:
        """Unit vectors [N, 512] of the crops as they are: half the cost, for losses."""
        assert crop.shape[1:] == (3, IDENTITY_SIZE, IDENTITY_SIZE), crop.shape
        return self.embed(self.features(crop))

    def forward(self, crop: Tensor) -> Tensor:
        """`f_id`: the mean over the crop and its mirror image, because who somebody is does not depend on the side."""
        return functional.normalize(self.view(crop) + self.view(crop.flip(-1)), dim=1)


class IdentityMapping(nn.Module):
    """Vectors of both networks to the one that the generator is given; it starts as the first network's, unmoved.

    Trained through a frozen generator (`training/mapping.py`), as a mapping network stands before a frozen synthesis
    (Karras et al. 2019).
    """

    def __init__(self) -> None:
        super().__init__()
        self.hidden = nn.Linear(2 * IDENTITY_DIMENSIONS, MAPPING_WIDTH)
        self.bent = nn.Linear(MAPPING_WIDTH, IDENTITY_DIMENSIONS)
        self.straight = nn.Linear(2 * IDENTITY_DIMENSIONS, IDENTITY_DIMENSIONS)
        for layer in (self.bent, self.straight):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)

    def forward(self, identity: Tensor, features: Tensor) -> Tensor:
        """Two of [N, 512], of length 1 => [N, 512] of length 1."""
        seen = torch.cat((identity, features), 1) * math.sqrt(IDENTITY_DIMENSIONS)  # components of size 1
        moved = self.bent(functional.leaky_relu(self.hidden(seen), 0.2)) + self.straight(seen)
        return functional.normalize(identity + moved * (MOVED_SHARE / math.sqrt(IDENTITY_DIMENSIONS)), dim=1)


class MappedIdentity(nn.Module):
    """The identity network that ships: crop [N, 3, 112, 112] in [-1, 1], RGB, ArcFace template, to `f_id` [N, 512] of
    length 1."""

    def __init__(self, network: IdentityNetwork, recognizer: RecognizerIdentity, mapping: IdentityMapping) -> None:
        super().__init__()
        self.network, self.recognizer, self.mapping = network, recognizer, mapping

    @classmethod
    def blank(cls) -> MappedIdentity:
        """One whose weights are still to be loaded."""
        return cls(IdentityNetwork(), RecognizerIdentity(MobileFaceNet(blank_tensors())), IdentityMapping())

    def view(self, crop: Tensor) -> Tensor:
        """Unit vectors [N, 512] of the crops as they are: half the cost, for losses."""
        return self.map(self.network.view(crop), self.recognizer.view(crop))

    def forward(self, crop: Tensor) -> Tensor:
        """`f_id`, of the means over the crop and its mirror image."""
        return self.map(self.network(crop), self.recognizer(crop))

    def map(self, identity: Tensor, features: Tensor) -> Tensor:
        """`f_id` [N, 512] of what both networks saw: `MAPPED_SHARE` of the way from the first one's to where the
        mapping moves it."""
        return functional.normalize(torch.lerp(identity, self.mapping(identity, features), MAPPED_SHARE), dim=1)


def count_parameters(network: nn.Module) -> int:
    """Trainable and frozen numbers in `network`."""
    return sum(parameter.numel() for parameter in network.parameters())
