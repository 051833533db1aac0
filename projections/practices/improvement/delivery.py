"""8.4 Failure rate and lead time: the five metrics, each with what it was counted from, and restated where facts come late."""

from typing import Final

from projections.practices.practice import Practice
from projections.readings.delivery.commit_runs import commit_runs
from projections.readings.delivery.deliveries import deliveries
from projections.readings.delivery.metrics import delivery

PRACTICE: Final = Practice("8.4", "Failure rate and lead time", views=(delivery, deliveries, commit_runs))
