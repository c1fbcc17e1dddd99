"""Photographs as files: consent first, then read, change and publish."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from facechange.change.changer import Changer, naming
from facechange.change.mask_sheet import draw_mask_sheet
from facechange.core import OutputError
from facechange.faces.align import warp_crop
from facechange.faces.geometry import ffhq_crop_matrix
from facechange.faces.put_back import Keep
from facechange.pictures import as_picture, read_picture
from facechange.trust import check_writable, publish, require_consent

_SHEET_CROP_PX = 384


@dataclass(frozen=True)
class Published:
    """What was written, and how many faces were changed for it."""

    path: Path
    faces: int


def check_request(inputs: Sequence[Path], output: Path, consent: str | None) -> str:
    """The statement of consent, if the work may begin: checked before anything is read or loaded.

    Raises `ConsentError` without consent and `OutputError` where `output` cannot be written or is one of `inputs`.
    """
    statement = require_consent(consent)
    if any(path.exists() and output.exists() and path.samefile(output) for path in inputs):
        raise OutputError(f"{output} is one of the pictures to read.", "Write the result to another file, so that the original stays.")
    check_writable(output)
    return statement


def change_photograph(
    changer: Changer,
    sources: Sequence[Path],
    target: Path,
    output: Path,
    *,
    consent: str | None,
    face: str = "all",
    strength: float = 1.0,
    keep: Keep = "mask",
) -> Published:
    """Give the faces of `target` that `face` selects the identity of the person in `sources`, and publish it at `output`.

    Everything else of the photograph, its metadata included, is kept. Raises a `FacechangeError` that says what is
    wrong with which input; nothing partial is left at `output`.
    """
    statement = check_request([*sources, target], output, consent)
    picture = read_picture(target)
    identity = changer.identify(*sources)
    with naming(target):
        faces = changer.select(picture, face)
    changed = changer.change(picture, identity, faces, strength, keep)
    path = publish(replace(picture, pixels=changed.image), output, consent=statement, model=changer.model)
    return Published(path, len(changed.faces))


def publish_mask_sheet(
    changer: Changer, source: Path, target: Path, output: Path, *, consent: str | None, face: str = "largest"
) -> Published:
    """Publish a sheet of one change: source, target, result and every control mask, coarse to fine (the patent's Fig. 6)."""
    statement = check_request([source, target], output, consent)
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
    crops = [warp_crop(image, ffhq_crop_matrix(shown_face.points, _SHEET_CROP_PX), _SHEET_CROP_PX) for image, shown_face in shown]
    sheet = draw_mask_sheet(crops[0], crops[1], crops[2], changed.masks[0])
    path = publish(as_picture(sheet), output, consent=statement, model=changer.model)
    return Published(path, 1)
