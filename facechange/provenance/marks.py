"""Marks in the pixels: the invisible watermark and the visible label, as far as the operator's settings ask for
them."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np

from facechange.consent.context import Context
from facechange.core import Face, say
from facechange.core.settings import MarkingSettings
from facechange.provenance.watermark import embed_watermark


def mark_frame(pixels: np.ndarray, faces: Sequence[Face], identifier: int, marking: MarkingSettings) -> np.ndarray:
    """A copy of `pixels` [H, W, 3] (uint8 or uint16 RGB) with the watermark `identifier` in its changed `faces` and the
    label on it.

    `pixels` themselves come back where there is nothing to do. `publish` calls it for a picture, a video's pipeline for
    each frame.
    """
    if marking.watermark:
        pixels = embed_watermark(pixels, faces, identifier)
    if marking.label:
        from facechange.provenance.label import draw_label  # late: few ask for it

        pixels = draw_label(pixels, marking.label_text, marking.label_corner)
    return pixels


def say_what_is_off(context: Context) -> None:
    """One sentence on stderr, once a process, where the settings turn marks off that the law may ask for."""
    marking = context.settings.marking
    off = [
        name for name, on in (("content credentials", marking.credentials), ("watermark", marking.watermark)) if not on
    ]
    if off:
        say_once(
            f"Marking is off: results carry no {' and no '.join(off)}, because {context.folders.settings} says so."
        )


@functools.cache
def say_once(sentence: str) -> None:
    """A sentence on stderr for the one who runs this, once a process."""
    say(sentence, err=True)
