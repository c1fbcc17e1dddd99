"""Videos as files: decode, follow the faces, change them, encode in segments, join, publish; and go on after any
interruption."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import av

from facechange.consent import Context, Grant
from facechange.consent.record import Digests
from facechange.core import FaceError, Outcome, OutputError, StoppedError, VideoError
from facechange.core.files import hidden_beside, open_private, plain_errors
from facechange.faces.paste_back import Keep
from facechange.faces.select import EVERY_FACE, FaceSelector
from facechange.faces.turn import Beyond
from facechange.provenance import check_media_writable, check_writable, mark_frame, new_identifier, publish_media
from facechange.runtime import BakedIdentity
from facechange.swap.anonymize import Fallback
from facechange.swap.assignment import IdentityAssignment, TrackAssignment, describe_selection, grant_change
from facechange.swap.face_choice import FaceChoice
from facechange.swap.swapper import Swapper, check_strength
from facechange.swap.tracking import FaceTracker
from facechange.swap.video.encode import ANIMATION_SUFFIXES, EncoderSettings, check_kind, choose_encoder
from facechange.swap.video.frames import Window, parse_trim, read_frames
from facechange.swap.video.journal import Entry, Journal, Progress
from facechange.swap.video.mux import Join, check_container, left_behind, write_result
from facechange.swap.video.nameless import SHOWING
from facechange.swap.video.pictures_in import is_pattern, numbered, pictures_of
from facechange.swap.video.pictures_out import kept_profile, publish_pictures, write_animation
from facechange.swap.video.prefetch import prefetch
from facechange.swap.video.probe import VideoProbe, inspect_video
from facechange.swap.video.render import RenderedFrame, Renderer
from facechange.swap.video.segments import SegmentWriter
from facechange.swap.video.smoothing import Placer
from facechange.swap.video.verify_faces import Watch, to_outcome

SEGMENT_FRAMES = 96
PREFETCHED_BYTES = 48 << 20  # of frames waiting between two stages

Report = Callable[[int, int], None]  # frames done, frames in all (0 where nobody knows)


class FacelessVideoError(FaceError):
    """No frame has a face to change, so nothing was written. `unseen` is what else the file holds that can show one, in
    words."""

    unseen: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class VideoOptions:
    """How a result is made. `encoder` None is by the output's name; `trim` is FROM-TO."""

    face: FaceSelector = EVERY_FACE
    keep: Keep = "mask"
    encoder: str | None = None
    quality: int = 80  # 0..100
    preset: str = "veryfast"
    trim: str | None = None
    strength: float = 1.0  # in STRENGTH_RANGE
    fallback: Fallback = "blur"  # how a face is covered that is to be hidden and that no change makes unlike who it was
    # what becomes of a face, if nobody is to be hidden, in frames in which it is turned too far
    beyond: Beyond = "faded"


@dataclass(frozen=True)
class PublishedVideo:
    """What was written."""

    path: Path
    frames: int
    changed: int  # frames with a changed face
    repeated: int  # frames that could not be decoded, for which the one before stands
    resumed_at: int  # frames that an earlier run had done
    left_out: list[str]  # tracks that the container cannot hold, neither sound nor subtitles
    unmet: list[str]  # selectors that named nobody in any frame
    # what does not go on, in words: previews of the original, and names where people are hidden
    taken_away: tuple[str, ...] = ()
    # what became of each face that was followed, a row of `Watch.table`
    faces: list[dict[str, Any]] = field(default_factory=list)
    interlaced: int = 0  # frames that were, and are whole now

    @property
    def outcomes(self) -> tuple[Outcome, ...]:
        """What became of each face that was followed."""
        return tuple(to_outcome(row) for row in self.faces)


def request_video_change(
    context: Context,
    sources: Sequence[Path],
    video: Path,
    output: Path,
    consent: str | None,
    purpose: str = "",
    persona: bool | None = None,
) -> Grant:
    """Leave to begin, asked for before anything is decoded: `change.request_change` for videos."""
    if (
        any(path.exists() and output.exists() and path.samefile(output) for path in (*sources, video))
        or video == output
    ):
        raise OutputError(
            f"{output} is one of the files to read.", "Write the result to another file, so that the original stays."
        )
    probe = inspect_video(video)
    check_kind(probe, output)
    if is_pattern(output):
        check_writable(context, numbered(output, 0))
    else:
        check_media_writable(context, output)
    return grant_change(context, consent, sources, pictures_of(video), purpose, persona)


def change_video(
    swapper: Swapper,
    assignment: IdentityAssignment,
    video: Path,
    output: Path,
    *,
    grant: Grant,
    options: VideoOptions | None = None,
    report: Report = lambda done, total: None,
    baked: BakedIdentity | None = None,
) -> PublishedVideo:
    """Give the chosen faces of `video` the identities that `assignment` has for them, and publish the result at
    `output`.

    `grant` is what `request_video_change` gave for these files; `baked` is the one identity of `assignment`, where it
    was baked already. What is done is kept beside `output` until the result is whole: the same call goes on after a
    crash, a full disk or a Ctrl-C, and ends in the same frames. Raises `FacelessVideoError`, `StoppedError` on Ctrl-C,
    other `FacechangeError`s that say what is wrong, and `ValueError` for a strength out of range.
    """
    options = options or VideoOptions()
    check_strength(options.strength)
    probe = inspect_video(video)
    settings = choose_encoder(probe, output, options.encoder, options.quality, options.preset)
    join = Join(video, probe, settings, parse_trim(options.trim, probe), assignment.hides)
    request = _request(swapper, assignment, video, options, settings, grant.context.digests)
    data = grant.context.folders.data
    kept = {"identifier": new_identifier(data)}
    with plain_errors(output), Journal(hidden_beside(output), request, kept, data) as journal:
        return _change(_Work(swapper, assignment, join, options, journal, grant, report, baked), output)


@dataclass(frozen=True)
class _Work:
    """A video on its way."""

    swapper: Swapper
    assignment: IdentityAssignment
    join: Join
    options: VideoOptions
    journal: Journal
    grant: Grant
    report: Report
    baked: BakedIdentity | None


def _change(work: _Work, output: Path) -> PublishedVideo:
    """Go on from what the journal has to the published result."""
    journal, join, options = work.journal, work.join, work.options
    as_pictures = is_pattern(output) or output.suffix.lower() in ANIMATION_SUFFIXES
    finished = journal.folder / f"finished{output.suffix}"
    resumed_at = journal.last.progress.frames if journal.last else 0
    try:
        left_out = [] if as_pictures else check_container(join, finished)
        choice = FaceChoice(work.swapper, options.face)
        _make_segments(work, choice)
        if journal.last is None:
            if options.trim is None:
                raise VideoError(f"No frame of {join.source.name} can be decoded.", "Get it again from where it came.")
            raise VideoError(
                f"{join.source.name} has no frame in {options.trim}.", "Choose a part that lies inside the video."
            )
        progress = journal.last.progress
        if not progress.changed:
            journal.discard()
            error = FacelessVideoError(
                f"{join.source.name}: no frame has such a face.", "Choose another video or another --face."
            )
            error.unseen = tuple(words for words in left_behind(join) if words in SHOWING)
            raise error
        taken_away = left_behind(join)
        if join.probe.profile and not kept_profile(join, output):
            taken_away = (*taken_away, "the colour profile")
        _publish(work, finished, output)
    except Exception:
        if journal.last is None:
            journal.discard()
        raise
    except KeyboardInterrupt:
        done = journal.last.progress.frames if journal.last else 0
        raise StoppedError(f"Stopped. {done} frames are kept.", "The same command goes on from there.") from None
    journal.discard()
    unmet = choice.unmet if resumed_at < progress.frames else []  # a run that only published did not look
    return PublishedVideo(
        output,
        progress.frames,
        progress.changed,
        progress.repeated,
        resumed_at,
        left_out,
        unmet,
        taken_away,
        progress.faces,
        progress.interlaced,
    )


def _request(
    swapper: Swapper,
    assignment: IdentityAssignment,
    video: Path,
    options: VideoOptions,
    settings: EncoderSettings,
    digests: Digests,
) -> dict[str, Any]:
    """Everything that the frames of the result depend on."""
    return {
        **assignment.describe(digests),
        "video": [digests.of(path) for path in pictures_of(video)],
        "options": {**asdict(options), **describe_selection(digests, options.face)},
        "settings": asdict(settings),
        "model": swapper.card.sha256,
        "detector_threshold": swapper.least_score,
        "engine": swapper.engine,
        "ffmpeg": av.ffmpeg_version_info,
    }


def _make_segments(work: _Work, choice: FaceChoice) -> None:
    """Everything that the journal does not have yet."""
    swapper, assignment, join, journal, report = work.swapper, work.assignment, work.join, work.journal, work.report
    last = journal.last
    if last is not None and last.state is None:
        return  # it ends with the video
    window = join.window
    if last is not None:
        window = replace(window, done_frames=last.progress.frames, done_pts=last.segment.pts[-1])
    progress = last.progress if last else Progress()
    watch = Watch(swapper, assignment, work.options.fallback)
    writer: SegmentWriter | None = None
    report(progress.frames, join.probe.frames)
    with closing(_pipeline(work, choice, window, watch)) as frames, plain_errors(journal.folder):
        try:
            for rendered in frames:
                writer = writer or SegmentWriter(journal.folder, journal.segments, join.settings, join.probe)
                writer.write(rendered.frame)
                progress = _count(progress, rendered)
                report(progress.frames, join.probe.frames)
                if rendered.state is not None:
                    journal.add(Entry(writer.finish(), replace(progress, faces=watch.table()), rendered.state))
                    writer = None
            if writer is not None:
                journal.add(Entry(writer.finish(), replace(progress, faces=watch.table()), None))
                writer = None
        finally:
            if writer is not None:
                writer.abandon()


def _pipeline(work: _Work, choice: FaceChoice, window: Window, watch: Watch) -> Generator[RenderedFrame, None, None]:
    """Reading, following and changing, each in a thread of its own."""
    swapper, assignment, join, options, journal = work.swapper, work.assignment, work.join, work.options, work.journal
    probe = join.probe
    # Nobody asks who the people are, and it does no harm if two who cross are taken for each other.
    by_sight = not choice.asks_who and assignment.everyone is not None and options.strength == 1.0
    who = None if by_sight else lambda image, face: swapper.comparer.read(image, [face])[0][0]
    tracker = FaceTracker(swapper, who, everybody=assignment.hides)  # what is too small to be changed is covered
    placer = Placer(
        tracker,
        choice,
        TrackAssignment(assignment, tracker, options.strength),
        probe.time_base,
        SEGMENT_FRAMES,
        options.beyond,
    )
    marking = work.grant.context.settings.marking
    mark = partial(mark_frame, identifier=journal.kept["identifier"], marking=marking)
    baked = None  # the identity, where all faces get one and the same
    if assignment.everyone is not None and options.strength == 1.0:
        baked = work.baked or swapper.bake(assignment.everyone)
    renderer = Renderer(swapper, options.keep, probe, watch, mark, baked)
    if journal.last is not None and journal.last.state is not None:
        try:
            placer.restore(journal.last.state)
            renderer.restore(journal.last.state)
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise OutputError(
                f"What an earlier run left in {journal.folder} cannot be gone on from.", "Delete that folder."
            ) from error
    depth = _depth(probe)
    read = prefetch(read_frames(join.source, probe, join.settings.pixel_format, window), depth)
    placed = prefetch(placer.place(read), depth)
    yield from prefetch(renderer.render(placed), depth)


def _depth(probe: VideoProbe) -> int:
    frame_bytes = probe.width * probe.height * 5 * (1 if probe.bits <= 8 else 2)
    return max(min(PREFETCHED_BYTES // frame_bytes, 8), 2)


def _count(progress: Progress, rendered: RenderedFrame) -> Progress:
    return replace(
        progress,
        frames=progress.frames + 1,
        changed=progress.changed + (rendered.faces > 0),
        repeated=progress.repeated + rendered.frame.repeated,
        interlaced=progress.interlaced + rendered.frame.interlaced,
    )


def _publish(work: _Work, finished: Path, output: Path) -> None:
    join, journal, grant, sources = work.join, work.journal, work.grant, work.assignment.sources
    if is_pattern(output):
        publish_pictures(join, journal, sources, output, grant, work.swapper.card)
        return
    with plain_errors(output):
        open_private(finished, "wb").close()  # FFmpeg would let others read it
        if output.suffix.lower() in ANIMATION_SUFFIXES:
            write_animation(join, journal, finished)
        else:
            write_result(join, journal, finished)
    targets = pictures_of(join.source)
    publish_media(
        finished,
        output,
        grant=grant,
        card=work.swapper.card,
        targets=targets,
        sources=sources,
        identifier=journal.kept["identifier"],
        nameless=join.nameless,
    )
