"""The work on each file of a folder: new identities for the faces of a photograph or a video."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facechange.consent import Grant
from facechange.consent.record import Digests
from facechange.core import DependencyError, ModelCard, Outcome, OutputError
from facechange.faces.paste_back import Keep
from facechange.faces.select import EVERY_FACE, FaceSelector
from facechange.faces.turn import Beyond
from facechange.images import WRITABLE_SUFFIXES
from facechange.images.picture import FURTHER_PICTURES
from facechange.runtime import BakedIdentity
from facechange.swap.anonymize import Fallback
from facechange.swap.assignment import IdentityAssignment, describe_selection
from facechange.swap.batch.find_files import Target
from facechange.swap.batch.journal import Done
from facechange.swap.batch.names import VIDEO_SUFFIXES
from facechange.swap.batch.run import Work
from facechange.swap.outcomes import tabulate_all
from facechange.swap.photo import Changes, change_photograph
from facechange.swap.swapper import Swapper

if TYPE_CHECKING:
    from facechange.swap.video.files import PublishedVideo


@dataclass(frozen=True, kw_only=True)
class ChangeOptions:
    """How results are made. `encoder`, `quality` and `preset` are of videos."""

    face: FaceSelector = EVERY_FACE
    keep: Keep = "mask"
    strength: float = 1.0
    encoder: str | None = None
    quality: int = 80
    preset: str = "veryfast"
    fallback: Fallback = "blur"
    # what becomes of faces that are turned too far; None: left in photographs, faded in videos
    beyond: Beyond | None = None

    def of_photograph(self) -> dict[str, Any]:
        """What `change_photograph` takes of them."""
        names = ("face", "keep", "strength", "fallback")
        return {**{name: getattr(self, name) for name in names}, "beyond": self.beyond or "left"}


def describe_changes(
    digests: Digests, who: dict[str, Any], card: ModelCard, options: ChangeOptions, consent: str | None, purpose: str
) -> dict[str, Any]:
    """What the results depend on besides the files of the folder; `who` is `IdentityAssignment.describe`'s.

    Raises `PictureError` where a picture that `like:` names cannot be read.
    """
    described = {**asdict(options), **describe_selection(digests, options.face)}
    return {**who, "model": card.sha256, **described, "consent": consent, "purpose": purpose}


def change_work(
    swapper: Swapper,
    assignment: IdentityAssignment,
    grant: Grant,
    options: ChangeOptions,
    tell: Callable[[set[str]], None] = lambda unmet: None,
) -> Work:
    """What gives the faces in a file of a folder the identities that `assignment` has for them.

    `tell` is called after each with the selectors that named nobody in it.
    """
    baked = None if assignment.everyone is None else swapper.bake(assignment.everyone)

    def change(target: Target, output: Path) -> Done:
        if target.moving:
            video = _change_video(swapper, assignment, target.path, output, grant, options, baked)
            tell(set(video.unmet))
            return tell_video(video, assignment.hides)
        check_photograph(output)
        published = change_photograph(
            swapper, assignment, target.path, output, grant=grant, baked=baked, **options.of_photograph()
        )
        tell(set(published.unmet))
        return tell_photograph(published, assignment.hides)

    return change


def check_photograph(output: Path) -> None:
    """Raise `OutputError` where a photograph cannot be written by that name."""
    if output.suffix.lower() not in WRITABLE_SUFFIXES:
        raise OutputError(
            f"The name {output.name} ends in no kind of picture.", "Let --output-pattern end in .{extension}."
        )


def tell_photograph(changes: Changes, hides: bool) -> Done:
    """What became of a photograph, for the report."""
    notes = tuple(f"{words} left out" for words in changes.taken_away if words == FURTHER_PICTURES)
    return _to_done(changes.faces, changes.outcomes, hides, notes)


def tell_video(video: PublishedVideo, hides: bool) -> Done:
    """What became of a video, for the report."""
    from facechange.swap.video.nameless import SHOWING  # late: as below

    shown = [words for words in video.taken_away if words in SHOWING or not hides]
    counted = {f"{words} left out": 1 for words in (*video.left_out, *shown)}
    counted |= {f"{video.interlaced} interlaced frames made whole": video.interlaced}
    counted |= {f"{video.repeated} damaged frames show the frame before them": video.repeated}
    notes = tuple(words for words, count in counted.items() if count)
    return _to_done(video.changed, video.outcomes, hides, notes)


def _to_done(faces: int, outcomes: tuple[Outcome, ...], hides: bool, notes: tuple[str, ...]) -> Done:
    table = tabulate_all(outcomes, hides)
    counts = table["counts"]
    return Done(
        faces=faces,
        covered=counts["covered"],
        left=counts["left"],
        unrecognisable=counts.get("unrecognisable", 0),
        outcomes=tuple(table["faces"]),
        notes=notes,
    )


def _change_video(
    swapper: Swapper,
    assignment: IdentityAssignment,
    target: Path,
    output: Path,
    grant: Grant,
    options: ChangeOptions,
    baked: BakedIdentity | None,
) -> PublishedVideo:
    if output.suffix.lower() not in VIDEO_SUFFIXES:
        raise OutputError(
            f"The name {output.name} ends in no kind of video.", "Let --output-pattern end in .{extension}."
        )
    try:
        from facechange.swap.video import VideoOptions, change_video  # late: PyAV is an extra
    except ImportError as error:
        raise DependencyError(
            "Videos need PyAV, which is not installed.", 'Install it with: pip install "facechange[video]"'
        ) from error
    video = VideoOptions(**{name: each for name, each in vars(options).items() if each is not None})
    return change_video(swapper, assignment, target, output, grant=grant, options=video, baked=baked)
