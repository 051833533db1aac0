"""4.2 Production-like staging, and sensitivity of data: what every environment is for is declared, or told by its name."""

from typing import Final

from projections.engine.derived import Breach
from projections.engine.reads import Look
from projections.judging.findings import finding
from projections.practices.practice import Practice
from projections.readings.environments.environments import (
    NOT_PRODUCTION_NAMES,
    PRODUCTION_NAMES,
    environments,
    is_known,
)
from projections.readings.environments.named import NamedEnvironment, named_environments
from projections.rules.words import listed

PRACTICE: Final = Practice(
    "4.2",
    "Production-like staging, and sensitivity of data",
    views=(environments, named_environments),
    settings=(NOT_PRODUCTION_NAMES, PRODUCTION_NAMES),
    to_come="comparing staging with production, and what data was loaded where",
)


@finding(named_environments, severity="medium")
def environment_not_declared(row: NamedEnvironment, look: Look) -> Breach | None:
    """Something was deployed to an environment of which nobody declared what it is for, and whose name does not say it."""
    if not row.spellings or is_known(look, row.name):
        return None
    names = listed(spelling.name for spelling in row.spellings)
    return Breach(f"nobody declared what the environment {names} is for; until then it is judged as production")
