"""Hand live frames to other programs as a camera's, through pyvirtualcam."""

from __future__ import annotations

from typing import Any

import cv2

from facechange.core import DependencyError
from facechange.provenance import PublishedFrame

RATE = 30.0  # frames a second, as told to who looks; frames come as they come


class VirtualCamera:
    """A camera that others can choose, of the size of the first frame. Raises `DependencyError` where there is none to
    be had."""

    def __init__(self) -> None:
        try:
            import pyvirtualcam  # late: few have it, and a driver
        except ImportError:
            raise DependencyError(
                "A virtual camera needs pyvirtualcam, which is not installed.",
                "Install it with: pip install pyvirtualcam",
            ) from None
        self._make = pyvirtualcam.Camera
        self._camera: Any = None

    def show(self, frame: PublishedFrame) -> bool:
        """Hand on a frame."""
        height, width = frame.pixels.shape[:2]
        if self._camera is None:
            try:
                self._camera = self._make(width=width, height=height, fps=RATE)
            except RuntimeError:
                raise DependencyError(
                    "There is no virtual camera on this machine.",
                    "Install v4l2loopback (Linux) or OBS (Windows, macOS).",
                ) from None
        size = (self._camera.width, self._camera.height)
        self._camera.send(
            frame.pixels if size == (width, height) else cv2.resize(frame.pixels, size, interpolation=cv2.INTER_AREA)
        )
        return True

    def close(self) -> None:
        """Give the camera back."""
        if self._camera is not None:
            self._camera.close()
