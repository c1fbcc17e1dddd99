"""`docs/results.md`: every measurement of the networks on one page, with what the numbers can and cannot say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from facechange.evaluation.intervals import Interval
from facechange.evaluation.report import Report
from facechange.evaluation.report_tables import group_rows, markdown_report, markdown_table, show

# Table 1 of US 12,387,300 B2 (para. 102): identity retrieval in %, pose error in degrees, FID.
PATENT_TABLE = {"the patent's rival, method A": ("90.83", "2.64", "16.64"), "the patent's method": ("96.34", "2.52", "2.04")}

INTRODUCTION = """# Results
Made by one command (see the end); do not edit. Better is up (↑), down (↓) or towards 1. No network learned from these faces.
"""

READING = """## What the rows say
Each metric is a file of `facechange/evaluation` that says how it is measured; [map.md](map.md) has the list. The reference
rows tell what the numbers mean:

- *target unchanged* keeps everything and moves no identity.
- *source pasted* is the classical rival: the source's face, warped by its landmarks onto the target's and cloned in seamlessly. It keeps
  what lies outside the face, but covers what is in front of it, and leaves the target's outline, forehead and hair to be recognised.
  Its pose and expression are good by construction: the warp lays landmark on landmark.
- *masks 0* and *masks 1* are the same model with every control mask forced to nothing or to everything of the target. As far as both fall
  behind it, the result needs the choice that the masks make.

Expression is compared after the pose is taken out, by what says little of a face's shape: how far eyes and mouth are open and how high the
mouth's corners are, in standard deviations among faces. Two faces drawn at random differ by about 1. What is put before a face covers 6 to
30 % of it. The Fréchet distance is FID's formula over the judge's features, to all faces of the split. With hundreds of pictures rather
than the tens of thousands that FID asks for, it compares rows of this table with each other and with nothing else.
"""

TAUGHT = """The judge of identity, `{judge}`, was also one of the teachers: the model was trained to please it. Such a judge is too
kind, by an amount that only one without a part in training can tell, and can be fooled by what no person would see.
"""

INDEPENDENT = """The judge of identity, `{judge}`, took no part in training.
"""

ANONYMIZED = """When anonymised, each face became the persona that `facechange anonymize` gives that person, all in one run, and was judged
in its crop. *Reidentified* are those whose nearest of all originals, by the judge's cosine, is still their own: by chance, one in as
many as there are faces. Faces that the identity network takes for one person's share a persona. *Faces unchanged* are the same crops
as they were.
"""

PATENT_NOTE = """These are not the same pictures, recogniser or measure of pose: the patent names none of them. The pose of a head is
measured here from 68 landmarks by PnP against one mean face in 3-D, which takes a change of the face's shape for a turn to some extent.
"""


@dataclass(frozen=True)
class Subject:
    """One network's report, and the name and version of the network."""

    name: str
    report: Report


@dataclass(frozen=True)
class ModelResults:
    """What was measured of one face-change model."""

    change: Subject
    anonymize: Report
    pictures: Mapping[str, str]  # for each heading the path of a picture, relative to the page


def write_page(
    models: Sequence[ModelResults], identity: Subject, locator: Subject, command: str, *, judge_taught: bool, ablations: str | None
) -> str:
    """The page in Markdown, of one or more face-change models and the two other networks.

    `command` measures again; `ablations` is the path of that table, where there is one.
    """
    judge = models[0].change.report.protocol["recognisers"]
    parts = [
        INTRODUCTION,
        "## At a glance\n",
        markdown_table(*group_rows({model.change.name: _headline(model) for model in models})),
        "## Beside the patent's Table 1\n",
        _patent_table([model.change for model in models]),
        PATENT_NOTE,
        READING,
        (TAUGHT if judge_taught else INDEPENDENT).format(judge=judge),
        ANONYMIZED,
        *(part for model in models for part in _model_section(model)),
        f"## Identity network: {identity.name}\n",
        markdown_report(identity.report, "value"),
        f"## Face locator: {locator.name}\n",
        markdown_report(locator.report, "value"),
        *([f"## Ablations\nWhat each idea of the patent is worth: [table and grid]({ablations}).\n"] if ablations else []),
        f"## Measure again\n    {command}\n",
    ]
    return "\n".join(parts)


def _headline(model: ModelResults) -> dict[str, Interval]:
    """All of the change, and of anonymising what it is for."""
    purpose = "reidentified_top1_all_faces"
    return model.change.report.metrics | {name: value for name, value in model.anonymize.metrics.items() if name.startswith(purpose)}


def _model_section(model: ModelResults) -> list[str]:
    return [
        f"## Face change: {model.change.name}\n",
        markdown_report(model.change.report, "value"),
        "The model drew the sources and targets of these pictures too, from held-out faces: nobody in them exists.\n",
        *(f"### {heading}\n![{heading}]({path})\n" for heading, path in model.pictures.items()),
        "### Anonymising\n",
        markdown_report(model.anonymize, "value"),
    ]


def _patent_table(models: Sequence[Subject]) -> str:
    rows = [[name, "", *values] for name, values in PATENT_TABLE.items()] + [[model.name, "", *_patent_row(model)] for model in models]
    return markdown_table(["", "", "ID retrieval, % ↑", "pose error, degrees ↓", "FID ↓"], rows)


def _patent_row(change: Subject) -> list[str]:
    metrics = change.report.metrics
    distances = [
        f"not measured; Fréchet distance {show(value.mean)}" for name, value in metrics.items() if name.startswith("frechet_distance")
    ]
    fid = change.report.details.get("fid_inception_pairs")
    return [
        " / ".join(show(value.mean) for name, value in metrics.items() if name.startswith("retrieval_top1_all_faces")),
        show(metrics["pose_error_pnp68"].mean) if "pose_error_pnp68" in metrics else "not measured",
        show(fid) if fid is not None else next(iter(distances), "not measured"),
    ]
