"""The only exit: mark the pixels, state what was done, sign, write beside the place, rename."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from facechange.consent.context import Context
from facechange.consent.gate import Grant, check_agreed, check_still_held
from facechange.core import Face, ModelCard, OutputError
from facechange.core.files import check_place, part_file, plain_errors, take_name, write_whole
from facechange.images import WRITABLE_SUFFIXES, Picture, encode_picture, read_xmp
from facechange.provenance.credentials import can_embed, sidecar_of, sign_file, sign_picture
from facechange.provenance.manifest import Publication
from facechange.provenance.marks import mark_frame, say_once, say_what_is_off
from facechange.provenance.registry import check_can_remember, new_identifier, remember
from facechange.provenance.statement import add_statement, parse_statement


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
    context = grant.context
    marking, targets = context.settings.marking, (target,) if target else ()
    check_writable(context, path, overwrite)
    check_agreed(grant, targets, sources)
    check_still_held(grant)
    say_what_is_off(context)
    pixels = picture.pixels
    if identifier is None:
        identifier = new_identifier(context.folders.data)
        pixels = mark_frame(pixels, faces, identifier, marking)
        identifier = identifier if faces else None
    publication = Publication(
        grant,
        card,
        targets=targets,
        sources=tuple(sources),
        identifier=identifier if marking.watermark else None,
        persona=persona or grant.persona,
        nameless=nameless,
    )
    xmp, statement = add_statement(picture.xmp, grant.statement, f"{card.name} {card.version}", publication.persona)
    text = {"Software": statement["software"], "Consent": statement["consent"], "Model": statement["model"]}
    marked = replace(picture, pixels=pixels, xmp=xmp)
    data = encode_picture(marked, path.suffix, text)
    if marking.credentials:
        data, store = sign_picture(data, path.suffix, publication)
        remember(publication, store)
    with plain_errors(path):
        write_whole(data, path)
    return path


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
