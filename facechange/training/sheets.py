"""Sheets of source, target, result and masks, for people to look at while a run goes on."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from facechange.training.face_batch import FaceBatch
from facechange.training.face_step import FaceStep

SHEET_ROWS = 8


@torch.no_grad()
def draw_sheet(folder: Path, run: FaceStep, batch: FaceBatch, pictures: int) -> None:
    """Write `sheet-PICTURES.png`: a row a pair with source, target, the average model's result, its masks coarse to fine."""
    rows = slice(-SHEET_ROWS, None)  # the last of a batch are different-object pairs
    source, target = batch.source[rows], batch.target[rows]
    changed, masks = run.networks.average(target, run.read_identities(batch)[rows], with_masks=True)
    size = target.shape[-1]
    shown = [source, target, changed, *(_enlarge(mask, size) for mask in masks[1::2])]
    sheet = torch.cat([torch.cat(list(picture.float().clamp(-1, 1)), 1) for picture in shown], 2)
    pixels = sheet.add(1).mul(127.5).round().byte().permute(1, 2, 0).cpu().numpy()
    encoded = cv2.imencode(".png", np.ascontiguousarray(pixels[..., ::-1]))[1]
    (folder / f"sheet-{pictures:08d}.png").write_bytes(encoded.tobytes())


def _enlarge(mask: Tensor, size: int) -> Tensor:
    """[N, 1, h, w] in [0, 1] to grey pictures [N, 3, size, size] in [-1, 1]."""
    return torch.nn.functional.interpolate(mask.float(), size=size, mode="nearest").expand(-1, 3, -1, -1) * 2 - 1
