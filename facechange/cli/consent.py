"""`facechange consent`: the ledger of who agreed to what."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facechange.cli.console import say, say_json

if TYPE_CHECKING:
    from facechange.consent.status import Status

app = typer.Typer(help="Record who agreed to what, and take it back.", no_args_is_help=True)

NumberArgument = Annotated[
    str, typer.Argument(help="The record's number, fc- and eight letters or digits.", metavar="NUMBER")
]
ByOption = Annotated[
    str, typer.Option("--by", help="Who records this; by default the name you are logged in with.", show_default=False)
]


class RoleChoice(StrEnum):
    """The values of `--role`."""

    source = "source"
    target = "target"
    both = "both"


class WayChoice(StrEnum):
    """The values of `--basis`: `consent.recording.RECORDED_BASES`, spelt out because help must not load the ledger."""

    self = "self"
    release = "release"
    synthetic = "synthetic"
    public_domain = "public-domain"


@app.command("add")
def add(
    pictures: Annotated[
        list[Path], typer.Argument(help="The pictures that the agreement is about; only their hashes are kept.")
    ],
    who: Annotated[
        str, typer.Option(help="A label that you will understand; it stays in the ledger and goes into no result.")
    ],
    role: Annotated[RoleChoice, typer.Option(help="source: may give the identity; target: may be changed.")],
    basis: Annotated[
        WayChoice, typer.Option(help="How: you are the person, a written release, nobody's face, public domain.")
    ],
    release: Annotated[
        Path | None, typer.Option(help="The written release; only its hash is kept.", show_default=False)
    ] = None,
    purpose: Annotated[str, typer.Option(help="The only purpose; any by default.", show_default=False)] = "",
    until: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The last day (UTC).", show_default=False)
    ] = None,
    statement: Annotated[str, typer.Option(help="Words to store in the results.", show_default=False)] = "",
    by: ByOption = "",
) -> None:
    """Record an agreement and print its number, which `--consent` takes."""
    from facechange.consent import load_context
    from facechange.consent.recording import record_consent
    from facechange.consent.status import look_up

    context = load_context()
    day = until.date() if until else None
    record = record_consent(
        context,
        pictures,
        who=who,
        role=role.value,
        basis=basis.value,
        purpose=purpose,
        until=day,
        release=release,
        statement=statement,
        recorded_by=by,
    )
    status = look_up(context.ledger, record.id)
    assert status is not None
    say(_in_a_line(status))


@app.command("list")
def list_records(
    picture: Annotated[Path | None, typer.Argument(help="Only records about this picture.", show_default=False)] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Also statements that came with a change, and what ended.")
    ] = False,
) -> None:
    """List the records in force, a line each, oldest first."""
    from facechange.consent import load_context
    from facechange.consent.status import read_statuses

    everything = everything or picture is not None
    context = load_context()
    statuses = read_statuses(context.ledger)
    found = statuses.naming([context.digests.of(picture)]) if picture else statuses.all()
    shown = [status for status in found if everything or (status.in_force and status.record.added)]
    for status in shown:
        say(_in_a_line(status))
    if not shown:
        say("There is no such record.", err=True)


@app.command("show")
def show(
    number: NumberArgument,
    json_output: Annotated[bool, typer.Option("--json", help="As JSON, with every hash.")] = False,
) -> None:
    """Show a record: who, what for, until when, and whether it holds."""
    from dataclasses import asdict

    from facechange.consent import load_context
    from facechange.consent.record import BASES
    from facechange.consent.status import look_up
    from facechange.core import ConsentError

    status = look_up(load_context().ledger, number)
    if status is None:
        raise ConsentError(f"There is no record of consent {number}.", "facechange consent list shows those there are.")
    record = status.record
    if json_output:
        place = {"line": status.line.number, "hash": status.line.hash}
        details = {**asdict(record), "state": status.state, "reason": status.reason, **place}
        say_json(details)
        return
    table = {
        "record": record.id,
        "state": status.state + (f" ({status.reason})" if status.reason else ""),
        "who": record.who,
        "basis": BASES[record.basis],
        "release": record.release,
        "statement": record.statement,
        "purpose": record.purpose or "any",
        "until": record.until,
        "sources": record.sources,
        "targets": record.targets,
        "rests on": ", ".join(record.rests_on),
        "recorded": f"{record.recorded_at} by {record.recorded_by}",
        "line": f"{status.line.number}, {status.line.hash}",
    }
    for name, value in table.items():
        for index, each in enumerate([value] if isinstance(value, str) else value):
            if each:
                say(f"{'' if index else name:<10} {each}")


@app.command("revoke")
def revoke(
    number: NumberArgument,
    reason: Annotated[str, typer.Option(help="Why; kept in the ledger.", show_default=False)] = "",
    by: ByOption = "",
) -> None:
    """Take an agreement back: no change rests on it from now on. Results made before stay; `verify` tells of it."""
    from facechange.consent import load_context
    from facechange.consent.recording import revoke_consent

    revocation = revoke_consent(load_context(), number, reason, by)
    say(f"{revocation.revokes} is revoked from {revocation.recorded_at} on.")


@app.command("check")
def check() -> None:
    """Hold every line of the ledger against the one before it."""
    from facechange.consent import load_context

    ledger = load_context().ledger
    lines = ledger.read()
    say(f"{ledger.path}: {len(lines)} lines, none altered.")
    if lines:
        say(f"The last is {lines[-1].hash}. Kept elsewhere, this shows later whether lines were taken off the end.")


def _in_a_line(status: Status) -> str:
    """Number, state and the details of a record that tell it from others."""
    record = status.record
    roles = " and ".join(
        role for role, pictures in (("source", record.sources), ("target", record.targets)) if pictures
    )
    number = len({*record.sources, *record.targets})
    details = [
        record.who or f'"{record.statement}"',
        f"{roles} of {number} picture{'s' if number > 1 else ''}" if roles else "no picture",
        record.basis,
        f'for "{record.purpose}"' if record.purpose else "",
        f"until {record.until}" if record.until else "",
        status.reason or "",
    ]
    return f"{record.id}  {', '.join(filter(None, details))}"
