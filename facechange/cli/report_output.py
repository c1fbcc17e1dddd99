"""How a measurement is shown: a table, and files where they are asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from facechange.cli.console import say, say_table

if TYPE_CHECKING:
    from facechange.evaluation import Report

JsonOption = Annotated[Path | None, typer.Option("--json", help="Write the report here.")]
MarkdownOption = Annotated[Path | None, typer.Option("--markdown", help="Write the table here.")]


def show_report(report: Report, subject: str, json: Path | None, markdown: Path | None = None) -> None:
    """A table on stdout, and the same as JSON and Markdown where asked for."""
    from facechange.evaluation.report import write_text
    from facechange.evaluation.report_tables import group_rows, markdown_report, mask_rows, table_rows, worst_row

    caption = ", ".join(f"{name} {value}" for name, value in report.protocol.items())
    tables = [(table_rows(report, "value"), subject)]
    if report.groups:
        headings, rows = group_rows(report.groups)
        tables.append(((headings, [*rows, worst_row(report.groups)]), f"{subject}, by group"))
    if report.masks:
        tables.append((mask_rows(report.masks), f"{subject}, how far its masks select"))
    for (headings, rows), title in tables:
        say_table(headings, rows, title, caption)
    for name, detail in report.details.items():
        say(f"{name}: {detail}")
    if json is not None:
        report.save(json)
        say(f"The report is in {json}.", err=True)
    if markdown is not None:
        write_text(markdown, markdown_report(report, subject))
