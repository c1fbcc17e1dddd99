"""Identities of people who do not exist: a Gaussian in the space of identities, learned from training faces."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from facechange.core import TrainingError

# of the identities' 512 dimensions: 96 % of their variance on the faces that the shipped weights learned from
AXES = 128


class PersonaSampler(nn.Module):
    """Standard normal `noise` [N, AXES] => `identity` [N, 512] of length 1 and `nearest` [N], its largest cosine to a
    training identity.

    The training identities are kept only as far as the cosine needs them: by their coordinates on the axes, `AXES + 1`
    numbers each.
    """

    def __init__(self, identities: Tensor) -> None:
        """Fit to `identities` [M, 512] of length 1; raises `TrainingError` where there are fewer than twice as many as
        axes."""
        super().__init__()
        if len(identities) < 2 * AXES:
            raise TrainingError(
                f"{len(identities)} faces are too few to learn personas from.", f"Give at least {2 * AXES}."
            )
        identities = identities.double()
        mean = identities.mean(0)
        _, spread, directions = torch.linalg.svd(identities - mean, full_matrices=False)
        axes = directions[:AXES] * (spread[:AXES, None] / len(identities) ** 0.5)  # a step of 1 is a standard deviation
        basis = torch.cat([mean[None], axes])  # [AXES + 1, 512]
        self.basis = nn.Parameter(basis.float(), requires_grad=False)
        self.training_coordinates = nn.Parameter((basis @ identities.T).float(), requires_grad=False)  # [AXES + 1, M]

    def forward(self, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Draw a persona for each row of `noise`."""
        steps = torch.cat([torch.ones_like(noise[:, :1]), noise], 1)  # [N, AXES + 1]
        drawn = steps @ self.basis
        nearest = (steps @ self.training_coordinates).amax(1) / drawn.norm(dim=1)
        return functional.normalize(drawn, dim=1), nearest
