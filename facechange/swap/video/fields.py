"""Interlaced frames, which show two moments in alternate rows, made whole: neither a detector nor a model knows combed
faces."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from fractions import Fraction
from typing import TypeAlias

import av
from av.filter import Graph

# pts, duration, frame, whether it stands for one that was lost
Decoded: TypeAlias = tuple[int, int, av.VideoFrame, bool]

_FILTER = "bwdif", "mode=send_frame:deint=interlaced"  # a frame for a frame; what is not interlaced passes as it is
_NUMBERS = Fraction(1, 25)  # a time base for the numbers of frames; any would do


def make_whole(frames: Iterator[Decoded]) -> Generator[tuple[Decoded, bool], None, None]:
    """`frames` with their times, and whether each was interlaced: of its later field nothing is left.

    Each is made of itself, the one before and the one after, so that reading that begins later gives the same from its
    second on.
    """
    filtering: _Deinterlacer | None = None
    for decoded in frames:
        if filtering is not None and filtering.shape != _shape_of(decoded):
            yield filtering.finish()
            filtering = None
        if filtering is not None:
            yield filtering.step(decoded)
        elif decoded[2].interlaced_frame:
            filtering = _Deinterlacer(decoded)
        else:
            yield decoded, False
    if filtering is not None:
        yield filtering.finish()


class _Deinterlacer:
    """The filter for frames of one size and kind, from the first that is interlaced; each comes out when the next one
    is known."""

    def __init__(self, first: Decoded) -> None:
        self.shape = width, height, kind = _shape_of(first)
        self._graph = Graph()
        source = self._graph.add_buffer(width=width, height=height, format=av.VideoFormat(kind), time_base=_NUMBERS)
        self._graph.link_nodes(source, self._graph.add(*_FILTER), self._graph.add("buffersink")).configure()
        self._pushed = 0
        self._push(first)

    def step(self, following: Decoded) -> tuple[Decoded, bool]:
        """The frame that waited for `following`."""
        (pts, duration, frame, repeated), interlaced = self._waiting, self._waiting[2].interlaced_frame
        self._push(following)
        frame = self._graph.vpull()
        return (pts, duration, frame, repeated), interlaced

    def finish(self) -> tuple[Decoded, bool]:
        """The last frame, which stands for the one after it too."""
        return self.step(self._waiting)

    def _push(self, decoded: Decoded) -> None:
        frame = decoded[2]
        frame.pts, frame.time_base = self._pushed, _NUMBERS
        self._graph.vpush(frame)
        self._waiting = decoded
        self._pushed += 1


def _shape_of(decoded: Decoded) -> tuple[int, int, str]:
    frame = decoded[2]
    return frame.width, frame.height, frame.format.name
