"""What became of the faces, in words for people and as a table for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from facechange.core import Deed, Outcome
from facechange.core.files import check_place, plain_errors, write_whole

WORDS: dict[Deed, str] = {
    "changed": "changed",
    "another persona": "changed, with another persona",
    "stronger": "changed, with another persona and stronger",
    "blur": "covered by a blur",
    "mosaic": "covered by a mosaic",
    "box": "covered by a box",
    "left": "left recognisable",
}


def count_faces(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """How many faces were changed, covered, left, and changed into somebody whom nobody would recognise."""
    covered = sum(outcome.is_covered for outcome in outcomes)
    left = sum(outcome.done == "left" for outcome in outcomes)
    counts = {"changed": len(outcomes) - covered - left, "covered": covered, "left": left}
    return {**counts, "unrecognisable": sum(not outcome.recognisable for outcome in outcomes)}


def summarise(outcomes: Sequence[Outcome], hides: bool) -> str:
    """One line: "3 faces changed", "2 of 3 faces changed, 1 covered"; of a change into a person how many are not
    recognisably that."""
    counts = count_faces(outcomes)
    total = "1 face" if len(outcomes) == 1 else f"{len(outcomes)} faces"
    whole = counts["changed"] == len(outcomes)
    parts = [f"{total} changed" if whole else f"{counts['changed']} of {total} changed"]
    parts += [f"{counts[name]} {name}" for name in ("covered", "left") if counts[name]]
    if not hides and counts["unrecognisable"]:
        parts.append(
            "but not recognisably"
            if counts["unrecognisable"] == len(outcomes)
            else f"{counts['unrecognisable']} of them not recognisably"
        )
    return ", ".join(parts)


def describe(outcome: Outcome, hides: bool) -> str:
    """What became of one face: "at 310, 220 (84 px): covered by a blur, because ..."."""
    x, y, width, height = outcome.face.box
    words = WORDS[outcome.done]
    if outcome.why:
        words += f": {outcome.why}"
    elif not hides and not outcome.recognisable:
        words += ", but not recognisably"
    return f"at {x + width / 2:.0f}, {y + height / 2:.0f} ({outcome.face.size_px:.0f} px): {words}"


def is_all_changed(outcomes: Sequence[Outcome]) -> bool:
    """Whether every face was changed, none covered and none left."""
    return not any(outcome.is_covered or outcome.done == "left" for outcome in outcomes)


def tabulate(outcome: Outcome, hides: bool) -> dict[str, Any]:
    """One face as JSON can hold it; nothing by which the person could be recognised."""
    table: dict[str, Any] = {
        "box": [round(float(side), 1) for side in outcome.face.box],
        "score": round(float(outcome.face.score), 3),
        "doubtful": outcome.face.doubtful,
        "done": outcome.done,
        "why": outcome.why,
        "cosines_to_original": [round(cosine, 3) for cosine in outcome.cosines_to_original],
        "like_original": outcome.like_original,
    }
    if not hides:
        to_source = outcome.cosine_to_source
        table |= {
            "cosine_to_source": None if to_source is None else round(to_source, 3),
            "recognisable": outcome.recognisable,
        }
    return table


def tabulate_all(outcomes: Sequence[Outcome], hides: bool) -> dict[str, Any]:
    """All faces of a picture and their counts, as JSON can hold them."""
    counts = count_faces(outcomes)
    if hides:
        counts.pop("unrecognisable")
    return {"counts": counts, "faces": [tabulate(outcome, hides) for outcome in outcomes]}


def tabulate_video(rows: Sequence[dict[str, Any]], outcomes: Sequence[Outcome], hides: bool) -> dict[str, Any]:
    """The same of a video, with the frames in which each face was seen; `rows` are of `Watch.table`."""
    table = tabulate_all(outcomes, hides)
    for face, row in zip(table["faces"], rows, strict=True):
        face |= {name: row[name] for name in ("first_frame", "last_frame")}
    return table


def check_report(path: Path | None) -> None:
    """Raise `OutputError` before the work where a report could not be written after it."""
    if path is not None:
        check_place(path)


def write_report(path: Path, table: dict[str, Any]) -> None:
    """Write a report as JSON; raises `OutputError`."""
    with plain_errors(path):
        write_whole((json.dumps(table, indent=1, ensure_ascii=False) + "\n").encode("utf-8", "replace"), path)
