"""What is added to a stored frame is what changed in its RGB, and nothing else."""

from dataclasses import replace
from fractions import Fraction
from types import ModuleType

import av
import numpy as np
import pytest
from av.video.reformatter import ColorRange, Colorspace

from facechange.swap.video.probe import probe_of
from facechange.swap.video.yuv import add_change, can_edit, store_as, to_upright_rgb

FORMATS = (
    "yuv420p",
    "yuv422p",
    "yuv444p",
    "yuv420p10le",
    "yuva444p10le",
    "gbrp",
    "gbrp10le",
    "bgr0",
    "bgra",
    "rgb48le",
    "rgba64le",
)


@pytest.mark.parametrize("pixel_format", FORMATS)
@pytest.mark.parametrize(
    ("matrix", "full"), [(Colorspace.ITU709, False), (Colorspace.ITU601, True), (Colorspace.BT2020, False)]
)
def test_changes_arrive_and_the_rest_stays(
    videos: ModuleType, pixel_format: str, matrix: Colorspace, full: bool
) -> None:
    picture = videos.read_example("target", 230)[:202]
    range_ = ColorRange.JPEG if full else ColorRange.MPEG
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(
        format=pixel_format, dst_colorspace=matrix, dst_color_range=range_
    )
    probe = probe_of(frame, "any", Fraction(1, 25), Fraction(25), 1)
    for rotation in (0, 90, 180, 270):
        turned = replace(probe, colorspace=int(matrix), full_range=full or probe.is_rgb, rotation=rotation)
        stored = store_as(frame, pixel_format, turned)
        rgb = to_upright_rgb(stored, turned)
        peak = np.iinfo(rgb.dtype).max
        after = rgb.copy()
        after[31:125, 17:99] = np.clip(rgb[31:125, 17:99] * 0.7 + peak * np.array([0.1, 0.05, 0.02]), 0, peak)
        add_change(stored, rgb, after, (17, 31, 99, 125), turned)
        error = np.abs(to_upright_rgb(stored, turned).astype(float) - after) / peak * 255
        assert error[33:123, 19:97].mean() < 1.5
        error[27:129, 13:103] = 0  # a chroma sample reaches over the rectangle's edge
        assert error.max() == 0


def test_formats_that_cannot_be_edited_are_known() -> None:
    assert all(map(can_edit, FORMATS))
    assert not any(map(can_edit, ("pal8", "nv12", "yuv410p", "rgb565le", "gbrpf32le", "yuv420p10be", "grayf16le")))
