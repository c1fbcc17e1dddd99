"""A server without workers, for a test to kill: HOME DATABASE STORE PORT."""

from __future__ import annotations

import sys
from pathlib import Path

import uvicorn

from facechange.consent import load_context
from facechange.service.app import create_app
from facechange.service.service import open_service
from facechange.service.settings import ServiceSettings


def main() -> None:
    home, database, store, port = sys.argv[1:]
    settings = ServiceSettings(
        Path(home),
        database=database,
        store=store,
        requests_per_minute=1_000_000,
        jobs_per_key=10_000,
        decoding_seconds=600,
    )
    app = create_app(open_service(settings, load_context()))
    uvicorn.run(app, host="127.0.0.1", port=int(port), log_config=None, access_log=False)


if __name__ == "__main__":
    main()
