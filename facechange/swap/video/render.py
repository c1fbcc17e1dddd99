"""Change the faces of placed frames, several frames at once, and let no change flicker."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from facechange.core import Face
from facechange.faces.cover import LEVELS, Cover, cover_face
from facechange.faces.geometry import crop_rectangle, ffhq_crop_matrix
from facechange.faces.paste_back import Keep, soft_edge
from facechange.faces.tint import TintMemory
from facechange.images.picture import to_uint8
from facechange.runtime import BakedIdentity
from facechange.swap.swapper import Place, Swapper
from facechange.swap.tracking import face_at
from facechange.swap.video.frames import SourceFrame
from facechange.swap.video.probe import VideoProbe
from facechange.swap.video.smoothing import PlacedFrame, Placement
from facechange.swap.video.verify_faces import Look, Watch
from facechange.swap.video.yuv import add_change

CROPS_A_BATCH = 4
HIDDEN_CROPS_A_BATCH = 8  # where each is looked at twice
LIGHT_MEMORY = 0.85  # of the last frame in the light that is expected of the next
LARGEST_CORRECTION = 0.04  # of the full range

Mark = Callable[[np.ndarray, list[Face]], np.ndarray]  # picture [H, W, 3] and its changed faces => the same, marked


@dataclass(frozen=True, eq=False)
class RenderedFrame:
    """A finished frame."""

    frame: SourceFrame
    faces: int
    state: dict[str, Any] | None


class Renderer:
    """Gives the faces of placed frames their new identities; `mark` marks each frame, and gives back the one that needs
    no mark.

    Finished frames are looked at by `watch` before they are given out; where it says so they are made again.
    """

    def __init__(
        self,
        swapper: Swapper,
        keep: Keep,
        probe: VideoProbe,
        watch: Watch,
        mark: Mark | None = None,
        baked: BakedIdentity | None = None,
    ) -> None:
        """`baked` is the identity that every face gets, where that is one."""
        self._swapper, self._baked = swapper, baked
        self._keep = keep
        self._probe = probe
        self._watch = watch
        self._mark = mark
        self._light: dict[int, np.ndarray] = {}  # by number: how much brighter [3] the change made the face of late
        self._tints = TintMemory()
        self._edge = soft_edge(swapper.size_px)[..., None]
        self._batch_crops = HIDDEN_CROPS_A_BATCH if watch.hides else CROPS_A_BATCH

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from the `state` of a frame."""
        self._light = {int(number): np.array(light) for number, light in state["light"].items()}
        self._tints = TintMemory({int(number): share for number, share in state["tints"].items()})
        self._watch.restore(state["watch"])

    def render(self, frames: Iterator[PlacedFrame]) -> Generator[RenderedFrame, None, None]:
        """`frames`, changed in place. A batch never reaches past a frame with a state, so that a resumed run makes the
        same ones."""
        ahead: deque[list[PlacedFrame]] = deque()
        for batch in self._gather(frames):
            if self._swapper.foresight:
                self._foresee(batch)
            ahead.append(batch)
            if len(ahead) > self._swapper.foresight:
                yield from self._render(ahead.popleft())
        for batch in ahead:
            yield from self._render(batch)

    def _gather(self, frames: Iterator[PlacedFrame]) -> Iterator[list[PlacedFrame]]:
        batch: list[PlacedFrame] = []
        for frame in frames:
            batch.append(frame)
            if (
                frame.state is not None
                or sum(len(placed.placements) for placed in batch) >= self._batch_crops
                or not frame.placements
            ):
                yield batch
                batch = []
        if batch:
            yield batch

    def _foresee(self, batch: list[PlacedFrame]) -> None:
        """Tell the swapper what `_paint` will most likely ask for."""
        work = [(placed.frame.rgb, each) for placed in batch for each in placed.placements]
        work = [(rgb, each) for rgb, each in work if not each.covered and self._watch.cover(each.number) is None]
        if work:
            identities = np.stack([self._watch.identity(each.number, each.identity) for _, each in work])
            self._swapper.foresee([Place(rgb, each.points) for rgb, each in work], self._baked or identities)

    def _render(self, batch: list[PlacedFrame]) -> Iterator[RenderedFrame]:
        originals = [placed.frame.rgb.copy() if placed.placements else placed.frame.rgb for placed in batch]
        for placed in batch:
            for each in placed.placements:
                self._watch.note(each.number, placed.frame.index, face_at(each.points), each.doubtful)
        while True:
            before, tints = dict(self._light), dict(self._tints.shares)
            rectangles = self._paint(batch)
            if not self._looks_alike(batch, originals):
                break
            self._light, self._tints = before, TintMemory(tints)
            for placed, original in zip(batch, originals, strict=True):
                if placed.placements:
                    np.copyto(placed.frame.rgb, original)
        self._watch.settle([each.number for placed in batch for each in placed.placements])
        for placed, original, changed_in in zip(batch, originals, rectangles, strict=True):
            self._store(placed, original, changed_in)
            state = None
            if placed.state is not None:  # only the last frame of a batch has one
                state = {**placed.state, **self._state()}
            yield RenderedFrame(placed.frame, len(placed.placements), state)

    def _paint(self, batch: list[PlacedFrame]) -> list[list[tuple[int, int, int, int]]]:
        """Change and cover the faces in the frames of `batch`; for each frame where that was."""
        work = [
            (placed.frame.rgb, each) for placed in batch for each in placed.placements if self._cover_of(each) is None
        ]
        cuts = [index for index, placed in enumerate(batch) if placed.cut]

        def adjust(index: int, before: np.ndarray, after: np.ndarray) -> np.ndarray:
            number, opacity = work[index][1].number, work[index][1].opacity
            after = self._tints.keep(number, before, after)
            return before + opacity * (self._steady_light(number, before, after) - before)

        if work:
            identities = np.stack([self._watch.identity(each.number, each.identity) for _, each in work])
            places = [Place(rgb, each.points) for rgb, each in work]
            self._swapper.swap_crops(places, self._baked or identities, adjust, keep=self._keep)
        if cuts:  # numbers never come back after one
            here = {each.number for placed in batch[cuts[-1] :] for each in placed.placements}
            self._light = {number: light for number, light in self._light.items() if number in here}
            self._tints = TintMemory({number: share for number, share in self._tints.shares.items() if number in here})
        rectangles, size = [], self._swapper.size_px
        for placed in batch:
            rgb = placed.frame.rgb
            rectangles.append(
                [crop_rectangle(ffhq_crop_matrix(each.points, size), size, rgb.shape) for each in placed.placements]
            )
            for each in placed.placements:  # last: nothing that is put back may show what is covered
                cover = self._cover_of(each)
                if cover is not None:
                    rectangles[-1].append(cover_face(rgb, face_at(each.points), cover, LEVELS["blur"][-1]))
        return rectangles

    def _cover_of(self, placement: Placement) -> Cover | None:
        """How a face is covered in a frame; None where it is changed or left."""
        return "blur" if placement.covered else self._watch.cover(placement.number)

    def _looks_alike(self, batch: list[PlacedFrame], originals: list[np.ndarray]) -> bool:
        """Let the watch look at each face in its first and its last frame of `batch`; whether it wants them made
        again."""
        looks: dict[tuple[int, bool], Look] = {}
        people: dict[int, np.ndarray] = {}
        for placed, original in zip(batch, originals, strict=True):
            for each in placed.placements:
                if each.opacity < 1 or each.covered or not self._watch.wants(each.number, placed.frame.index):
                    continue
                identity = self._watch.identity(each.number, each.identity)
                images = to_uint8(original), to_uint8(placed.frame.rgb)
                look = Look(each.number, placed.frame.index, face_at(each.points), identity, *images)
                people[each.number] = identity if each.original is None else each.original
                looks.setdefault((each.number, False), look)
                if self._watch.hides and look is not looks[each.number, False]:
                    looks[each.number, True] = look
        return self._watch.look(list(looks.values()), people)

    def _state(self) -> dict[str, Any]:
        light = {number: shift.tolist() for number, shift in self._light.items()}
        return {"light": light, "tints": dict(self._tints.shares), "watch": self._watch.state()}

    def _store(self, placed: PlacedFrame, original: np.ndarray, rectangles: list[tuple[int, int, int, int]]) -> None:
        """Bring what changed in the RGB of a frame, marks included, into the frame as it is stored."""
        rgb = placed.frame.rgb
        if self._mark is not None:
            rgb = self._mark(rgb, [face_at(each.points) for each in placed.placements])
        if rgb is original:
            return  # no face, and no label
        rectangle = _around(rectangles)
        if not _equal_outside(original, rgb, rectangle):
            rectangle = 0, 0, rgb.shape[1], rgb.shape[0]
        add_change(placed.frame.stored, original, rgb, rectangle, self._probe)

    def _steady_light(self, number: int, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """`after` [R, R, 3] as much brighter or darker than the target as it has been lately: the target's light
        leads."""
        shift = ((after - before) * self._edge).sum((0, 1), np.float64) / self._edge.sum()  # as exact as it is restored
        usual = self._light.get(number)
        self._light[number] = shift if usual is None else LIGHT_MEMORY * usual + (1 - LIGHT_MEMORY) * shift
        correction = np.clip(self._light[number] - shift, -LARGEST_CORRECTION, LARGEST_CORRECTION).astype(np.float32)
        return np.clip(after + correction * self._edge, 0, 1)


def _around(rectangles: list[tuple[int, int, int, int]]) -> tuple[int, int, int, int]:
    """The rectangle that holds all of them; an empty one where there are none."""
    if not rectangles:
        return 0, 0, 0, 0
    lefts, tops, rights, bottoms = zip(*rectangles, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _equal_outside(one: np.ndarray, other: np.ndarray, rectangle: tuple[int, int, int, int]) -> bool:
    """Whether two pictures differ in `rectangle` alone: a visible label lies elsewhere."""
    left, top, right, bottom = rectangle
    parts = (slice(0, top), slice(None)), (slice(bottom, None), slice(None)), (slice(top, bottom), slice(0, left))
    return all(np.array_equal(one[part], other[part]) for part in (*parts, (slice(top, bottom), slice(right, None))))
