"""`facechange live`: put a person's face on what a camera sees, as it sees it."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated

import typer

from facechange.cli.console import say, tell_used, waiting
from facechange.cli.options import (
    ConsentOption,
    DetectorThresholdOption,
    EngineOption,
    FaceOption,
    KeepChoice,
    KeepOption,
    ModelOption,
    PurposeOption,
    ThreadsOption,
    VerboseOption,
)
from facechange.cli.people import MapOption, SourceFaceOption, SourcesArgument, read_people

if TYPE_CHECKING:
    from facechange.swap.live import Pace


def live(
    *,
    sources: SourcesArgument = None,
    source: Annotated[
        str, typer.Option("-i", "--input", help="A camera's number, a stream (rtsp://...) or a video file.")
    ] = "0",
    window: Annotated[
        bool, typer.Option("--window", help="Show it in a window; so it is where nothing else is chosen.")
    ] = False,
    mjpeg: Annotated[
        str | None,
        typer.Option(
            "--mjpeg",
            help="Show it to browsers at [HOST:]PORT; other machines only see it with their HOST.",
            show_default=False,
        ),
    ] = None,
    virtual_camera: Annotated[
        bool, typer.Option("--virtual-camera", help="Be a camera for other programs (needs pyvirtualcam).")
    ] = False,
    consent: ConsentOption = None,
    purpose: PurposeOption = "",
    face: FaceOption = "all",
    rules: MapOption = None,
    source_face: SourceFaceOption = None,
    keep: KeepOption = KeepChoice.mask,
    model: ModelOption = "facechange-256",
    threads: ThreadsOption = None,
    engine: EngineOption = "auto",
    threshold: DetectorThresholdOption = None,
    verbose: VerboseOption = False,
) -> None:
    """Change faces live. Frames that come too fast are dropped, never queued; each one carries a visible label. Ctrl-C
    ends it."""
    from facechange.consent import load_context
    from facechange.swap import load_swapper
    from facechange.swap.live import (
        Capture,
        MjpegServer,
        Sink,
        VirtualCamera,
        Window,
        parse_address,
        parse_input,
        request_live,
        run_live,
    )

    people = read_people(sources, rules, face, source_face)
    address = parse_address(mjpeg) if mjpeg else None
    chosen = parse_input(source)
    with ExitStack() as stack:

        def open_sink(sink: Sink) -> Sink:
            stack.callback(sink.close)
            return sink

        sinks = [open_sink(Window())] if window or not (address or virtual_camera) else []
        if virtual_camera:
            sinks.append(open_sink(VirtualCamera()))
        server = MjpegServer(address) if address else None
        if server:
            sinks.append(open_sink(server))
        grant = request_live(load_context(), people.files, chosen, consent, purpose)
        capture = Capture(chosen)
        if server:
            say(f"Look at {server.url}{'; other machines may reach it' if server.is_public else ''}", err=True)
        with waiting("Loading the model"):
            swapper = load_swapper(model, threads, engine, True, threshold)
            assignment = people.assign(swapper)
        if verbose:
            tell_used(swapper, grant)
        try:
            shown = run_live(
                swapper,
                assignment,
                capture,
                sinks,
                grant=grant,
                face=people.selection,
                keep=keep.value,
                report=_say_pace,
            )
        except KeyboardInterrupt:  # the usual way to end it
            say("", "Stopped.", err=True)
        else:
            say("", f"The end: {shown} frames were shown.", err=True)


def _say_pace(pace: Pace) -> None:
    """One line that is written over, on a terminal."""
    end = "\r" if sys.stderr.isatty() else "\n"
    faces = "1 face" if pace.faces == 1 else f"{pace.faces} faces"
    words = f"{pace.frames_a_second:.1f} frames/s, {pace.latency_ms:.0f} ms behind, {pace.dropped} dropped, {faces}"
    sys.stderr.write(f"{words:<70}{end}")
    sys.stderr.flush()
