"""The only exit: mark the pixels, state what was done, sign, write beside the place, rename."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from facechange.consent.context import Context
from facechange.consent.gate import Grant, check_agreed, check_still_held
from facechange.core import Face, ModelCard, OutputError
from facechange.core.files import check_place, part_file, plain_errors, take_name, write_whole
from facechange.core.settings import MarkingSettings
from facechange.images import WRITABLE_SUFFIXES, Picture, encode_picture, read_xmp
from facechange.provenance.credentials import can_embed, sidecar_of, sign_file, sign_picture
from facechange.provenance.manifest import Publication
from facechange.provenance.marks import mark_frame, say_once, say_what_is_off
from facechange.provenance.registry import check_can_remember, new_identifier, remember
from facechange.provenance.statement import add_statement, parse_statement


@dataclass(frozen=True)
class Marks:
    """What the pixels and the words of a picture are marked with. There is no key in it, so that it may travel."""

    statement: str  # `Grant.statement`
    persona: bool
    marking: MarkingSettings
    identifier: int | None  # of the watermark to put in; None where the pixels have theirs

    @classmethod
    def of(cls, grant: Grant, persona: bool = False) -> Marks:
        """Those of one change that rests on `grant`, with an identifier that no file published from here has."""
        context = grant.context
        marking = replace(context.settings.marking, certificate=None, key=None)
        return cls(grant.statement, persona or grant.persona, marking, new_identifier(context.folders.data))


@dataclass(frozen=True, repr=False)
class MarkedPicture:
    """An encoded picture with its marks and without credentials: only `publish_marked` gives it out."""

    data: bytes
    identifier: int | None  # of its watermark


def mark_picture(
    picture: Picture, suffix: str, *, marks: Marks, card: ModelCard, faces: Sequence[Face] = ()
) -> MarkedPicture:
    """Mark and encode a picture in the format of `suffix`; `faces` are the changed ones, where the watermark goes.

    It needs neither ledger nor key, so that it can be done on another machine than `publish_marked`.
    """
    pixels, identifier = picture.pixels, None
    if marks.identifier is not None:
        pixels = mark_frame(pixels, faces, marks.identifier, marks.marking)
        identifier = marks.identifier if faces and marks.marking.watermark else None
    xmp, statement = add_statement(picture.xmp, marks.statement, f"{card.name} {card.version}", marks.persona)
    text = {"Software": statement["software"], "Consent": statement["consent"], "Model": statement["model"]}
    return MarkedPicture(encode_picture(replace(picture, pixels=pixels, xmp=xmp), suffix, text), identifier)


def publish(
    picture: Picture,
    path: Path,
    *,
    grant: Grant,
    card: ModelCard,
    target: Path | None = None,
    sources: Sequence[Path] = (),
    faces: Sequence[Face] = (),
    identifier: int | None = None,
    persona: bool = False,
    overwrite: bool = True,
    nameless: bool = False,
) -> Path:
    """Write a changed picture, marked and signed; either the whole file appears at `path` or nothing does.

    `faces` are the changed ones, where the watermark goes; with `identifier` the pixels were marked with that one by
    `mark_frame` already, as a video's are, and are left as they are. `target` and `sources` are named in the
    credentials by their hash, and the target's own credentials are kept, unless the result is to be `nameless`: they
    can name people. Returns `path`. Raises `OutputError` where the file cannot be written, and `ConsentError` where
    `target` or one of `sources` is not, byte for byte, what `grant` is about, and where the consent that it rests on,
    or any other for the same pictures, was revoked or ended meanwhile.
    """
    targets = (target,) if target else ()
    _check_all(grant, path, targets, sources, overwrite)
    marks = Marks.of(grant, persona)
    marked = mark_picture(
        picture,
        path.suffix,
        marks=marks if identifier is None else replace(marks, identifier=None),
        card=card,
        faces=faces,
    )
    if identifier is not None and marks.marking.watermark:
        marked = replace(marked, identifier=identifier)
    _give_out(
        marked, path, Publication(grant, card, targets, tuple(sources), marked.identifier, marks.persona, nameless)
    )
    return path


def publish_marked(
    marked: MarkedPicture,
    path: Path,
    *,
    grant: Grant,
    card: ModelCard,
    target: Path,
    sources: Sequence[Path] = (),
    persona: bool = False,
    overwrite: bool = True,
    nameless: bool = False,
) -> Path:
    """`publish` for what `mark_picture` made, here or on another machine: consent is checked and credentials are signed
    here, where ledger and key are. Raises as `publish` does."""
    _check_all(grant, path, (target,), sources, overwrite)
    publication = Publication(
        grant, card, (target,), tuple(sources), marked.identifier, persona or grant.persona, nameless
    )
    _give_out(marked, path, publication)
    return path


def _check_all(grant: Grant, path: Path, targets: Sequence[Path], sources: Sequence[Path], overwrite: bool) -> None:
    """Raise what `publish` would have to, before anything is encoded or signed."""
    check_writable(grant.context, path, overwrite)
    check_agreed(grant, targets, sources)
    check_still_held(grant)
    say_what_is_off(grant.context)


def _give_out(marked: MarkedPicture, path: Path, publication: Publication) -> None:
    data = marked.data
    if publication.grant.context.settings.marking.credentials:
        data, store = sign_picture(data, path.suffix, publication)
        remember(publication, store)
    with plain_errors(path):
        write_whole(data, path)


def publish_media(
    work_file: Path,
    path: Path,
    *,
    grant: Grant,
    card: ModelCard,
    targets: Sequence[Path] = (),
    sources: Sequence[Path] = (),
    identifier: int | None = None,
    persona: bool = False,
    overwrite: bool = True,
    nameless: bool = False,
) -> Path:
    """Give an encoded file its credentials, and put it at `path`; the whole file appears there or nothing does.

    `identifier` is the watermark's with which `mark_frame` marked each frame; None where no frame was marked. A
    container that cannot hold credentials gets `NAME.SUFFIX.c2pa` beside it, which is said on stderr. `work_file` stays
    the caller's. Returns `path`. Raises as `publish` does.
    """
    context = grant.context
    marking = context.settings.marking
    check_media_writable(context, path, overwrite)
    check_agreed(grant, targets, sources)
    check_still_held(grant)
    say_what_is_off(context)
    publication = Publication(
        grant,
        card,
        targets=tuple(targets),
        sources=tuple(sources),
        identifier=identifier if marking.watermark else None,
        persona=persona or grant.persona,
        nameless=nameless,
    )
    with plain_errors(path), part_file(path.resolve().parent) as part:
        if marking.credentials:
            store = sign_file(work_file, part, path.suffix, publication)
            remember(publication, store)
            if not can_embed(path.suffix):
                write_whole(store, sidecar_of(path))
                say_once(
                    f"{path.suffix} cannot hold content credentials; they are in {sidecar_of(path)}. Keep the two files together."
                )
        else:
            shutil.copyfile(work_file, part)
        take_name(part, path)
    return path


def check_writable(context: Context, path: Path, overwrite: bool = True) -> None:
    """Raise `OutputError` where `publish` would have to, so that no work is done in vain: kind, folder, permission,
    space, signing key."""
    if path.suffix.lower() not in WRITABLE_SUFFIXES:
        raise OutputError(
            f"The name {path.name} ends in no kind of picture.", f"Use one of {', '.join(WRITABLE_SUFFIXES)}."
        )
    check_place(path, overwrite)
    _check_marking(context)


def check_media_writable(context: Context, path: Path, overwrite: bool = True) -> None:
    """Raise `OutputError` where `publish_media` would have to."""
    check_place(path, overwrite)
    if not can_embed(path.suffix):
        check_place(sidecar_of(path), overwrite)
    _check_marking(context)


def read_statement(path: Path) -> dict[str, str]:
    """What a picture says about its change: consent, model, software, digital_source_type; empty where it says nothing.

    Raises `PictureError` where the file is no picture.
    """
    return parse_statement(read_xmp(path))


def _check_marking(context: Context) -> None:
    """Raise what signing with an unusable key would raise at the end of the work; nothing is made yet."""
    if context.settings.marking.credentials:
        context.keys.check()
        check_can_remember(context.folders.data)
