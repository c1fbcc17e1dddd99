"""`facechange swap --server`: the same command line, the work done elsewhere."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from facechange.cli.console import counting, say

if TYPE_CHECKING:
    from facechange.swap.people import People

KEY_VARIABLE = "FACECHANGE_KEY"
PASSING_SECONDS = 86_400.0  # how long what is sent stays there at most; it is deleted when the change is here
ServerOption = Annotated[
    str | None,
    typer.Option(
        "--server",
        help="Let a server (facechange serve) do it, by its address; its key is in FACECHANGE_KEY or --key-file.",
        show_default=False,
    ),
]
KeyFileOption = Annotated[
    Path | None, typer.Option("--key-file", help="A file that holds the server's key.", show_default=False)
]


def read_key(path: Path | None) -> str:
    """The key for a server. Raises `SettingsError`."""
    from facechange.core import SettingsError
    from facechange.core.stored import read_text

    if path is None:
        key = os.environ.get(KEY_VARIABLE, "")
    else:
        try:
            key = read_text(path)
        except (OSError, ValueError) as error:
            raise SettingsError(f"The key in {path} cannot be read ({error}).", "Check --key-file.") from None
    if not key.strip():
        raise SettingsError("There is no key for the server.", f"Put it into {KEY_VARIABLE}, or name its --key-file.")
    return key.strip()


def swap_elsewhere(
    server: str,
    key_file: Path | None,
    people: People,
    target: Path,
    output: Path,
    consent: str | None,
    purpose: str,
    strength: float,
    keep: str,
    beyond: str | None,
    model: str,
) -> None:
    """Send the pictures of a change, wait for it, and write its result to `output`.

    Nothing of it stays on the server, also where it fails or is stopped, as far as the server can be reached then.
    Raises `ConsentError`, `OutputError`, `PictureError` and `client.ServerError`, which has the server's exit code.
    """
    from facechange.cli.extras import need_service

    need_service()
    from datetime import UTC, datetime

    from facechange.client import Client
    from facechange.consent.gate import check_sentence, clean_statement
    from facechange.core.files import check_place
    from facechange.images.reading import readable_file

    key, words = read_key(key_file), check_sentence(clean_statement(consent))
    check_place(output)
    expires = datetime.fromtimestamp(time.time() + PASSING_SECONDS, UTC).isoformat()
    began = time.perf_counter()
    with counting("Changing it elsewhere") as report, Client(server, key) as client, ExitStack() as left:
        sent: dict[Path, str] = {}

        def send(path: Path) -> str:
            if path not in sent:
                with readable_file(path):
                    sent[path] = client.put(path, expires=expires).id
                left.callback(_forget, client.delete, sent[path])
            return sent[path]

        rules = []
        for sources, rule in zip(people.sources, people.selection.rules, strict=True):
            given = [send(path) for path in sources]
            for selector in rule:
                shown = str(selector) if selector.like is None else f"like:{send(selector.like)}"
                rules.append({"sources": given, "selector": shown})
        options: dict[str, Any] = {"rules": rules, "strength": strength, "keep": keep, "beyond": beyond, "model": model}
        job = client.change(send(target), [], consent=words, purpose=purpose, **options)
        left.callback(_forget, client.cancel, job.id)  # one that is over stays as it is
        job = client.wait(job, report)
        left.callback(_forget, client.delete, str(job.result))
        client.save(job, output)
    say(f"{output}: {job.summary.rstrip('.')} in {time.perf_counter() - began:.1f} s")


def _forget(ask: Callable[[str], Any], reference: str) -> None:
    """Ask a server to delete or cancel something; where it does not answer, what was sent expires."""
    from facechange.core import FacechangeError

    with suppress(FacechangeError):
        ask(reference)
