"""A worker with toy networks, for a test to kill: HOME IDENTITY.onnx CHANGE.onnx DATABASE STORE [ATTEMPTS]."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from facechange.consent import load_context
from facechange.runtime import load_graph
from facechange.service.service import open_service
from facechange.service.settings import ServiceSettings
from facechange.service.worker import Worker
from facechange.swap import Swapper


def main() -> None:
    home, identity, change = map(Path, sys.argv[1:4])
    database, store, attempts = (*sys.argv[4:], "5")[:3]
    settings = ServiceSettings(
        home, database=database, store=store, lease_seconds=1.0, attempts=int(attempts), decoding_seconds=600
    )
    spec = importlib.util.spec_from_file_location("toys", Path(__file__).parents[1] / "conftest.py")
    assert spec and spec.loader
    toys = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(toys)
    swapper = Swapper(toys.ToyDetector(), load_graph(identity, 1), load_graph(change, 1))
    worker = Worker(open_service(settings, load_context()), lambda _: swapper)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    worker.run()


if __name__ == "__main__":
    main()
