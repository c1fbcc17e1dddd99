"""What Prometheus asks: requests, their time, and jobs by state."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from sqlalchemy import func, select

from facechange.service.tables import ALL, Database, Job

_BUCKETS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)


class ServiceMetrics:
    """Of one process; jobs are those of the whole installation."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        names = ("method", "route", "status")
        self._requests = Counter("facechange_requests", "Requests answered.", names, registry=self._registry)
        self._seconds = Histogram(
            "facechange_request_seconds", "Time to an answer.", ("route",), registry=self._registry, buckets=_BUCKETS
        )
        self._jobs = Gauge("facechange_jobs", "Jobs by kind and state.", ("kind", "state"), registry=self._registry)

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request that was answered; `route` is the pattern, so that no identifier becomes a label."""
        self._requests.labels(method, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def describe(self, database: Database) -> bytes:
        """Prometheus's text."""
        with database.session(ALL) as session:
            rows = session.execute(select(Job.kind, Job.state, func.count()).group_by(Job.kind, Job.state)).all()
        self._jobs.clear()
        for kind, state, count in rows:
            self._jobs.labels(kind, state).set(count)
        return generate_latest(self._registry)
