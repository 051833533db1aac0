"""5.6 Automated advice: what machines advised, who decided otherwise, and what came of it. Advice is no approval: S4 is of 5.4."""

from typing import Final

from projections.practices.practice import Practice
from projections.readings.changes.advice import advice, advisers, advisories

PRACTICE: Final = Practice("5.6", "Automated advice", views=(advisories, advice, advisers))
