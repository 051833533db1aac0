"""A connection to PostgreSQL whose statements are answered within a time, or it is closed.

A peer that is gone is noticed by the network's own means (`ledger.log.database`). Where something in between acknowledges every byte and
no answer comes, as behind a proxy whose other side hangs, only who asked can tell.
"""

import math
import time
from typing import Any

import psycopg
from psycopg.abc import RV, PQGen


class BoundedConnection(psycopg.Connection[Any]):
    """Raises OperationalError when a statement takes longer than `answer_within_s`: what comes later would answer another question."""

    answer_within_s: float = math.inf

    def wait(self, gen: PQGen[RV], *args: Any, **kwargs: Any) -> RV:
        return super().wait(self._bounded(gen, time.monotonic() + self.answer_within_s), *args, **kwargs)

    def _bounded(self, gen: PQGen[RV], end: float) -> PQGen[RV]:
        """Go on with what the driver does, which is asked again ten times a second whether anything has come."""
        try:
            state = next(gen)
            while True:
                ready = yield state
                if not ready and time.monotonic() > end:
                    self.close()
                    raise psycopg.OperationalError(f"the database did not answer for {self.answer_within_s:g} s")
                state = gen.send(ready)
        except StopIteration as done:
            result: RV = done.value
            return result
