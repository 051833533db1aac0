"""What a gate is asked in a query: the fields of a question, as they are posted, each a parameter."""

from typing import Annotated, Final

from fastapi import Query

from api.desk.posted import model_of
from ledger.events.gate import Asked

_MAX: Final = 200
ChangeId = Annotated[str | None, Query(max_length=_MAX, examples=["CHG-7"], description="The change.")]
DeploymentId = Annotated[str | None, Query(max_length=_MAX, examples=["d-1"], description="The deployment.")]
Service = Annotated[str | None, Query(max_length=_MAX, examples=["payments-api"], description="The service.")]
Environment = Annotated[str | None, Query(max_length=_MAX, examples=["prod"], description="Where it is to go.")]
ToEnvironment = Annotated[str | None, Query(max_length=_MAX, examples=["prod"], description="Where it is promoted to.")]
Artifact = Annotated[
    str | None, Query(max_length=_MAX, examples=[f"sha256:{'3' * 64}"], description="What is to be deployed.")
]
Commit = Annotated[str | None, Query(max_length=_MAX, examples=["9f2c41d07b3e"], description="The commit of it.")]
Attempt = Annotated[int | None, Query(ge=1, le=1_000_000, examples=[1], description="Which try of the deployment.")]
Actor = Annotated[
    str | None, Query(max_length=_MAX, examples=["person:bob"], description="Who would do it; else whoever asks.")
]
PolicyId = Annotated[str | None, Query(max_length=_MAX, examples=["change-approval"], description="By which policy.")]
# The fields, in the order in which a person fills them in.
FIELDS: Final = (
    "change_id", "service", "environment", "to_environment", "deployment_id", "artifact", "commit", "attempt", "actor",
    "policy_id",
)  # fmt: skip


class Hypothesis:
    """A question that is only looked at. Raises StatementError for what is no question, naming the place."""

    def __init__(
        self,
        change_id: ChangeId = None,
        service: Service = None,
        environment: Environment = None,
        to_environment: ToEnvironment = None,
        deployment_id: DeploymentId = None,
        artifact: Artifact = None,
        commit: Commit = None,
        attempt: Attempt = None,
        actor: Actor = None,
        policy_id: PolicyId = None,
    ) -> None:
        said = {name: value for name, value in locals().items() if name in FIELDS and value not in (None, "")}
        self.question = model_of(Asked, said)
