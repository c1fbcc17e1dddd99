"""`facechange benchmark`: how fast this machine changes faces."""

from __future__ import annotations

import json as json_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facechange.cli.console import counting, say, say_table
from facechange.cli.options import EngineOption

if TYPE_CHECKING:
    from facechange.benchmark import BenchmarkReport


def benchmark(
    models: Annotated[
        list[str] | None,
        typer.Option(
            "--model", help="Face-change graph, by name or file, to measure instead of the two that ship; repeatable."
        ),
    ] = None,
    megapixels: Annotated[
        list[float] | None, typer.Option(min=0.1, max=100, help="Photograph to change; repeatable. 2 and 12.")
    ] = None,
    batch: Annotated[list[int] | None, typer.Option(min=1, help="Crops at once; repeatable. 1, 4 and 16.")] = None,
    threads: Annotated[
        list[int] | None, typer.Option(min=1, help="Processors to use; repeatable. 1, 2, 4 ... to all.")
    ] = None,
    engine: EngineOption = "auto",
    seconds: Annotated[float, typer.Option(min=0.01, help="How long each figure is measured.")] = 1.0,
    json: Annotated[Path | None, typer.Option("--json", help="Write every figure here.")] = None,
    roofline: Annotated[
        Path | None,
        typer.Option(help="Draw the graphs under this machine's ceilings here; its extension decides the format."),
    ] = None,
) -> None:
    """Measure each stage of a change, cold and warm, and the networks against this machine's ceilings."""
    from facechange.benchmark import Plan, draw_roofline, run_benchmark
    from facechange.consent import load_context
    from facechange.core.files import plain_errors, write_whole
    from facechange.evaluation import check_outputs
    from facechange.images import as_picture, encode_picture
    from facechange.provenance import check_writable

    check_outputs(json, roofline)
    if roofline is not None:
        check_writable(load_context(), roofline)
    default = Plan()
    plan = Plan(
        tuple(models or default.models),
        engine,
        tuple(megapixels or default.megapixels),
        tuple(batch or default.batches),
        tuple(threads or ()),
        seconds,
    )
    with counting("Measuring") as progress:
        report = run_benchmark(plan, progress)
    _print(report)
    if json is not None:
        json.write_text(json_module.dumps(report.to_json(), indent=2) + "\n", encoding="utf-8")
    if roofline is not None:
        with plain_errors(roofline):
            write_whole(encode_picture(as_picture(draw_roofline(report)), roofline.suffix), roofline)


def _print(report: BenchmarkReport) -> None:
    say(", ".join(f"{name} {value}" for name, value in report.machine.items()))
    for engine, ceilings in report.ceilings.items():
        say(
            f"{engine}: at best {ceilings.convolution_gflops:.0f} GFLOP/s in convolutions, {ceilings.copy_gb_s:.1f} GB/s in copying"
        )
    most = max(run.threads for run in report.networks)
    headings = (
        "model",
        "engine",
        "identity",
        "threads",
        "batch",
        "ready ms",
        "ms a picture",
        "GFLOP",
        "GFLOP/s",
        "of ceiling",
    )
    rows: list[tuple[str, ...]] = []
    for run in report.networks:
        share = f"{report.share_of_ceiling(run):.0%}" if run.threads == most else ""
        identity = "baked" if run.baked else "input"
        details = (
            run.model,
            run.engine,
            identity,
            str(run.threads),
            str(run.batch),
            f"{run.ready_ms:.0f}",
            f"{run.picture_ms:.1f}",
        )
        rows.append((*details, f"{run.operations.flops / 1e9:.2f}", f"{run.gflops:.0f}", share))
    say_table(headings, rows)
    stages = list(report.photographs[0].stages)
    rows = []
    for photograph in report.photographs:
        times = [f"{photograph.stages[stage].median_ms:.1f}" for stage in stages]
        later = photograph.cold[1:]
        peaks = [run.peak_mb for run in later if run.peak_mb is not None]
        cold = f"{sorted(run.seconds for run in later)[len(later) // 2]:.2f}", f"{max(peaks):.0f}" if peaks else "-"
        rows.append((f"{photograph.megapixels:g} MP", photograph.model, *times, *cold))
    say_table(("photograph", "model", *(f"{stage} ms" for stage in stages), "cold s", "cold MB"), rows)
