"""The service's log is a JSON object a line, whatever was logged."""

import json
import logging
from collections.abc import Iterator

import pytest

from facechange.service.log import log, start_log


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    loggers = [logging.getLogger(name) for name in (log.name, "uvicorn")]
    before = [(each.handlers, each.propagate, each.level) for each in loggers]
    yield
    for logger, (handlers, propagate, level) in zip(loggers, before, strict=True):
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


def test_a_line_is_an_object_in_ascii_with_the_error_in_it(capsys: pytest.CaptureFixture[str]) -> None:
    start_log()
    log.info("not worth a line")
    try:
        raise ValueError("a\nb\x1b[31m\x7fZoë")
    except ValueError:
        log.exception("job %s failed", "job_1")
    logging.getLogger("uvicorn.error").warning("the web server's, too")
    written = capsys.readouterr().err
    assert written.isascii() and not set(written) & set("\x1b\x7f")
    failed, web = map(json.loads, written.splitlines())
    assert (failed["level"], failed["logger"], failed["message"]) == ("error", log.name, "job job_1 failed")
    assert failed["error"].endswith("ValueError: a\nb\x1b[31m\x7fZoë")
    assert web["logger"] == "uvicorn.error" and "error" not in web
