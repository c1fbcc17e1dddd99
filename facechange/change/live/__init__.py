"""A camera or a stream, changed as it comes."""

from facechange.change.live.capture import Capture, parse_input
from facechange.change.live.mjpeg import MjpegServer, parse_address
from facechange.change.live.running import Pace, Sink, request_live, run_live
from facechange.change.live.virtual_cameras import VirtualCamera
from facechange.change.live.windows import Window, has_windows

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
