"""Eight clients that have photographs of 1 megapixel changed by `facechange serve`, one after the other.

Needs Locust (`pip install locust`) beside facechange; FACECHANGE_KEY holds a key of the server:

    locust -f tools/load_service.py --headless --users 8 --spawn-rate 8 --run-time 5m --host http://127.0.0.1:8443

A client that is told to wait (429) does so and asks again; these are counted under "told to wait". Every other error
is a failure, and with any failure Locust exits with 1. The row "change" is from the request to the result.
"""

from __future__ import annotations

import os
import time
from typing import Any

from locust import HttpUser, task
from locust.exception import RescheduleTask
from service_latency import OVER, form_request, read_example

SOURCE, TARGET = read_example("source.jpg"), read_example("target.jpg")


class Client(HttpUser):
    """Somebody who wants the next photograph as soon as one is there."""

    def on_start(self) -> None:
        """Show the key with every request."""
        self.client.headers["Authorization"] = f"Bearer {os.environ['FACECHANGE_KEY']}"

    @task
    def change(self) -> None:
        """Send both pictures, wait, and fetch the result."""
        begin = time.perf_counter()
        job = self.ask("POST", "/v1/changes", **form_request(SOURCE, TARGET)).json()
        place = f"/v1/jobs/{job['id']}"
        while job["state"] not in OVER:
            time.sleep(0.25)
            job = self.ask("GET", place, "/v1/jobs/ID").json()
        result = self.ask("GET", f"{place}/result", "/v1/jobs/ID/result").content  # a failed job has none: no 200
        taken = 1000 * (time.perf_counter() - begin)
        self.environment.events.request.fire(
            request_type="", name="change", response_time=taken, response_length=len(result), exception=None, context={}
        )

    def ask(self, method: str, path: str, name: str | None = None, **what: Any) -> Any:
        """The answer; waits where it is told to. An error is counted, and this change given up."""
        while True:
            with self.client.request(method, path, name=name or path, catch_response=True, **what) as answer:
                if answer.status_code == 429:
                    answer.request_meta["name"] = "told to wait"
                    answer.success()
            if answer.status_code in (200, 202):
                return answer
            if answer.status_code != 429:
                raise RescheduleTask  # Locust has counted it, also where there was no answer
            time.sleep(float(answer.headers["Retry-After"]))
