"""Sheets of source, target, result and masks, for people to look at while a run goes on."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from facechange.core import ConsentError, Face, ModelCard, say
from facechange.models.identity import count_parameters
from facechange.training.face_batch import FaceBatch
from facechange.training.face_step import FaceStep

if TYPE_CHECKING:
    from facechange.consent import Grant

SHEET_ROWS = 8


def grant_sheets(shards: Path) -> Grant | None:
    """Leave to show what a model in training makes of the faces in `shards`; None, which is said on stderr, where
    sheets cannot be.

    They show changed faces, and leave as every changed picture does: that takes packages which a machine that only
    trains may not have, and consent that is not revoked and is enough for the operator's settings.
    """
    try:
        from facechange.consent import load_context, require_evaluation_grant

        return require_evaluation_grant(load_context(), sorted(shards.glob("aligned-*.jsonl")))
    except ImportError as error:
        say(f"No sheets are drawn: {error.name} is not installed.", err=True)
    except ConsentError as error:
        say(f"No sheets are drawn. {error}", err=True)
    return None


@torch.no_grad()
def draw_sheet(folder: Path, run: FaceStep, batch: FaceBatch, pictures: int, grant: Grant) -> None:
    """Publish `sheet-PICTURES.png`: a row a pair with source, target, the EMA's result, its masks coarse to fine.

    Raises what `provenance.publish` raises.
    """
    from facechange.images import as_picture
    from facechange.provenance import publish

    rows = slice(-SHEET_ROWS, None)  # the last of a batch are different-object pairs
    source, target = batch.source[rows], batch.target[rows]
    changed, masks = run.networks.ema(target, run.read_identities(batch)[rows], with_masks=True)
    size = target.shape[-1]
    shown = [source, target, changed, *(_enlarge(mask, size) for mask in masks[1::2])]
    sheet = torch.cat([torch.cat(list(picture.float().clamp(-1, 1)), 1) for picture in shown], 2)
    pixels = sheet.add(1).mul(127.5).round().byte().permute(1, 2, 0).cpu().numpy()
    faces = []
    for row, points in enumerate(batch.target_points[rows].cpu().numpy()):
        corner = np.array([2.0 * size, row * size])  # of the result
        faces.append(Face((*corner.tolist(), size, size), (points + corner).astype(np.float32), 1.0))
    card = _describe(run.networks.ema, size, pictures)
    publish(
        as_picture(np.ascontiguousarray(pixels)),
        folder / f"sheet-{pictures:08d}.png",
        grant=grant,
        card=card,
        faces=faces,
    )


def _describe(network: torch.nn.Module, size: int, pictures: int) -> ModelCard:
    """A card of a model in training, by the SHA-256 of its weights; it lies beside no graph."""
    weights = hashlib.sha256()
    for tensor in network.state_dict().values():
        weights.update(tensor.float().cpu().numpy().tobytes())
    return ModelCard(
        name="facechange in training",
        role="change",
        version=f"at {pictures:,} pictures",
        summary="A model in training.",
        licence="",
        sha256=weights.hexdigest(),
        size_px=size,
        parameters=count_parameters(network),
        normalisation="",
        template="",
        inputs={},
        outputs={},
        data="",
        training="",
        limits="",
    )


def _enlarge(mask: Tensor, size: int) -> Tensor:
    """[N, 1, h, w] in [0, 1] to grey pictures [N, 3, size, size] in [-1, 1]."""
    return torch.nn.functional.interpolate(mask.float(), size=size, mode="nearest").expand(-1, 3, -1, -1) * 2 - 1
