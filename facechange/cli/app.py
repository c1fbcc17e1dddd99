"""The `facechange` command: which commands there are, and how anything that goes wrong is said."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Any, NoReturn

import typer

from facechange.cli import (
    anonymize,
    batch,
    benchmark,
    consent,
    data,
    evaluate,
    export,
    faces,
    identity,
    live,
    masks,
    models,
    persona,
    serve,
    swap,
    train,
    verify,
    video,
)
from facechange.cli.console import say
from facechange.cli.memory_limit import EXIT_MEMORY, guard_memory_limit
from facechange.cli.options import complete_ray
from facechange.cli.renamed import renew_words

EXIT_INTERRUPTED = 130
EXIT_BUG = 70  # EX_SOFTWARE of sysexits.h
EXIT_REFUSED = 74  # EX_IOERR: the system will not have a name or a place


class Commands(typer.core.TyperGroup):
    """The commands; what is wrong with their words is cleaned like everything that is said, as words can be the names
    of files."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, complete_ray(renew_words(args)))

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except Exception as error:
            if hasattr(error, "message"):  # an error of usage; Typer exports no class for them
                from facechange.core import show  # late: as below

                error.message = show(str(error.message))
            raise


app = typer.Typer(
    cls=Commands,
    help="High-definition face change: the identity of one face, everything else of another picture.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command("swap")(swap.swap)
app.command("anonymize")(anonymize.anonymize)
app.command("video")(video.video)
app.command("batch")(batch.batch)
app.command("live")(live.live)
app.command("masks")(masks.masks)
app.command("faces")(faces.faces)
app.command("serve")(serve.serve)
app.command("work")(serve.work)
app.add_typer(serve.app, name="keys")
app.command("verify")(verify.verify)
app.add_typer(persona.app, name="persona")
app.add_typer(identity.app, name="identity")
app.add_typer(consent.app, name="consent")
app.add_typer(models.app, name="models")
app.add_typer(data.app, name="data")
app.add_typer(train.app, name="train")
app.add_typer(evaluate.app, name="evaluate")
app.add_typer(export.app, name="export")
app.command("benchmark")(benchmark.benchmark)


@app.callback(invoke_without_command=True)
def root(version: bool = typer.Option(False, "--version", help="Print the version and stop.")) -> None:
    """High-definition face change: the identity of one face, everything else of another picture."""
    if version:
        from facechange import __version__

        print(__version__)  # not by `say`, which brings NumPy along
        raise typer.Exit


def main() -> None:
    """Run the command line; every failure ends in one sentence on stderr and an exit code of its own."""
    guard_memory_limit()
    try:
        app(prog_name="facechange")
    except KeyboardInterrupt as error:
        _fail("Stopped. No partial file was left.", EXIT_INTERRUPTED, error)
    except SystemExit as stop:
        if stop.code == EXIT_INTERRUPTED:  # Typer turns Ctrl-C into this, without a word
            say("Stopped. No partial file was left.", err=True)
        raise
    except Exception as error:
        from facechange.core import (  # late: it brings NumPy, which help does not need
            FacechangeError,
            is_out_of_memory,
            tell_refusal,
        )

        if is_out_of_memory(error):
            _fail(
                "There is not enough memory for this. Close other programs or use a smaller picture.",
                EXIT_MEMORY,
                error,
            )
        if isinstance(error, FacechangeError):
            _fail(str(error), error.exit_code, error)
        if isinstance(error, OSError) and error.filename is not None:
            _fail(tell_refusal(error), EXIT_REFUSED, error)
        cause = f"{type(error).__name__}: {error}".splitlines()[0]
        _fail(f"This is a bug in facechange ({cause}). Report it with what FACECHANGE_DEBUG=1 prints.", EXIT_BUG, error)


def _fail(sentence: str, code: int, error: BaseException) -> NoReturn:
    if os.environ.get("FACECHANGE_DEBUG"):
        traceback.print_exception(error)
    say(sentence, err=True)
    sys.exit(code)
