"""Encoded frames in pieces that are each finished and on the disk before the journal names them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import av

from facechange.core.files import open_private
from facechange.swap.video.encode import EncoderSettings, open_encoder
from facechange.swap.video.frames import SourceFrame
from facechange.swap.video.probe import VideoProbe


@dataclass(frozen=True)
class Segment:
    """What is in a segment's file: packets one after the other, whose times count frames."""

    number: int
    first_frame: int
    pts: list[int]  # of its frames, in the time base of the source
    last_duration: int
    packets: list[tuple[int, int, int, int]]  # pts and dts in frames, whether a key frame, bytes

    @property
    def size(self) -> int:
        """Bytes of its file."""
        return sum(packet[3] for packet in self.packets)


def segment_path(folder: Path, number: int) -> Path:
    """Where a segment lies."""
    return folder / f"{number:06d}.packets"


class SegmentWriter:
    """Encodes the frames of one segment with an encoder of its own, so that it depends on no other."""

    def __init__(self, folder: Path, number: int, settings: EncoderSettings, probe: VideoProbe) -> None:
        self._number = number
        self._encoder = open_encoder(settings, probe)
        self._file = open_private(segment_path(folder, number), "wb")
        self._frames: list[tuple[int, int, int]] = []  # index, pts, duration
        self._packets: list[tuple[int, int, int, int]] = []

    def write(self, frame: SourceFrame) -> None:
        """Encode one more frame; raises `OSError` where the disk refuses."""
        stored = frame.stored
        stored.pts, stored.time_base, stored.pict_type = frame.index, self._encoder.time_base, 0
        self._frames.append((frame.index, frame.pts, frame.duration))
        self._keep(self._encoder.encode(stored))

    def finish(self) -> Segment:
        """Let the encoder give everything back, and the file reach the disk."""
        self._keep(self._encoder.encode(None))
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return Segment(
            self._number, self._frames[0][0], [pts for _, pts, _ in self._frames], self._frames[-1][2], self._packets
        )

    def abandon(self) -> None:
        """Close the file as it is; the journal does not know it."""
        self._file.close()

    def _keep(self, packets: list[av.Packet]) -> None:
        for packet in packets:
            assert packet.pts is not None and packet.dts is not None
            self._packets.append((packet.pts, packet.dts, int(packet.is_keyframe), packet.size))
            self._file.write(bytes(packet))


def read_packets(folder: Path, segment: Segment) -> Iterator[av.Packet]:
    """The packets of a segment, in the encoder's order; their times count frames."""
    with segment_path(folder, segment.number).open("rb") as file:
        for pts, dts, key, size in segment.packets:
            packet = av.Packet(file.read(size))
            packet.pts, packet.dts, packet.is_keyframe = pts, dts, bool(key)
            yield packet
