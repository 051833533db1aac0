"""Findings: what is against the rules, in which entries, since when, and what resolved it.

Facts are never refused, so what should not have happened is here. A rule judges a row of a view as it is known now:
a freeze that is declared afterwards, or two logins that are linked, find what they say about the past. `declared` says
what rules may look into; one module for each kind of subject holds them.
"""

from projections.findings import access, changes, deployments, governance
from projections.judging.findings import findings

# In which these rules stand; importing them declares them.
RULES = (deployments, changes, governance, access)

__all__ = ["RULES", "findings"]
