"""A live run: take the newest frame, change it, publish it, show it; and never fall behind."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from facechange.consent import Context, Grant
from facechange.core import ConsentError
from facechange.faces.paste_back import Keep
from facechange.faces.select import EVERY_FACE, FaceSelector
from facechange.provenance import LivePublication, PublishedFrame
from facechange.swap.assignment import IdentityAssignment, grant_change
from facechange.swap.live.capture import Capture, Input, describe_input
from facechange.swap.live.swap_frame import LiveSwapper
from facechange.swap.swapper import Swapper

REPORT_EVERY_S = 1.0


@dataclass(frozen=True)
class Pace:
    """How fast a run was since the last report."""

    frames_a_second: float
    latency_ms: float  # median, from the moment that a frame was there until it was shown
    dropped: int  # frames that were older than another when their turn came
    faces: int  # changed in the last frame


class Sink(Protocol):
    """Where frames are shown."""

    def show(self, frame: PublishedFrame) -> bool:
        """Show a frame; False ends the run."""
        ...

    def close(self) -> None:
        """No frame comes any more."""
        ...


def request_live(
    context: Context, sources: Sequence[Path], source: Input, consent: str | None, purpose: str = ""
) -> Grant:
    """Leave to begin, asked for before the camera is opened. A camera's pictures cannot be in a record, as they are not
    there yet.

    Raises what `require_grant` raises, and `ConsentError` where the operator wants a record for everything that is
    changed.
    """
    if context.settings.consent.target_record and not isinstance(source, Path):
        name = describe_input(source)
        raise ConsentError(
            f"Here a picture that is changed needs a record of consent, which {name} cannot have.",
            "Record a video and change that.",
        )
    return grant_change(context, consent, sources, [source] if isinstance(source, Path) else [], purpose)


def run_live(
    swapper: Swapper,
    assignment: IdentityAssignment,
    capture: Capture,
    sinks: Sequence[Sink],
    *,
    grant: Grant,
    face: FaceSelector = EVERY_FACE,
    keep: Keep = "mask",
    report: Callable[[Pace], None] = lambda pace: None,
) -> int:
    """Give the faces that `capture` sees the identities that `assignment` has for them, and show it in `sinks`; returns
    the number of frames.

    It ends with the input, or where a sink wants no more. `grant` is what `request_live` gave. Raises `VideoError`
    where the input goes away.
    """
    live = LiveSwapper(swapper, assignment, face, keep)
    publication = LivePublication(grant, swapper.card)
    shown, dropped, latencies, wanted = 0, 0, list[float](), True
    with capture:  # only now, as what comes while the model gets ready would be old
        reported_at = time.monotonic()
        while wanted and (captured := capture.next()) is not None:
            rgb: np.ndarray = cv2.cvtColor(captured.bgr, cv2.COLOR_BGR2RGB)
            faces = live.step(rgb, captured.taken_at_s)
            frame = publication.publish_frame(rgb, faces)
            answers = [sink.show(frame) for sink in sinks]
            wanted = all(answers)
            now = time.monotonic()
            shown += 1
            latencies.append(1000 * (now - captured.taken_at_s))
            if now - reported_at >= REPORT_EVERY_S:
                report(
                    Pace(
                        len(latencies) / (now - reported_at),
                        statistics.median(latencies),
                        capture.dropped - dropped,
                        len(faces),
                    )
                )
                latencies, dropped, reported_at = [], capture.dropped, now
    return shown
