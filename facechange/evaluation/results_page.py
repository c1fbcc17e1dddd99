"""`docs/results.md`: every measurement of the networks on one page, with what the numbers can and cannot say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from facechange.evaluation.report import Group, Report
from facechange.evaluation.report_tables import Shown, group_rows, markdown_report, markdown_table, show, shown_names
from facechange.metrics import Interval, Metric
from facechange.metrics.fidelity import (
    fid_inception_pairs,
    fid_inception_pairs_source_pasted,
    natural_evenness68,
    psnr_outside_hull68,
    sharpness_ratio_hull68,
    skin_brightness_difference68,
    skin_colour_difference68,
    wrinkle_correlation_skin68,
)
from facechange.metrics.identity import reidentified_top1_all_faces, retrieval_top1_all_faces
from facechange.metrics.pose import pose_error_pnp68

# Table 1 of US 12,387,300 B2 (para. 102): identity retrieval in %, pose error in degrees, FID.
PATENT_TABLE = {
    "the patent's baseline, method A": ("90.83", "2.64", "16.64"),
    "the patent's method": ("96.34", "2.52", "2.04"),
}

INTRODUCTION = """# Results
Made by one command (see the end); do not edit. Better is up (↑), down (↓) or towards 1. No network learned from these faces.
Every row says on which set of pictures it was measured: what a model does with pictures like those that it learned from says little
of what it does with others.
"""
PASTE = "source pasted"
GLANCE: Shown = (
    retrieval_top1_all_faces,
    pose_error_pnp68,
    skin_brightness_difference68,
    natural_evenness68,
    psnr_outside_hull68,
    reidentified_top1_all_faces,
)
FIGURE_7: Shown = (
    skin_brightness_difference68,
    skin_colour_difference68,
    wrinkle_correlation_skin68,
    sharpness_ratio_hull68,
)

READING = """## What the rows say
Each metric is an object of `facechange/metrics` that says how it is measured; [map.md](map.md) has the list. The reference
rows tell what the numbers mean:

- *target unchanged* keeps everything and moves no identity.
- *source pasted* is the classical baseline: the source's face, warped by its landmarks onto the target's and cloned in seamlessly. It keeps
  what lies outside the face, but covers what is in front of it, and leaves the target's outline, forehead and hair to be recognised.
  Its pose and expression are good by construction: the warp lays landmark on landmark.
- *masks 0* and *masks 1* are the same model with every control mask forced to nothing or to everything of the target. As far as both fall
  behind it, the result needs the choice that the masks make.

Expression is compared after the pose is taken out, by what says little of a face's shape: how far eyes and mouth are open and how high the
mouth's corners are, in standard deviations among faces. Two faces drawn at random differ by about 1. What is put before a face covers 6 to
30 % of it. The Fréchet distance is FID's formula over the evaluator's features, to all faces of the split. With hundreds of pictures rather
than the tens of thousands that FID asks for, it compares rows of this table with each other and with nothing else.
"""

EVALUATORS = """The names of metrics of identity and pose end in that of the evaluator. `dlib` is the headline: its recognizer and its
landmarks took no part in training, and have other networks, data and alignments than the networks that did. An evaluator that was also
a recognizer of training (`mobilefacenet` was) is too kind, for the models were trained to please it. dlib's cosines are high for all
faces, about 0.86 between strangers: compare them with those of the row *target unchanged*. Its landmarks are 68 points by another
method, not a dense mesh.

Tables by group tell the pairs apart by their targets: by labels, where the set has them, and by what the picture shows. Skin is told by
its typology angle on the cheeks, light included that falls on it, a turn by the labelled landmarks. The worst is looked for among
groups of ten and more. *natural_evenness68* compares brows and eye sockets with the cheeks, in spreads among the unchanged faces of the
set; unchanged faces have about 1. Gaze is not measured: pupils found by their darkness do not agree between the two eyes of unchanged
faces.

The tables of masks say how open the control masks are outside the hull of the 68 landmarks and inside it (1 keeps the target), the
difference, and the deviation over all pixels of a mask, 0 for one that is the same everywhere.
"""

ANONYMIZED = """When anonymised, each face became the persona that `facechange anonymize` gives that person, all in one run, and was judged
in its crop. *Reidentified* are those whose nearest of all originals, by the evaluator's cosine, is still their own: by chance, one in as
many as there are faces. Faces that the identity network takes for one person's share a persona. *Faces unchanged* are the same crops
as they were.
"""

MADE = """The model drew the sources and targets of these pictures too, from held-out faces: nobody in them exists.
"""

FIGURE_NOTE = """What the patent's Fig. 7 shows of its baseline, in numbers: light (brightness and colour of the skin), wrinkles
(correlation of the skin's fine lines with the target's) and sharpness. The pictures are in each model's section.
"""

PATENT_NOTE = """These are not the same pictures, recognizer or measure of pose: the patent names none of them. The pose of a head is
measured here from 68 landmarks by PnP against one mean face in 3-D, which takes a change of the face's shape for a turn to some extent.
The paste lies landmark on landmark, at the first model's resolution.
"""


@dataclass(frozen=True)
class Subject:
    """What was measured of one network on each set, and the network's name and version."""

    name: str
    reports: Mapping[str, Report]


@dataclass(frozen=True)
class SetResults:
    """What was measured of one face-change model on one set."""

    change: Report
    anonymize: Report


@dataclass(frozen=True)
class ModelResults:
    """What was measured of one face-change model."""

    name: str
    sets: Mapping[str, SetResults]
    pictures: Mapping[str, str]  # for each heading the path of a picture, relative to the page


def hardest_first(models: Sequence[ModelResults]) -> list[str]:
    """The sets' names, that first of which the first model moves the fewest identities by the first evaluator."""
    sets = models[0].sets

    def moved(name: str) -> float:
        return next(
            value.mean
            for metric, value in sets[name].change.metrics.items()
            if retrieval_top1_all_faces.is_called(metric)
        )

    return sorted(sets, key=moved)


def write_page(
    models: Sequence[ModelResults], identity: Subject, scout: Subject, command: str, *, ablations: bool
) -> str:
    """The page in Markdown, of one or more face-change models and the two other networks, the hardest set first.

    `command` measures again; `ablations` says whether their table lies in results/.
    """
    sets = hardest_first(models)
    parts = [
        INTRODUCTION,
        _describe_sets(models[0], sets),
        "## At a glance\n",
        _table(_by_set(models, sets), GLANCE),
        "## Beside the patent's Table 1\n",
        _patent_table(models, sets),
        PATENT_NOTE,
        "## Beside the patent's Fig. 7\n",
        FIGURE_NOTE,
        _table(_beside_paste(models, sets), FIGURE_7),
        READING,
        EVALUATORS,
        ANONYMIZED,
        *(part for model in models for part in _model_section(model, sets)),
        *_network_section("Identity network", identity, sets),
        *_network_section("The scout", scout, sets),
        *(
            ["## Ablations\nWhat each idea of the patent is worth: [table and grid](results/ablations.md).\n"]
            if ablations
            else []
        ),
        f"## Measure again\n    {command}\n\nWhat lies in the folder by the same networks and evaluators is not measured again.\n",
    ]
    return "\n".join(parts)


def _describe_sets(model: ModelResults, sets: Sequence[str]) -> str:
    protocols = {name: model.sets[name].change.protocol for name in sets}
    lines = [f"- *{name}*: {of['faces']} faces, {of['pairs']} pairs of them" for name, of in protocols.items()]
    return "The sets, the hardest first:\n\n" + "\n".join(lines) + "\n"


def _table(groups: Mapping[str, Group], shown: Shown) -> str:
    return markdown_table(*group_rows(groups, shown))


def _by_set(models: Sequence[ModelResults], sets: Sequence[str]) -> dict[str, Group]:
    """All of the change, and of anonymising what it is for."""
    rows = {}
    for name in sets:
        for model in models:
            change, anonymize = model.sets[name].change, model.sets[name].anonymize
            hidden = {
                name: anonymize.metrics[name] for name in shown_names(anonymize.metrics, (reidentified_top1_all_faces,))
            }
            rows[f"{name}, {model.name}"] = Group(change.protocol["pairs"], change.metrics | hidden)
    return rows


def _beside_paste(models: Sequence[ModelResults], sets: Sequence[str]) -> dict[str, Group]:
    rows = {}
    for name in sets:
        for model in models:
            change = model.sets[name].change
            rows[f"{name}, {PASTE} at {change.protocol['size_px']}²"] = Group(
                change.protocol["pairs"], change.references[PASTE]
            )
            rows[f"{name}, {model.name}"] = Group(change.protocol["pairs"], change.metrics)
    return rows


def _model_section(model: ModelResults, sets: Sequence[str]) -> list[str]:
    parts = [
        f"## Face change: {model.name}\n",
        MADE,
        *(f"### {heading}\n![{heading}]({path})\n" for heading, path in model.pictures.items()),
    ]
    for name in sets:
        measured = model.sets[name]
        parts += [f"### Measured on {name}\n", markdown_report(measured.change, "value")]
        parts += [f"### Anonymising, measured on {name}\n", markdown_report(measured.anonymize, "value")]
    return parts


def _network_section(title: str, subject: Subject, sets: Sequence[str]) -> list[str]:
    parts = [f"## {title}: {subject.name}\n"]
    for name in sets:
        parts += [f"### On {name}\n", markdown_report(subject.reports[name], "value")]
    return parts


def _patent_table(models: Sequence[ModelResults], sets: Sequence[str]) -> str:
    """The patent's two rows, then on each set the classical paste and the models."""
    first = models[0].sets[sets[0]].change
    evaluators, poses = (
        shown_names(first.metrics, (metric,)) for metric in (retrieval_top1_all_faces, pose_error_pnp68)
    )
    rows = [
        [name, "", retrieval, *[""] * (len(evaluators) - 1), pose, *[""] * (len(poses) - 1), fid]
        for name, (retrieval, pose, fid) in PATENT_TABLE.items()
    ]
    for name in sets:
        for title, metrics, fid in _baselines(models, name):
            rows.append(
                [
                    title,
                    name,
                    *(show(metrics[metric].mean) if metric in metrics else "" for metric in (*evaluators, *poses)),
                    fid,
                ]
            )
    headings = [_name_column("ID retrieval", retrieval_top1_all_faces, name) for name in evaluators]
    headings += [_name_column("pose error", pose_error_pnp68, name) for name in poses]
    return markdown_table(["", "set", *headings, f"FID {fid_inception_pairs.better}"], rows)


def _name_column(title: str, metric: Metric[..., Any], name: str) -> str:
    """The patent's word for a metric, its unit, who saw it and which way it is better."""
    return f"{title}, {metric.unit}, by {name.removeprefix(metric.by(''))} {metric.better}"


def _baselines(models: Sequence[ModelResults], name: str) -> list[tuple[str, dict[str, Interval], str]]:
    """Title, metrics and FID in words of the paste, at the first model's resolution, and of every model on one set."""
    first = models[0].sets[name].change
    baselines = [(PASTE, first.references[PASTE], _show_fid(first, fid_inception_pairs_source_pasted))]
    return baselines + [
        (each.name, each.sets[name].change.metrics, _show_fid(each.sets[name].change, fid_inception_pairs))
        for each in models
    ]


def _show_fid(report: Report, metric: Metric[..., Any]) -> str:
    return show(report.details[metric.name]) if metric.name in report.details else "not measured"
