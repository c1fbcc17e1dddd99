"""The HTTP side of the service: routes, errors as problems, the page."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from pathlib import Path
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from fastapi.staticfiles import StaticFiles
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException

from facechange import __version__
from facechange.core import FacechangeError
from facechange.service import (
    admin_routes,
    change_routes,
    character_routes,
    consent_routes,
    image_library_routes,
    job_routes,
    resumable_upload_routes,
    series_routes,
)
from facechange.service.document import describe_api
from facechange.service.log import log
from facechange.service.metrics import ServiceMetrics
from facechange.service.problems import MEDIA_TYPE, Problem, describe_problem
from facechange.service.schemas import ProblemAnswer
from facechange.service.security import Guard, RateLimiter
from facechange.service.service import Service
from facechange.service.store import StoreAwayError

PAGE = Path(__file__).with_name("page")
FORM_BYTES = 1 << 20  # around a file in a form
ROUTERS = tuple(
    module.router
    for module in (
        *(image_library_routes, resumable_upload_routes, change_routes, series_routes),
        *(job_routes, character_routes),
        *(consent_routes, admin_routes),
    )
)


def create_app(
    service: Service,
    wake: Callable[[], None] = lambda: None,
    workers: AbstractContextManager[Any] | None = None,
) -> FastAPI:
    """The app. `wake` tells workers that there is a job; `workers` run for as long as it serves. Raises
    `SettingsError`."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        with workers or nullcontext():
            yield

    app = FastAPI(
        title="facechange",
        version=__version__,
        description="High-definition face change with consent.",
        docs_url=None,  # they load scripts from elsewhere
        redoc_url=None,
        openapi_url="/v1/openapi.json",
        lifespan=lifespan,
        responses={"default": {"model": ProblemAnswer, "description": "What is wrong, and what to do about it."}},
    )
    app.state.service, app.state.wake = service, wake
    app.state.buckets = RateLimiter(service.settings.requests_per_minute)
    app.state.issuer = _open_issuer(service)
    for router in ROUTERS:
        app.include_router(router)
    describe_api(app)
    app.add_exception_handler(FacechangeError, _answer_error)
    app.add_exception_handler(RequestValidationError, _answer_error)
    app.add_exception_handler(HTTPException, _answer_error)
    app.add_exception_handler(DBAPIError, _answer_error)
    app.add_exception_handler(OSError, _answer_error)
    app.add_exception_handler(Exception, _answer_error)
    app.state.measures = ServiceMetrics()
    if PAGE.is_dir():
        app.mount("/", StaticFiles(directory=PAGE, html=True), name="page")
    most_bytes = service.settings.largest_upload_bytes + FORM_BYTES
    app.add_middleware(Guard, most_bytes=most_bytes, measures=app.state.measures)
    return app


def _open_issuer(service: Service) -> Any:
    """Whose tokens are taken; None where nobody's are. Raises `SettingsError`."""
    if not service.settings.oidc_issuer:
        return None
    from facechange.service.oidc import Issuer

    return Issuer(service.settings)


def _answer_error(request: Request, error: Exception) -> JSONResponse:
    problem = _as_problem(error)
    told = describe_problem(problem)
    headers = dict(problem.headers) if isinstance(problem, Problem) else {}
    if request.url.path.startswith(resumable_upload_routes.PLACE):  # tus asks for it on every answer
        headers["Tus-Resumable"] = resumable_upload_routes.VERSION
    methods = _find_methods(request) if isinstance(error, HTTPException) and error.status_code in (404, 405) else set()
    if methods:  # also where the page, which has every address by GET, has no such file
        told, headers["Allow"] = describe_problem(Problem(405, *_NO_SUCH_METHOD, 2)), ", ".join(sorted(methods))
    if told["status"] >= 500 and not isinstance(error, FacechangeError):
        log.error("%s %s", request.method, request.url.path, exc_info=error)
    return JSONResponse(told, told["status"], headers, MEDIA_TYPE)


_NO_SUCH_METHOD = "That cannot be asked of this address.", "Look at the OpenAPI document."


def _find_methods(request: Request) -> set[str]:
    """What may be asked at an address: each of its routes knows of its own method only."""
    routes = (route for router in ROUTERS for route in router.routes if isinstance(route, APIRoute))
    return {method for route in routes if route.path_regex.match(request.url.path) for method in route.methods or ()}


def _as_problem(error: Exception) -> Exception:
    """What a library raised, as one of ours."""
    if isinstance(error, RequestValidationError):
        return Problem(422, change_routes.describe_invalid(error.errors()), "Look at the OpenAPI document.", 2)
    if isinstance(error, HTTPException):
        headers = {name.replace("-", "_"): value for name, value in (error.headers or {}).items()}
        return Problem(error.status_code, f"{error.detail}.", "Look at the OpenAPI document.", 2, **headers)
    if isinstance(error, DBAPIError):
        return Problem(503, "The database cannot be reached.", "Try again; nothing was lost.", 74, Retry_After="5")
    if isinstance(error, StoreAwayError):
        return Problem(
            503, "The store of files cannot be reached.", "Try again; nothing was lost.", 74, Retry_After="5"
        )
    return error
