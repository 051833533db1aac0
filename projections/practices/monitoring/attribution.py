"""6.5 Correlating alerts with deployments: what may have caused an incident, and how good whoever says so has been."""

from typing import Final

from projections.practices.practice import Practice
from projections.readings.delivery.attributions import NONE, WINDOW, attribution_methods, attributions

PRACTICE: Final = Practice(
    "6.5",
    "Correlating alerts with deployments",
    views=(attributions, attribution_methods),
    settings=(WINDOW, NONE),
    to_come="labels other than service, environment and artifact; dependencies between services",
)
