"""`facechange serve`, `facechange work` and `facechange keys`: the service."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facechange.cli.cluster import RayRequest, reaching
from facechange.cli.console import say, waiting
from facechange.cli.options import RayOption, RayWorkersOption

if TYPE_CHECKING:
    from facechange.service.service import Service
    from facechange.service.settings import ServiceSettings

SettingsOption = Annotated[
    Path | None,
    typer.Option(
        "--settings", help="A TOML file with a table [service]; docs/service.md lists it.", show_default=False
    ),
]
HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home", help="Where database, files and ledgers go; a folder of facechange's by default.", show_default=False
    ),
]
app = typer.Typer(help="Keys of the service: who may ask it for what.", no_args_is_help=True)


def serve(
    settings: SettingsOption = None,
    home: HomeOption = None,
    host: Annotated[str | None, typer.Option(help="127.0.0.1: this machine alone.", show_default=False)] = None,
    port: Annotated[int | None, typer.Option(min=1, max=65535, show_default=False)] = None,
    no_workers: Annotated[bool, typer.Option("--no-workers", help="Only answer; facechange work works.")] = False,
) -> None:
    """Serve the page and the API, with workers beside it. Ctrl-C ends it; jobs on their way go on next time."""
    from facechange.cli.extras import need_service

    need_service()
    import uvicorn

    from facechange.core import SettingsError
    from facechange.service.app import create_app
    from facechange.service.keys import has_keys, make_first_key
    from facechange.service.log import start_log
    from facechange.service.worker_processes import WorkerProcesses

    chosen = _load(settings, home)
    chosen = replace(chosen, host=host or chosen.host, port=port or chosen.port)
    service = _open(chosen)
    if chosen.is_public and not has_keys(service.database):
        raise SettingsError(
            f"{chosen.host} lets others in, and there is no key yet.", "Make one first: facechange keys add --name NAME"
        )
    key = make_first_key(service.database)
    address = f"http://{f'[{chosen.host}]' if ':' in chosen.host else chosen.host}:{chosen.port}"
    say(f"facechange is at {address}")
    if key:
        say(f"The key for the page, shown this once: {key}")
        say(f"Open {address}/#key={key}")  # what follows # is not sent; the page takes it and forgets it
    count = 0 if no_workers else chosen.workers
    where = [*(["--settings", str(settings)] if settings else []), "--home", str(chosen.home)]
    lanes = [["--lane", "quick"] if place == 0 and count > 1 else [] for place in range(count)]
    workers = WorkerProcesses([[*where, *lane] for lane in lanes])
    web = create_app(service, workers.wake, workers)
    start_log()
    uvicorn.run(
        web,
        host=chosen.host,
        port=chosen.port,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=20,
        timeout_keep_alive=20,
        h11_max_incomplete_event_size=64 << 10,
        server_header=False,
    )


def work(
    settings: SettingsOption = None,
    home: HomeOption = None,
    lane: Annotated[list[str] | None, typer.Option("--lane", help="quick, slow or both.", show_default=False)] = None,
    ray: RayOption = None,
    ray_workers: RayWorkersOption = None,
    follow: Annotated[bool, typer.Option("--follow", hidden=True)] = False,
) -> None:
    """Do the service's jobs, beside any number of others. Ctrl-C ends it after giving its job back.

    With --ray workers of the cluster do them: as many as jobs are open, --ray-workers at most.
    """
    from facechange.cli.extras import need_service

    need_service()
    import signal
    import threading

    from facechange.service.log import start_log
    from facechange.service.worker import LANES, Worker

    service = _open(_load(settings, home))
    lanes = tuple(each for each in lane or LANES if each in LANES) or LANES
    start_log()
    if ray is not None:
        _work_on_cluster(service, lanes, RayRequest(ray, ray_workers))
        return
    worker = Worker(service, lanes=lanes)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: worker.end())
    if follow:

        def read() -> None:
            while os.read(0, 4096):  # unbuffered: a thread that waits in a buffer's lock would abort the end of Python
                worker.wake.set()
            worker.end()

        threading.Thread(target=read, daemon=True).start()
    worker.run()


def _work_on_cluster(service: Service, lanes: tuple[str, ...], ray: RayRequest) -> None:
    import signal

    with reaching(ray, [service.settings.home, service.context.folders.data]) as cluster:
        from facechange.scale.service import Scaling, ServiceWorkers

        assert cluster is not None
        gpus = cluster.total("GPU")
        most = ray.workers or gpus or cluster.total("CPU")
        workers = ServiceWorkers(service, lanes, Scaling(1, most), 1, 1 if gpus else 0)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: workers.ending.set())
        workers.run()


@app.command("add")
def add_key(
    name: Annotated[str, typer.Option(help="Whose it is, in your words.")],
    scopes: Annotated[
        str, typer.Option(help="change, library, consent, admin: some, with commas.")
    ] = "change,library,consent,admin",
    tenant: Annotated[str, typer.Option(help="To whom everything that comes by it belongs.")] = "default",
    settings: SettingsOption = None,
    home: HomeOption = None,
) -> None:
    """Make a key, and its tenant where there is none yet; the key is shown this once."""
    from facechange.cli.extras import need_service

    need_service()
    from facechange.core import SettingsError
    from facechange.service.keys import SCOPES, TENANT_NAME, add_tenant, make_key
    from facechange.service.tables import ALL

    wanted = [each.strip() for each in scopes.split(",")]
    if not set(wanted) <= set(SCOPES):
        raise SettingsError(f"{scopes} are no scopes.", f"Use some of {', '.join(SCOPES)}.")
    if not TENANT_NAME.fullmatch(tenant):
        raise SettingsError(f"{tenant} is no name of a tenant.", "Use small letters, digits, - and _.")
    with _open(_load(settings, home)).database.session(ALL) as session:
        add_tenant(session, tenant)
        row, secret = make_key(session, tenant, name, wanted)
    say(f"{row.id}: {secret}")


@app.command("list")
def list_keys(settings: SettingsOption = None, home: HomeOption = None) -> None:
    """List the keys of every tenant, without their secrets."""
    from facechange.cli.extras import need_service

    need_service()
    from sqlalchemy import select

    from facechange.service.schemas import format_time
    from facechange.service.tables import ALL, Key

    with _open(_load(settings, home)).database.session(ALL) as session:
        rows = session.scalars(select(Key).order_by(Key.tenant, Key.created)).all()
    for row in rows:
        ended = f", revoked {format_time(row.revoked)}" if row.revoked else ""
        say(f"{row.id}  {row.tenant}  {row.name}  {','.join(row.scopes)}{ended}")


@app.command("revoke")
def revoke_key(
    key: Annotated[str, typer.Argument(help="Its number, key_...")],
    settings: SettingsOption = None,
    home: HomeOption = None,
) -> None:
    """Revoke a key from now on."""
    from facechange.cli.extras import need_service

    need_service()
    import time

    from facechange.core import SettingsError
    from facechange.service.tables import ALL, Key

    with _open(_load(settings, home)).database.session(ALL) as session:
        row = session.get(Key, key)
        if row is None:
            raise SettingsError(f"There is no key {key}.", "facechange keys list shows those there are.")
        row.revoked = time.time()
    say(f"{key} is revoked.")


def _load(settings: Path | None, home: Path | None) -> ServiceSettings:
    from facechange.consent import load_context
    from facechange.service.settings import load_service_settings

    chosen = load_service_settings(settings, load_context().folders.data / "service")
    return replace(chosen, home=home) if home else chosen


def _open(settings: ServiceSettings) -> Service:
    from facechange.consent import load_context
    from facechange.service.service import open_service

    with waiting("Opening the service"):
        return open_service(settings, load_context())
