"""Follow faces from frame to frame: a full detection now and then and at cuts, a refinement at the expected place in
between."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field

import cv2
import numpy as np

from facechange.core import Face
from facechange.swap.swapper import HIDING_SCORE, MINIMUM_FACE_PX, Swapper

FULL_DETECTION_EVERY = 8  # frames
LEAST_FOLLOWED = 0.5  # score of a face that is known already
MEMORY_FRAMES = 75  # how long a face that is out of sight keeps its number
FARTHEST = 0.6  # of the face: how far from the expected place it may be
LARGEST_RATIO = 1.6  # between the sizes of a face in two sightings
STRANGENESS = 1.5  # what the cosine to the person's last sightings counts against the distance
THUMBNAIL_PX = (32, 18)
CUT = 22.0  # of 255: mean difference of thumbnails, brightness apart, from which a shot is another

Identify = Callable[[np.ndarray, Face], np.ndarray]


@dataclass
class Track:
    """One face in one shot."""

    number: int
    centre: list[float]  # x, y of the box, px, where it was last seen
    size: list[float]  # width, height
    points: list[list[float]]
    velocity: list[float]  # px a frame
    unseen: int = 0  # frames
    doubtful: bool = False  # its points, where it was last looked for
    identity: list[float] = field(default_factory=list)  # mean of what was identified, where identities are asked for


@dataclass(frozen=True)
class TrackerState:
    """Everything that the next `FaceTracker.step` depends on; `core.stored.build` makes one of what JSON held.
    Biometric."""

    tracks: list[Track] = field(default_factory=list)
    next: int = 0  # the number of the next new face
    since_full: int = FULL_DETECTION_EVERY  # frames since the last full detection
    thumbnail: list[list[int]] | None = None  # of the last frame, grey


@dataclass(frozen=True)
class Sighting:
    """A face in a frame: five points [5, 2] px, its size, and the number that it keeps while it is followed."""

    number: int
    points: np.ndarray
    size_px: float
    doubtful: bool = False


class FaceTracker:
    """Numbers the faces of a video, frame after frame. Its `state` can be stored, and `restore`d to go on from there.

    With `identify` given a face is also known by who it is, so that people who cross keep their numbers.
    """

    def __init__(self, swapper: Swapper, identify: Identify | None = None, everybody: bool = False) -> None:
        """Faces too small to be changed are passed over, unless `everybody` counts: then scores from `HIDING_SCORE` on
        do, too."""
        self._swapper = swapper
        self._least_px = 0.0 if everybody else MINIMUM_FACE_PX
        self._least_score = HIDING_SCORE if everybody else None
        self._identify = identify
        self._tracks: list[Track] = []
        self._next = 0
        self._since_full = FULL_DETECTION_EVERY
        self._thumbnail: np.ndarray | None = None

    def state(self) -> TrackerState:
        """Everything that the next `step` depends on, as it is now."""
        thumbnail = None if self._thumbnail is None else self._thumbnail.tolist()
        return TrackerState(deepcopy(self._tracks), self._next, self._since_full, thumbnail)

    def restore(self, state: TrackerState) -> None:
        """Go on from a `state`."""
        self._tracks = deepcopy(state.tracks)
        self._next, self._since_full = state.next, state.since_full
        self._thumbnail = None if state.thumbnail is None else np.array(state.thumbnail, np.uint8)

    def identity_of(self, number: int) -> np.ndarray:
        """Who the face `number` is: [512], the mean of its sightings."""
        return np.array(next(track.identity for track in self._tracks if track.number == number))

    def known(self) -> set[int]:
        """The numbers that are in sight or remembered."""
        return {track.number for track in self._tracks}

    def step(self, image: np.ndarray) -> tuple[bool, list[Sighting]]:
        """Whether `image` [H, W, 3] uint8, the next frame, begins another shot, and the faces in it."""
        cut = self._note_cut(image)
        if cut:
            self._tracks = []
        followed = None if cut or self._needs_full_detection() else self._follow(image)
        if followed is None:
            self._since_full = 0
            self._match(
                image,
                [face for face in self._swapper.find_all(image, self._least_score) if face.size_px >= self._least_px],
            )
        self._since_full += 1
        self._tracks = [track for track in self._tracks if track.unseen <= MEMORY_FRAMES]
        seen = [track for track in self._tracks if track.unseen == 0]
        return cut, [Sighting(track.number, np.array(track.points), max(track.size), track.doubtful) for track in seen]

    def _note_cut(self, image: np.ndarray) -> bool:
        small = cv2.cvtColor(cv2.resize(image, THUMBNAIL_PX, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
        before, self._thumbnail = self._thumbnail, small
        if before is None:
            return False
        difference = small.astype(np.float32) - before
        return float(np.abs(difference - np.median(difference)).mean()) > CUT

    def _needs_full_detection(self) -> bool:
        seen = [track for track in self._tracks if track.unseen == 0]
        missing = len(seen) < len(self._tracks)
        return (
            not seen
            or self._since_full >= (FULL_DETECTION_EVERY // 4 if missing else FULL_DETECTION_EVERY)
            or _crowded(seen)
        )

    def _follow(self, image: np.ndarray) -> bool | None:
        """Look where the faces should be; None where one is not there, and only a full detection can tell more."""
        tracks = [track for track in self._tracks if track.unseen == 0]
        expected = [_expected(track) for track in tracks]
        found = self._swapper.follow(image, expected)
        if any(face.score < LEAST_FOLLOWED for face in found):
            return None
        for track in self._tracks:
            track.unseen += 1
        for track, before, after in zip(tracks, expected, found, strict=True):
            moved = after.points.mean(0) - before.points.mean(0)
            grown = _spread(after.points) / max(_spread(np.array(track.points)), 1e-6)
            centre = np.array(before.box[:2]) + np.array(before.box[2:]) / 2 + moved
            _see(track, centre, np.array(track.size) * grown, after.points)
            track.doubtful = after.doubtful
        return True

    def _match(self, image: np.ndarray, faces: list[Face]) -> None:
        """Give each of `faces` to the track that it fits best, or a new number."""
        identities = [self._identify(image, face) if self._identify else None for face in faces]
        fits = []
        for place, face in enumerate(faces):
            for track in self._tracks:
                distance = _distance(track, face)
                ratio = abs(np.log(face.size_px / max(track.size)))
                if distance > FARTHEST * (1 + track.unseen / 4) or ratio > np.log(LARGEST_RATIO) * (
                    1 + track.unseen / 20
                ):
                    continue
                strange = 0.0 if identities[place] is None else 1 - float(identities[place] @ np.array(track.identity))
                fits.append((distance + STRANGENESS * strange, place, track.number))
        for track in self._tracks:
            track.unseen += 1
        numbers = {track.number: track for track in self._tracks}
        free = set(range(len(faces)))
        for _, place, number in sorted(fits):
            if place in free and number in numbers:
                free.remove(place)
                self._see_face(numbers.pop(number), faces[place], identities[place])
        for place in sorted(free):
            x, y, width, height = faces[place].box
            track = Track(
                self._next, [x + width / 2, y + height / 2], [width, height], faces[place].points.tolist(), [0.0, 0.0]
            )
            self._next += 1
            self._tracks.append(track)
            self._see_face(track, faces[place], identities[place])

    def _see_face(self, track: Track, face: Face, identity: np.ndarray | None) -> None:
        centre = np.array(face.box[:2]) + np.array(face.box[2:]) / 2
        _see(track, centre, np.array(face.box[2:]), face.points)
        track.doubtful = face.doubtful
        if identity is not None:
            mean = identity if not track.identity else 0.8 * np.array(track.identity) + 0.2 * identity
            track.identity = (mean / np.linalg.norm(mean)).tolist()


def face_at(points: np.ndarray) -> Face:
    """A face with five points [5, 2] px, for what needs to know no more than where it is."""
    left, top = points.min(0)
    width, height = np.ptp(points, 0)
    return Face((float(left), float(top), float(width), float(height)), points.astype(np.float32), 1.0)


def _see(track: Track, centre: np.ndarray, size: np.ndarray, points: np.ndarray) -> None:
    """Note where `track` is in this frame."""
    elapsed = max(track.unseen, 1)
    velocity = (centre - np.array(track.centre)) / elapsed
    track.velocity = (0.5 * np.array(track.velocity) + 0.5 * velocity).tolist()
    track.centre, track.size = np.asarray(centre, np.float64).tolist(), np.asarray(size, np.float64).tolist()
    track.points, track.unseen = np.asarray(points, np.float64).tolist(), 0


def _expected(track: Track) -> Face:
    """Where the face of `track` should be a frame after it was seen."""
    shift = np.array(track.velocity)
    corner = np.array(track.centre) + shift - np.array(track.size) / 2
    return Face((*map(float, corner), *track.size), (np.array(track.points) + shift).astype(np.float32), 1.0)  # type: ignore[arg-type]


def _distance(track: Track, face: Face) -> float:
    """From where the face should be by now, in sizes of it."""
    by_now = np.array(track.centre) + np.array(track.velocity) * min(track.unseen + 1, 4)
    centre = np.array(face.box[:2]) + np.array(face.box[2:]) / 2
    return float(np.hypot(*(centre - by_now))) / max(face.size_px, max(track.size))


def _spread(points: np.ndarray) -> float:
    return float(np.hypot(*(points - points.mean(0)).T).mean())


def _crowded(tracks: list[Track]) -> bool:
    """Whether two faces are so near that a refinement at one may see the other."""
    places = [(np.array(track.centre), max(track.size)) for track in tracks]
    return any(
        np.hypot(*(one - other)) < 1.2 * max(size, other_size)
        for index, (one, size) in enumerate(places)
        for other, other_size in places[:index]
    )
