"""What `facechange` offers to other programs, from files to files; `facechange/__init__.py` hands it out under short
names.

Each function asks for consent, publishes with marks and credentials, and raises one of `facechange.errors`. `swapper`
is what `facechange.load` gave, loaded anew where there is none; `context` is an installation's settings, ledger and
keys, of whoever runs this by default.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, TypeAlias

from facechange.consent import Context, load_context, require_grant
from facechange.consent.recording import record_identity
from facechange.core import DependencyError, Face
from facechange.faces.paste_back import Keep
from facechange.faces.select import FaceSelector, as_selector
from facechange.faces.turn import Beyond
from facechange.images.kinds import is_moving
from facechange.images.reading import readable_file
from facechange.provenance.verify import Findings, examine
from facechange.swap import PersonaAssignment, change_photograph, load_swapper, request_change
from facechange.swap.anonymize import BASIS, Fallback
from facechange.swap.assignment import grant_change, read_identity
from facechange.swap.identities import PASSPHRASE_VARIABLE, Identity, check_identity_place
from facechange.swap.people import People, parse_map
from facechange.swap.photo import Published
from facechange.swap.swapper import Swapper as Swapper

if TYPE_CHECKING:
    from facechange.swap.batch import Counts
    from facechange.swap.video import PublishedVideo

__all__ = ["Consent", "Face", "Identity", "Swapper", "anonymize", "keep_identity", "swap_photo", "swap_video", "verify"]

PathLike: TypeAlias = Path | str
Sources: TypeAlias = PathLike | Sequence[PathLike]
Report: TypeAlias = Callable[[int, int], None]  # done, in all (0 where nobody knows)


@dataclass(frozen=True)
class Consent:
    """Who agreed to a change, and how: what the command line takes by `--consent` and `--purpose`.

    `words` are the number of a record (fc-...), "self", "synthetic", or a sentence that says who agreed to what.
    """

    words: str
    purpose: str = ""


def swap_photo(
    sources: Sources | Mapping[str, str],
    target: PathLike,
    output: PathLike,
    consent: Consent | str,
    *,
    faces: FaceSelector | str = "all",
    strength: float = 1.0,
    keep: Keep = "mask",
    beyond: Beyond = "left",
    swapper: Swapper | None = None,
    context: Context | None = None,
) -> Published:
    """Give faces of the photograph `target` the identity in `sources`, and publish the result at `output`.

    `sources` are pictures of one person, a kept persona or a kept identity (FACECHANGE_PASSPHRASE opens a sealed one);
    for several people a table, {source: whose faces}, such as {"ann.jpg": "left", "ben.fcid": "like:uncle.jpg"}.
    `faces` says whose faces are meant: all, largest, left, right, centre, numbers from the left, or like:PICTURE.
    `strength` (0..1.3), `keep` and `beyond` are the command line's.

    Raises:
        ConsentError: for consent that is missing, or does not hold.
        FaceError: where nobody is found, or not who is meant.
        PictureError: for a file that cannot be read.
        OutputError: where the result cannot be written; nothing partial is left.
        ValueError: for a strength out of range.
    """
    people, words = _people(sources, faces), _consent(consent)
    grant = request_change(
        context or load_context(), people.files, Path(target), Path(output), words.words, words.purpose
    )
    swapper = swapper or load_swapper()
    assignment, chosen = people.assign(swapper), people.selection
    return change_photograph(
        swapper,
        assignment,
        Path(target),
        Path(output),
        grant=grant,
        face=chosen,
        strength=strength,
        keep=keep,
        beyond=beyond,
    )


def swap_video(
    sources: Sources | Mapping[str, str],
    target: PathLike,
    output: PathLike,
    consent: Consent | str,
    *,
    faces: FaceSelector | str = "all",
    strength: float = 1.0,
    keep: Keep = "mask",
    beyond: Beyond = "faded",
    encoder: str | None = None,
    quality: int = 80,
    trim: str | None = None,
    report: Report = lambda done, total: None,
    swapper: Swapper | None = None,
    context: Context | None = None,
) -> PublishedVideo:
    """`swap_photo` for a video, whose sound, subtitles and metadata stay. The same call goes on after an interruption.

    `encoder` (h264, h265, av1, prores, ffv1; by the output's name where None), `quality` (0..100) and `trim`
    ("12.5-30", seconds) are the command line's. `report` is called with the frames done and the frames in all.

    Raises:
        DependencyError: where PyAV, the extra `video`, is not installed.
        StoppedError: on Ctrl-C.
        ConsentError, FaceError, PictureError, OutputError, ValueError: as `swap_photo`.
    """
    video = _need_video()
    people, words = _people(sources, faces), _consent(consent)
    grant = video.request_video_change(
        context or load_context(), people.files, Path(target), Path(output), words.words, words.purpose
    )
    swapper = swapper or load_swapper("facechange-256", many_runs=True)
    options = video.VideoOptions(
        face=people.selection, keep=keep, encoder=encoder, quality=quality, trim=trim, strength=strength, beyond=beyond
    )
    return video.change_video(
        swapper, people.assign(swapper), Path(target), Path(output), grant=grant, options=options, report=report
    )


def anonymize(
    target: PathLike,
    output: PathLike,
    consent: Consent | str = BASIS,
    *,
    seed: int = 0,
    faces: FaceSelector | str = "all",
    fallback: Fallback = "blur",
    report: Report = lambda done, total: None,
    swapper: Swapper | None = None,
    context: Context | None = None,
) -> Published | PublishedVideo | Counts:
    """Make the people in a photograph, a video or every file of a folder unrecognisable: each becomes somebody who does
    not exist.

    Each result is compared with its original; where no persona makes a face unlike it, `fallback` ("blur", "mosaic",
    "box", "none") says how it is covered. `outcomes` of what comes back tell of each face, and for a folder its report
    beside the results does. `seed` decides who becomes whom.

    Raises:
        ConsentError, FaceError, PictureError, OutputError: as `swap_photo`.
        DependencyError: for a video without PyAV, the extra `video`.
    """
    target, output, words, chosen = Path(target), Path(output), _consent(consent), as_selector(faces)
    context, assignment = context or load_context(), PersonaAssignment(seed)
    if target.is_dir():
        from facechange.swap.batch import ChangeOptions, change_work, describe_changes, open_folder

        options = ChangeOptions(face=chosen, fallback=fallback)
        swapper = swapper or load_swapper(many_runs=True)
        request = describe_changes(
            context.digests, assignment.describe(context.digests), swapper.card, options, words.words, words.purpose
        )
        run = open_folder(target, output, request)
        if not run.jobs:
            return run.report()
        grant = grant_change(context, words.words, [], run.targets, words.purpose, persona=True)
        return run.change(change_work(swapper, assignment, grant, options), report)
    with readable_file(target):
        moving = is_moving(target)
    if moving:
        video = _need_video()
        grant = video.request_video_change(context, [], target, output, words.words, words.purpose, persona=True)
        settings = video.VideoOptions(face=chosen, fallback=fallback)
        swapper = swapper or load_swapper("facechange-256", many_runs=True)
        return video.change_video(swapper, assignment, target, output, grant=grant, options=settings, report=report)
    grant = request_change(context, [], target, output, words.words, words.purpose, persona=True)
    return change_photograph(
        swapper or load_swapper(), assignment, target, output, grant=grant, face=chosen, fallback=fallback
    )


def keep_identity(
    pictures: Sources,
    output: PathLike,
    consent: Consent | str,
    *,
    name: str = "",
    passphrase: str = "",
    face: FaceSelector | str | None = None,
    swapper: Swapper | None = None,
    context: Context | None = None,
) -> Identity:
    """Read one person's identity from `pictures`, averaged over them, and keep it at `output` (.fcid), sealed with a
    `passphrase`.

    The file is a source like any picture, with a record of consent that rests on that of the pictures. `face` is the
    selector of the person's face where a picture shows several people.

    Raises:
        ConsentError, FaceError, PictureError, OutputError: as `swap_photo`.
    """
    output, words, paths = Path(output), _consent(consent), _paths(pictures)
    check_identity_place(output)
    grant = require_grant(context or load_context(), words.words, paths, [], words.purpose)
    selector = None if face is None else as_selector(face)
    identity = read_identity(swapper or load_swapper("facechange-256"), grant, paths, name or output.stem, selector)
    identity.save(output, passphrase)
    record_identity(grant, output)
    return identity


def verify(
    path: PathLike, *, trusted: str = "", swapper: Swapper | None = None, context: Context | None = None
) -> Findings:
    """What is known about a picture or video, anybody's: credentials, watermark, statement, and whether consent is in
    force.

    Nothing is asked of anyone outside this computer. `trusted` are PEM certificates of authorities whose word on
    signers you take.

    Raises:
        PictureError: for a file that cannot be read at all.
    """
    from facechange.swap import load_detector

    detect = load_detector().detect if swapper is None else swapper.find_all
    return examine(context or load_context(), Path(path), detect, trusted)


def _consent(consent: Consent | str) -> Consent:
    return Consent(consent) if isinstance(consent, str) else consent


def _paths(sources: Sources) -> tuple[Path, ...]:
    return (Path(sources),) if isinstance(sources, str | Path) else tuple(map(Path, sources))


def _people(sources: Sources | Mapping[str, str], faces: FaceSelector | str) -> People:
    if isinstance(sources, Mapping):
        people = parse_map([f"{source}={face}" for source, face in sources.items()])
    else:
        people = People((_paths(sources),), as_selector(faces))
    return replace(people, passphrase=os.environ.get(PASSPHRASE_VARIABLE, ""))


def _need_video() -> ModuleType:
    """The module `swap.video`; raises `DependencyError` where PyAV is not installed."""
    try:
        return import_module("facechange.swap.video")
    except ImportError:
        raise DependencyError(
            "Videos need PyAV, which is not installed.", 'Install it with: pip install "facechange[video]"'
        ) from None
