"""Findings about a file in plain sentences, none of which says more than is known."""

from __future__ import annotations

from datetime import datetime

from facechange.provenance.verify import Findings, Signed

SOURCE_TYPES = {
    "compositeWithTrainedAlgorithmicMedia": "a photograph or video with parts that a trained model made",
    "trainedAlgorithmicMedia": "made by a trained model",
    "digitalCapture": "taken by a camera",
    "compositeCapture": "composed of several photographs",
    "algorithmicMedia": "made by an algorithm",
    "humanEdits": "edited by a person",
    "digitalCreation": "made by a person with digital tools",
}


def describe_findings(findings: Findings) -> list[str]:
    """One sentence or two about each thing that is known, the weightiest first."""
    signed = findings.signed
    words = [_origin(findings)]
    if signed:
        words += [*_model(signed), _signature(signed), _integrity(signed), *_history(signed)]
    words += _watermark(findings)
    words += _consent(findings)
    if not signed and findings.statement:
        words.append(
            f'Its metadata says, unsigned: consent "{findings.statement["consent"]}", model {findings.statement["model"]}.'
        )
    elif not signed and findings.source_type:
        words.append(f"Its metadata says, unsigned: {SOURCE_TYPES.get(findings.source_type, findings.source_type)}.")
    return words


def _origin(findings: Findings) -> str:
    signed = findings.signed
    if signed and signed.found_in == "registry":
        return "This is a copy of something that facechange published here: its watermark says so, its credentials are gone or broken."
    if signed and signed.intact is False:
        return "It is not what was signed: the file or its content credentials were changed afterwards."
    if signed and signed.model:
        return f"Changed with facechange{' on this computer' if signed.signed_here else ', as its content credentials say'}."
    if signed:
        return "It has content credentials of another program."
    if findings.watermark:
        return "A face in it was changed with facechange: it has facechange's watermark. It was not published from this computer."
    if findings.broken:
        return f"{findings.broken} Nothing in them counts."
    if findings.statement:
        return "It says of itself that a face in it was changed with facechange. Nothing proves it."
    return "Nothing is known about it. That does not mean that it is unchanged."


def _model(signed: Signed) -> list[str]:
    words = [
        "Model: {name} {version} (SHA-256 {sha256}).".format_map(
            {"name": "", "version": "", "sha256": ""} | signed.model
        )
    ]
    kinds = "; ".join(SOURCE_TYPES.get(kind, kind) for kind in signed.source_types)
    return (words if signed.model else []) + ([f"What it is: {kinds}."] if kinds else [])


def _signature(signed: Signed) -> str:
    stamp = (
        "by the time stamp of an authority that you trust"
        if signed.time_stamp_trusted
        else "by a time stamp that nobody vouches for"
    )
    time = f"on {_moment(signed.time_stamp)}, {stamp}" if signed.time_stamp else ""
    if not time and signed.said_time:
        time = f"on {_moment(signed.said_time)}, by the signer's own clock"
    if signed.trusted:
        worth = "an authority that you trust vouches for the signer"
    elif signed.signed_here:
        worth = "with this computer's own key, for which no authority vouches"
    else:
        worth = "by nobody whom this computer trusts: anyone can sign with any name"
    return " ".join(filter(None, (f'Signed by "{signed.signer or "nobody"}"', time))) + f"; {worth}."


def _integrity(signed: Signed) -> str:
    if signed.intact is None:
        return "Whether anything else was changed in this copy cannot be told."
    if signed.intact:
        return "Unchanged since it was signed."
    return f"What does not fit: {', '.join(signed.problems)}."


def _history(signed: Signed) -> list[str]:
    return (
        [f"It was made from files with credentials of their own ({', '.join(signed.earlier)})."]
        if signed.earlier
        else []
    )


def _watermark(findings: Findings) -> list[str]:
    named = findings.signed.watermark if findings.signed else ""
    if findings.watermark and named and named != findings.watermark:
        return [
            f"Its watermark {findings.watermark} is not {named}, which its credentials name: parts of it come from elsewhere."
        ]
    if findings.watermark and findings.signed and not named:
        return [
            f"It has facechange's watermark {findings.watermark}: a face in it was changed, whatever its credentials say."
        ]
    if findings.watermark:
        return [f"Watermark: {findings.watermark}."]
    if not findings.watermark_sought:
        return ["No watermark was looked for."]
    return [f"The watermark {named} that its credentials name was not found."] if named else []


def _consent(findings: Findings) -> list[str]:
    if not findings.signed or not findings.consent_state:
        return []
    record = f"Consent: record {findings.signed.consent.get('id', '')}"
    if findings.consent_state == "unproven":
        return [f"{record} is named, but {findings.consent_reason}."]
    if findings.consent_state == "in force":
        return [f"{record} ({findings.signed.consent.get('basis', '')}) is in force."]
    if findings.consent_state == "not in this ledger":
        return [f"{record} is not in this computer's ledger, so whether it holds cannot be told here."]
    if findings.consent_state == "ledger unusable":
        return [f"{record} cannot be looked up. {findings.consent_reason}"]
    return [f"{record} {findings.consent_reason}: it is no longer in force."]


def _moment(text: str) -> str:
    """A time as manifests write it, for people; as it is where it is no time."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return f"{moment.day} {moment:%B %Y %H:%M %Z}".strip()
