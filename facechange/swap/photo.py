"""Photographs as files: read, change and publish, once consent was granted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from facechange.consent import Context, Grant
from facechange.core import Changed, Face, FaceError, Outcome, OutputError, PictureError
from facechange.faces.align import warp_crop
from facechange.faces.cover import LEVELS, cover_face
from facechange.faces.geometry import ffhq_crop_matrix, transform_points
from facechange.faces.paste_back import Keep
from facechange.faces.select import EVERY_FACE, LARGEST_FACE, Chosen, FaceSelector
from facechange.faces.turn import Beyond, check_followed, is_beyond, share_followed
from facechange.images import Picture, as_picture, read_picture, without_names
from facechange.images.kinds import is_moving
from facechange.images.picture import FURTHER_PICTURES
from facechange.images.reading import CHANGE_VIDEOS, readable_file
from facechange.provenance import check_writable, publish
from facechange.runtime import BakedIdentity
from facechange.swap.anonymize import TURNED, Fallback, anonymize_faces
from facechange.swap.assignment import IdentityAssignment, assign_identities, grant_change
from facechange.swap.mask_sheet import draw_mask_sheet, places_of_crops
from facechange.swap.swapper import Swapper, naming

_SHEET_CROP_PX = 384


@dataclass(frozen=True, kw_only=True)
class Changes:
    """How many faces of a photograph were changed or covered, and what became of each."""

    faces: int = 0
    unmet: dict[str, FaceError] = field(default_factory=dict)  # for a selector that named nobody, where others did, why
    # in words: further pictures of the file and, where people are hidden, kinds of metadata
    taken_away: tuple[str, ...] = ()
    # faces that were left as they are, because a change would smear them; where people are hidden none is
    turned: int = 0
    outcomes: tuple[Outcome, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Published(Changes):
    """What was written, and what was changed for it."""

    path: Path


def request_change(
    context: Context,
    sources: Sequence[Path],
    target: Path,
    output: Path,
    consent: str | None,
    purpose: str = "",
    persona: bool | None = None,
) -> Grant:
    """Leave to begin, from `grant_change`: asked for before a picture is decoded or a model is loaded.

    `persona` is `grant_change`'s.

    Raises what `consent.require_grant` raises, `OutputError` where `output` cannot be written or is one of the
    pictures, and `PictureError` where `target` moves: of an animation only one frame would be left.
    """
    with readable_file(target):
        if is_moving(target):
            raise PictureError(f"{target.name} is a video or an animation, not a photograph.", CHANGE_VIDEOS)
    if any(path.exists() and output.exists() and path.samefile(output) for path in (*sources, target)):
        raise OutputError(
            f"{output} is one of the pictures to read.", "Write the result to another file, so that the original stays."
        )
    check_writable(context, output)
    return grant_change(context, consent, sources, [target], purpose, persona)


def change_photograph(
    swapper: Swapper,
    assignment: IdentityAssignment,
    target: Path,
    output: Path,
    *,
    grant: Grant,
    face: FaceSelector = EVERY_FACE,
    strength: float = 1.0,
    keep: Keep = "mask",
    fallback: Fallback = "blur",
    beyond: Beyond = "left",
    baked: BakedIdentity | None = None,
) -> Published:
    """Give the faces of `target` that `face` selects the identities that `assignment` has for them, and publish it at
    `output`.

    `grant` is what `request_change` gave for these files; `baked` is the one identity of `assignment`, where it was
    baked. Everything else of the photograph, its metadata included, is kept; previews are not, and where the assignment
    hides people nothing that names them or places. What becomes of a face that is turned too far (`faces.turn`) is said
    by `beyond`, unless the assignment hides people: then `fallback` says how a face is covered that no persona makes
    unlike who it was, and the smallest face counts. Raises a `FacechangeError` that says what is wrong with which
    input; nothing partial is left at `output`.
    """
    result, faces, changes = render_photograph(
        swapper,
        assignment,
        target,
        face=face,
        strength=strength,
        keep=keep,
        fallback=fallback,
        beyond=beyond,
        baked=baked,
    )
    path = publish(
        result,
        output,
        grant=grant,
        card=swapper.card,
        target=target,
        sources=assignment.sources,
        faces=faces,
        nameless=assignment.hides,
    )
    return Published(path=path, **vars(changes))


def render_photograph(
    swapper: Swapper,
    assignment: IdentityAssignment,
    target: Path,
    *,
    face: FaceSelector = EVERY_FACE,
    strength: float = 1.0,
    keep: Keep = "mask",
    fallback: Fallback = "blur",
    beyond: Beyond = "left",
    baked: BakedIdentity | None = None,
    chosen: Chosen | None = None,
) -> tuple[Picture, Sequence[Face], Changes]:
    """What `change_photograph` publishes: the picture, unmarked, its changed or covered faces, and what became of them.

    `chosen` are the faces, where they are known by `choose_faces_of`.
    """
    picture = read_picture(target)
    chosen = chosen or choose_faces_of(swapper, picture, target, face, assignment.hides)
    with naming(target):
        if not assignment.hides and beyond != "covered":
            check_followed(chosen.faces)
    if assignment.hides:
        changed, left = anonymize_faces(swapper, picture, chosen.faces, assignment, fallback, keep), 0
    else:
        kept = _keep(chosen, [index for index, face in enumerate(chosen.faces) if not is_beyond(face)])
        left = 0 if beyond == "covered" else len(chosen.faces) - len(kept.faces)
        shares = [share_followed(face.points) for face in kept.faces] if beyond == "faded" else None
        identities = baked or assign_identities(swapper, assignment, picture, kept)
        changed = swapper.change(
            picture, identities, kept.faces, strength, keep, source=assignment.recognised, shares=shares
        )
        if beyond == "covered":
            changed = _cover(changed, [face for face in chosen.faces if is_beyond(face)])
    result = replace(picture, pixels=changed.image)
    further = tuple(words for words in picture.left_behind if words == FURTHER_PICTURES)
    result, taken_away = without_names(result) if assignment.hides else (result, further)
    changes = Changes(
        faces=len(changed.faces), unmet=chosen.unmet, taken_away=taken_away, turned=left, outcomes=changed.outcomes
    )
    return result, changed.faces, changes


def choose_faces_of(swapper: Swapper, picture: Picture, target: Path, face: FaceSelector, everybody: bool) -> Chosen:
    """`Swapper.choose` in the `picture` that `target` holds, which errors name."""
    with naming(target):
        return swapper.choose(picture, face, everybody=everybody)


def _keep(chosen: Chosen, indices: list[int]) -> Chosen:
    """The faces at `indices` of `chosen`, and their rules."""
    return replace(
        chosen, faces=[chosen.faces[index] for index in indices], rules=[chosen.rules[index] for index in indices]
    )


def _cover(changed: Changed, faces: list[Face]) -> Changed:
    """`changed` with a blur over each of `faces` as well, in place."""
    for face in faces:
        cover_face(changed.image, face, "blur", LEVELS["blur"][-1])
    outcomes = tuple(Outcome(face, "blur", TURNED) for face in faces)
    return replace(changed, faces=[*changed.faces, *faces], outcomes=(*changed.outcomes, *outcomes))


def publish_mask_sheet(
    swapper: Swapper,
    source: Path,
    target: Path,
    output: Path,
    *,
    grant: Grant,
    face: FaceSelector = LARGEST_FACE,
    source_face: FaceSelector | None = None,
) -> Published:
    """Publish a sheet of one change: source, target, result and every control mask, coarse to fine (the patent's Fig.
    6).

    `source_face` is `Swapper.find_source`'s. The result on it carries the watermark, as a changed photograph does.
    """
    target_picture = read_picture(target)
    source_picture, giving = swapper.find_source(source, source_face)
    with naming(target):
        target_face = swapper.select(target_picture, face)[0]
    identity = swapper.identify(source_picture, face=giving)
    changed = swapper.change(target_picture, identity, [target_face], keep="crop", with_masks=True)
    shown = [
        (source_picture.rgb8(), giving),
        (target_picture.rgb8(), target_face),
        (as_picture(changed.image).rgb8(), target_face),
    ]
    crops = [warp_crop(image, ffhq_crop_matrix(each.points, _SHEET_CROP_PX), _SHEET_CROP_PX) for image, each in shown]
    sheet = draw_mask_sheet(crops[0], crops[1], crops[2], changed.masks[0])
    points = transform_points(target_face.points, ffhq_crop_matrix(target_face.points, _SHEET_CROP_PX))
    left, top = places_of_crops(_SHEET_CROP_PX, changed.masks[0])[2]
    shown_face = Face(
        (left, top, _SHEET_CROP_PX, _SHEET_CROP_PX),
        (points + np.array([left, top])).astype(np.float32),
        target_face.score,
    )
    path = publish(
        as_picture(sheet), output, grant=grant, card=swapper.card, target=target, sources=[source], faces=[shown_face]
    )
    return Published(path=path, faces=1)
