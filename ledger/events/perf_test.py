"""Tests of performance: what was measured in which environment, from when to when."""

from typing import ClassVar, Literal

from ledger.events.base import Event
from ledger.events.identifiers import (
    Artifact,
    Commit,
    Environment,
    PerfTestId,
    ReservationId,
    Service,
    Time,
    Value,
    many,
)


class PerfTestExecuted(Event):
    """A test of performance ran against a service, from when to when, and passed or failed."""

    type = "perf_test.executed"
    says = "performance test {test_id} of {service} in {environment} {outcome}"
    refs: ClassVar[tuple[str, ...]] = ("test_id", "service", "environment", "reservation_id")
    test_id: PerfTestId
    service: Service
    environment: Environment
    started_at: Time
    finished_at: Time
    outcome: Literal["passed", "failed"]
    artifact: Artifact | None = None
    commit: Commit | None = None
    # Under which the environment was its own for that time.
    reservation_id: ReservationId | None = None
    measured: tuple[Value, ...] = many(default=())
