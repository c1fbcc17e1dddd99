"""Show live frames in a window, where OpenCV was built with any."""

from __future__ import annotations

import cv2

from facechange.core import DependencyError
from facechange.provenance import PublishedFrame

TITLE = "facechange"
_STOP_KEYS = {27, ord("q")}


def has_windows() -> bool:
    """Whether this OpenCV can open one; the headless build that comes with facechange cannot."""
    return "GUI:                           NONE" not in cv2.getBuildInformation()


class Window:
    """A window that Escape, q or its own button closes. Raises `DependencyError` where OpenCV has none."""

    def __init__(self) -> None:
        try:
            cv2.namedWindow(TITLE, cv2.WINDOW_NORMAL)
        except cv2.error:
            raise DependencyError(
                "This OpenCV cannot open windows.",
                "Use --mjpeg 8080 and a browser, or put opencv-python in place of opencv-python-headless.",
            ) from None

    def show(self, frame: PublishedFrame) -> bool:
        """Show a frame; whether the window is still wanted."""
        cv2.imshow(TITLE, frame.pixels[..., ::-1])
        return cv2.waitKey(1) & 0xFF not in _STOP_KEYS and cv2.getWindowProperty(TITLE, cv2.WND_PROP_VISIBLE) > 0

    def close(self) -> None:
        """Take the window away."""
        cv2.destroyWindow(TITLE)
