"""A camera or a stream, changed as it comes."""

from facechange.swap.live.capture import Capture, parse_input
from facechange.swap.live.mjpeg import MjpegServer, parse_address
from facechange.swap.live.run import Pace, Sink, request_live, run_live
from facechange.swap.live.virtual_cameras import VirtualCamera
from facechange.swap.live.windows import Window, has_windows

__all__ = [
    "Capture",
    "MjpegServer",
    "Pace",
    "Sink",
    "VirtualCamera",
    "Window",
    "has_windows",
    "parse_address",
    "parse_input",
    "request_live",
    "run_live",
]
