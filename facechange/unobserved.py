"""Dependencies that tell their makers how they are used are told not to, before any of them is imported.

ONNX Runtime (1.31) keeps a store of events and a number of this computer in the user's cache folder, and sends them.
OpenVINO does the same, by its package `openvino_telemetry`, as soon as it is imported; where that package cannot be, it
does without.
Ray (2.60) sends statistics of how it is used, of every cluster that it starts.
"""

from __future__ import annotations

import os
import sys

os.environ["ORT_DISABLE_TELEMETRY"] = "1"
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # Python's way of saying that there is none
