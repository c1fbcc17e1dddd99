"""The OpenAPI document: what FastAPI knows of the routes, and what is read by hand; every status that an operation can
answer with, and no other."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from facechange.service.problems import MEDIA_TYPE, TITLES
from facechange.service.schemas import AnonymizationRequest, ChangeRequest, FacesRequest, MasksRequest
from facechange.service.security import COOKIE

ALWAYS = (422, 503)  # an address with a zero in it; the database or the store is away
WITH_KEY = (401, 403, 429)
WITH_BODY = (400, 408, 413)
WITH_REFERENCE = (404,)
WITH_FILE = (404, 415, 507)  # the set that it is to be in may not be there
WITH_JOB = (404, 409, 500, 501)  # what the job came to, where it was waited for
OPEN = ("/healthz", "/readyz", "/metrics")
SCHEMES = {
    "key": {
        "type": "http",
        "scheme": "bearer",
        "description": "An API key, fck_..., or a token of the configured issuer.",
    },
    "page": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "The page's session."},
}
TUS_HEADERS: dict[str, dict[str, Any]] = {  # asked for by hand, since tus has answers of its own where they lack
    "Tus-Resumable": {"type": "string", "enum": ["1.0.0"]},
    "upload-length": {"type": "string", "pattern": "^[1-9][0-9]{0,15}$"},
    "upload-offset": {"type": "string", "pattern": "^[0-9]{1,16}$"},
}
_READ_BY_HAND = (ChangeRequest, AnonymizationRequest, MasksRequest, FacesRequest)


def describe_api(app: FastAPI) -> None:
    """Let the app's document have the requests that are read by hand, and the errors of every operation."""
    made = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema:
            return app.openapi_schema
        document = made()
        schemas = document["components"]["schemas"]
        for model in _READ_BY_HAND:
            described = model.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas.update(described.pop("$defs", {}))
            schemas.setdefault(model.__name__, described)
        for path, operations in document["paths"].items():
            for operation in operations.values():
                _describe_errors(path, operation)
                _describe_access(path, operation)
        document["components"]["securitySchemes"] = SCHEMES
        return document

    app.openapi = openapi  # type: ignore[method-assign]


def _describe_errors(path: str, operation: dict[str, Any]) -> None:
    body = operation.get("requestBody", {}).get("content", {})
    statuses = {*ALWAYS, *(int(status) for status in operation["responses"] if status.isdigit() and int(status) >= 400)}
    if path.startswith("/v1/") or path == "/metrics":
        statuses.update(WITH_KEY)
    if body:
        statuses.update(WITH_BODY)
    names = {parameter["name"] for parameter in operation.get("parameters", [])}
    if names & {"reference", "before"} or (body and path != "/v1/session"):
        statuses.update(WITH_REFERENCE)
    if set(body) - {"application/json"}:
        statuses.update(WITH_FILE)
    if "changes" in operation["tags"]:
        statuses.update(WITH_JOB)
    operation["responses"].pop("default")
    answer = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemAnswer"}}}
    for status in sorted(statuses):
        if path != "/readyz" or status != 503:
            operation["responses"][str(status)] = {"description": TITLES[status], "content": answer}


def _describe_access(path: str, operation: dict[str, Any]) -> None:
    if path not in OPEN and operation.get("operationId", "") != "begin_v1_session_post":
        operation["security"] = [{name: []} for name in SCHEMES]
    for parameter in operation.get("parameters", []):
        if parameter["name"] in TUS_HEADERS:
            parameter |= {"required": True, "schema": TUS_HEADERS[parameter["name"]]}
