"""Change the faces of placed frames, several frames at once, and let no change flicker."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from facechange.change.changer import Changer
from facechange.change.tracking import face_at
from facechange.change.video.facts import VideoFacts
from facechange.change.video.frames import SourceFrame
from facechange.change.video.placing import PlacedFrame
from facechange.change.video.planes import add_change
from facechange.core import Face
from facechange.faces.align import warp_crop
from facechange.faces.geometry import crop_rectangle, ffhq_crop_matrix
from facechange.faces.put_back import Keep, put_back, soft_edge
from facechange.faces.tint import TintMemory

CROPS_A_BATCH = 4
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
    """Gives the faces of placed frames their new identities; `mark` marks each frame that has a changed face."""

    def __init__(self, changer: Changer, keep: Keep, facts: VideoFacts, mark: Mark | None = None) -> None:
        self._changer = changer
        self._keep = keep
        self._facts = facts
        self._mark = mark
        self._light: dict[int, np.ndarray] = {}  # by number: how much brighter [3] the change made the face of late
        self._tints = TintMemory()
        self._edge = soft_edge(changer.size_px)[..., None]

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from the `state` of a frame."""
        self._light = {int(number): np.array(light) for number, light in state["light"].items()}
        self._tints = TintMemory({int(number): share for number, share in state["tints"].items()})

    def render(self, frames: Iterator[PlacedFrame]) -> Generator[RenderedFrame, None, None]:
        """`frames`, changed in place. A batch never reaches past a frame with a state, so that a resumed run makes the same ones."""
        batch: list[PlacedFrame] = []
        for frame in frames:
            batch.append(frame)
            if frame.state is not None or sum(len(placed.placements) for placed in batch) >= CROPS_A_BATCH or not frame.placements:
                yield from self._render(batch)
                batch = []
        yield from self._render(batch)

    def _render(self, batch: list[PlacedFrame]) -> Iterator[RenderedFrame]:
        size = self._changer.size_px
        work = [(placed.frame, ffhq_crop_matrix(each.points, size)) for placed in batch for each in placed.placements]
        crops = [warp_crop(frame.rgb, matrix, size) for frame, matrix in work]
        identities = [each.identity for placed in batch for each in placed.placements]
        changed = self._changer.change_crops(np.stack(crops), np.stack(identities)) if crops else None
        place = 0
        for placed in batch:
            if placed.cut:
                self._light.clear()
                self._tints = TintMemory()
            rgb, rectangles = placed.frame.rgb, []
            original = rgb.copy() if placed.placements else rgb
            for each in placed.placements:
                assert changed is not None
                before = changed.before[place]
                after = self._tints.keep(each.number, before, changed.after[place])
                after = before + each.opacity * (self._steady_light(each.number, before, after) - before)
                put_back(rgb, before, after, work[place][1], self._keep, changed.kept_mask(place), out=rgb)
                rectangles.append(crop_rectangle(work[place][1], size, rgb.shape))
                place += 1
            if placed.placements:
                self._store(placed, original, rectangles)
            yield RenderedFrame(placed.frame, len(placed.placements), None if placed.state is None else {**placed.state, **self._state()})

    def _state(self) -> dict[str, Any]:
        return {"light": {n: light.tolist() for n, light in self._light.items()}, "tints": dict(self._tints.shares)}

    def _store(self, placed: PlacedFrame, original: np.ndarray, rectangles: list[tuple[int, int, int, int]]) -> None:
        """Bring what changed in the RGB of a frame, marks included, into the frame as it is stored."""
        rgb = placed.frame.rgb
        rectangle = _around(rectangles)
        if self._mark is not None:
            rgb = self._mark(rgb, [face_at(each.points) for each in placed.placements])
            if not _equal_outside(original, rgb, rectangle):
                rectangle = 0, 0, rgb.shape[1], rgb.shape[0]
        add_change(placed.frame.stored, original, rgb, rectangle, self._facts)

    def _steady_light(self, number: int, before: np.ndarray, after: np.ndarray) -> np.ndarray:
        """`after` [R, R, 3] as much brighter or darker than the target as it has been lately: the target's light leads."""
        shift = ((after - before) * self._edge).sum((0, 1), np.float64) / self._edge.sum()  # as exact as it is restored
        usual = self._light.get(number)
        self._light[number] = shift if usual is None else LIGHT_MEMORY * usual + (1 - LIGHT_MEMORY) * shift
        correction = np.clip(self._light[number] - shift, -LARGEST_CORRECTION, LARGEST_CORRECTION).astype(np.float32)
        return np.clip(after + correction * self._edge, 0, 1)


def _around(rectangles: list[tuple[int, int, int, int]]) -> tuple[int, int, int, int]:
    lefts, tops, rights, bottoms = zip(*rectangles, strict=True)
    return min(lefts), min(tops), max(rights), max(bottoms)


def _equal_outside(one: np.ndarray, other: np.ndarray, rectangle: tuple[int, int, int, int]) -> bool:
    """Whether two pictures differ in `rectangle` alone: a visible label lies elsewhere."""
    left, top, right, bottom = rectangle
    parts = (slice(0, top), slice(None)), (slice(bottom, None), slice(None)), (slice(top, bottom), slice(0, left))
    return all(np.array_equal(one[part], other[part]) for part in (*parts, (slice(top, bottom), slice(right, None))))
