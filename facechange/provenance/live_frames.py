"""The exit of frames that are shown as they are made: no file is written, so the marks are in the pixels and in each
JPEG."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Sequence

import cv2
import numpy as np

from facechange.consent.gate import Grant, check_still_held
from facechange.core import Face, ModelCard
from facechange.provenance.marks import mark_frame, say_once, say_what_is_off
from facechange.provenance.registry import new_identifier
from facechange.provenance.statement import add_statement

JPEG_QUALITY = 85
CONSENT_CHECKED_SECONDS = 5.0
_XMP_MARKER = b"http://ns.adobe.com/xap/1.0/\0"


class PublishedFrame:
    """A marked frame. Only `LivePublication` makes one, and whatever shows live frames takes nothing else."""

    def __init__(self, pixels: np.ndarray, statement: bytes) -> None:
        self.pixels = pixels  # [H, W, 3] uint8 RGB
        self._statement = statement

    @functools.cached_property
    def jpeg(self) -> bytes:
        """A whole JPEG file that states, in its XMP, consent, model and that it was made with one."""
        encoded = cv2.imencode(
            ".jpg", cv2.cvtColor(self.pixels, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY]
        )[1].tobytes()
        segment = _XMP_MARKER + self._statement
        return b"".join((encoded[:2], b"\xff\xe1", (len(segment) + 2).to_bytes(2), segment, encoded[2:]))


class LivePublication:
    """What a live run gives out: every frame with the visible label, its changed faces with the watermark.

    The label is on even where it is off for files, because who looks at a live picture has no file to verify; it has a
    setting of its own.
    """

    def __init__(self, grant: Grant, card: ModelCard) -> None:
        context = grant.context
        say_what_is_off(context)
        marking = context.settings.marking
        if not (marking.label or marking.live_label):
            say_once(f"Live pictures carry no visible label, because {context.folders.settings} says so.")
        self._grant, self._checked = grant, -math.inf
        self._identifier = new_identifier(context.folders.data)
        self._statement, _ = add_statement(None, grant.statement, f"{card.name} {card.version}", grant.persona)

    def publish_frame(self, pixels: np.ndarray, faces: Sequence[Face]) -> PublishedFrame:
        """`pixels` [H, W, 3] uint8 RGB, of which `faces` were changed, ready to be shown.

        Raises `ConsentError` within seconds after the consent was revoked or ended.
        """
        if time.monotonic() > self._checked + CONSENT_CHECKED_SECONDS:
            check_still_held(self._grant)
            self._checked = time.monotonic()
        marking = self._grant.context.settings.marking
        marked = mark_frame(pixels, faces, self._identifier, marking)
        if marking.live_label and not marking.label:
            from facechange.provenance.label import draw_label  # late, as in `mark_frame`

            marked = draw_label(marked, marking.label_text, marking.label_corner)
        return PublishedFrame(marked, self._statement)
