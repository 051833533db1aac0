"""What the past means: views folded from entries, one module a question. `VIEWS` names all of them, in the order of folding."""

from typing import Any, Final

from projections.access import access_grants
from projections.deployments import deployments
from projections.engine.view import View
from projections.freezes import freezes
from projections.identities import identities
from projections.policies import policies

# A view may read those before it.
VIEWS: Final[tuple[View[Any], ...]] = (identities, access_grants, policies, freezes, deployments)
