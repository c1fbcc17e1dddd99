"""Photographs as files: read, change and publish, once consent was granted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from facechange.change.anonymising import Fallback, anonymize_faces
from facechange.change.casting import Casting, are_personas
from facechange.change.changer import Changer, naming
from facechange.change.mask_sheet import draw_mask_sheet, place_of_result
from facechange.core import Changed, Face, Outcome, OutputError
from facechange.faces.align import warp_crop
from facechange.faces.geometry import ffhq_crop_matrix, transform_points
from facechange.faces.put_back import Keep
from facechange.faces.select import select_faces
from facechange.pictures import Picture, as_picture, read_picture
from facechange.trust import Grant, check_writable, publish, require_grant

_SHEET_CROP_PX = 384


@dataclass(frozen=True)
class Published:
    """What was written, how many faces were changed or covered for it, and what became of each."""

    path: Path
    faces: int
    outcomes: tuple[Outcome, ...] = ()


def request_change(
    sources: Sequence[Path], target: Path, output: Path, consent: str | None, purpose: str = "", persona: bool | None = None
) -> Grant:
    """Leave to begin, from `trust.require_grant`: asked for before a picture is decoded or a model is loaded.

    `persona` says that the identity is a synthetic person's; by default that is so where `sources` are personas.

    Raises what `require_grant` raises, and `OutputError` where `output` cannot be written or is one of the pictures.
    """
    if any(path.exists() and output.exists() and path.samefile(output) for path in (*sources, target)):
        raise OutputError(f"{output} is one of the pictures to read.", "Write the result to another file, so that the original stays.")
    check_writable(output)
    persona = are_personas(sources) if persona is None else persona
    return require_grant(consent, sources, [target], purpose, persona)


def change_photograph(
    changer: Changer,
    casting: Casting,
    target: Path,
    output: Path,
    *,
    grant: Grant,
    face: str = "all",
    strength: float = 1.0,
    keep: Keep = "mask",
    fallback: Fallback = "blur",
) -> Published:
    """Give the faces of `target` that `face` selects the identities that `casting` has for them, and publish it at `output`.

    `grant` is what `request_change` gave for these files. Everything else of the photograph, its metadata included, is kept.
    Where the casting hides who people are, `fallback` says how a face is covered that no persona makes unlike who it was.
    Raises a `FacechangeError` that says what is wrong with which input; nothing partial is left at `output`.
    """
    picture = read_picture(target)
    with naming(target):
        changed = _change(changer, casting, picture, face, strength, keep, fallback)
    result = replace(picture, pixels=changed.image)
    path = publish(result, output, grant=grant, card=changer.card, target=target, sources=casting.sources, faces=changed.faces)
    return Published(path, len(changed.faces), changed.outcomes)


def _change(changer: Changer, casting: Casting, picture: Picture, face: str, strength: float, keep: Keep, fallback: Fallback) -> Changed:
    """The faces of `picture` that `face` selects, as `casting` has them."""
    if casting.hides:
        shape = picture.pixels.shape
        # However small: a face that is missed is worse than something else that is covered.
        faces = select_faces(changer.locate(picture), face, (shape[1], shape[0])) if face == "all" else changer.select(picture, face)
        return anonymize_faces(changer, picture, faces, casting, fallback, keep)
    faces = changer.select(picture, face)
    identity = casting.everyone
    if identity is None:
        identity = np.stack([casting.identity_for(changer.identify(picture, face=each)) for each in faces])
    return changer.change(picture, identity, faces, strength, keep, source=casting.recognised)


def publish_mask_sheet(changer: Changer, source: Path, target: Path, output: Path, *, grant: Grant, face: str = "largest") -> Published:
    """Publish a sheet of one change: source, target, result and every control mask, coarse to fine (the patent's Fig. 6).

    The result on it carries the watermark, as a changed photograph does.
    """
    source_picture, target_picture = read_picture(source), read_picture(target)
    with naming(source):
        source_face = changer.select(source_picture, "largest")[0]
    with naming(target):
        target_face = changer.select(target_picture, face)[0]
    identity = changer.identify(source_picture, face=source_face)
    changed = changer.change(target_picture, identity, [target_face], keep="crop", with_masks=True)
    shown = [
        (source_picture.rgb8(), source_face),
        (target_picture.rgb8(), target_face),
        (as_picture(changed.image).rgb8(), target_face),
    ]
    crops = [warp_crop(image, ffhq_crop_matrix(each.points, _SHEET_CROP_PX), _SHEET_CROP_PX) for image, each in shown]
    sheet = draw_mask_sheet(crops[0], crops[1], crops[2], changed.masks[0])
    points = transform_points(target_face.points, ffhq_crop_matrix(target_face.points, _SHEET_CROP_PX))
    left, top = place_of_result(_SHEET_CROP_PX, changed.masks[0])
    shown_face = Face((left, top, _SHEET_CROP_PX, _SHEET_CROP_PX), (points + np.array([left, top])).astype(np.float32), target_face.score)
    path = publish(as_picture(sheet), output, grant=grant, card=changer.card, target=target, sources=[source], faces=[shown_face])
    return Published(path, 1)
