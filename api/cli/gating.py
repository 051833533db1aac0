"""`gate`: ask whether something may proceed, for pipelines without an HTTP client; and answer a recorded question again."""

from typing import Annotated, Any, Final

import typer

from api.cli.common import NOBODY_ELSE, AsJson, commands_of, in_words, where
from api.cli.terminal import Table, console, echo_json

app = commands_of()

gate = typer.Typer(
    name="gate",
    no_args_is_help=True,
    help="Ask a gate. Exits with 0 when it allows, with 1 when it does not, with 2 when it could not be asked.",
)
app.add_typer(gate)

# As `projections.gates.composition` has them, without importing the rules: over HTTP the server asks them.
GATES: Final = ("approve", "deploy", "promote", "apply", "rollback", "close", "load_data")

Change = Annotated[str | None, typer.Option("--change", help="The change it is for.")]
Deployment = Annotated[str | None, typer.Option("--deployment", help="The deployment it is about.")]
Service = Annotated[str | None, typer.Option("--service")]
Environment = Annotated[str | None, typer.Option("--environment")]
To = Annotated[str | None, typer.Option("--to-environment", help="Where to promote to.")]
Artifact = Annotated[str | None, typer.Option("--artifact", help="Digest of what is deployed, or gone back to.")]
Commit = Annotated[str | None, typer.Option("--commit", help="The commit it was built from.")]
Plan = Annotated[str | None, typer.Option("--plan", help="Digest of the plan of infrastructure to be applied.")]
Attempt = Annotated[int | None, typer.Option("--attempt", min=1, help="Which try of the deployment, from 1.")]
Dataset = Annotated[str | None, typer.Option("--dataset", help="The set of data that is to be loaded.")]
Key = Annotated[
    str | None,
    typer.Option("--idempotency-key", help="One's own: the same question under the same key is one decision."),
]
Actor = Annotated[str | None, typer.Option("--actor", help="Who wants to; default: whoever asks.")]
Policy = Annotated[str | None, typer.Option("--policy", help="The policy whose settings hold.")]


def _declare(name: str) -> None:
    def command(
        context: typer.Context,
        change: Change = None,
        deployment: Deployment = None,
        service: Service = None,
        environment: Environment = None,
        to_environment: To = None,
        artifact: Artifact = None,
        commit: Commit = None,
        plan: Plan = None,
        attempt: Attempt = None,
        dataset: Dataset = None,
        actor: Actor = None,
        policy: Policy = None,
        idempotency_key: Key = None,
        as_json: AsJson = False,
    ) -> None:
        question = {
            "change_id": change,
            "deployment_id": deployment,
            "service": service,
            "environment": environment,
            "to_environment": to_environment,
            "artifact": artifact,
            "commit": commit,
            "plan": plan,
            "attempt": attempt,
            "dataset_id": dataset,
            "actor": actor,
            "policy_id": policy,
            "idempotency_key": idempotency_key,
        }
        door = where(context).door()
        _show(door.ask(name, {key: value for key, value in question.items() if value is not None}), as_json)

    command.__doc__ = f"Ask the gate {name}: its rules are listed with their answers."
    gate.command(name)(command)


for _name in GATES:
    _declare(_name)


def _show(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        echo_json(found)
    else:
        table = Table("rule", "verdict", "why", "positions")
        for rule in found["rules"]:
            positions = " ".join(str(position) for position in rule["positions"])
            table.add(rule["rule"], rule["verdict"], in_words(rule["words"]), positions)
        console.print(table)
        # What several rules wait for is said once.
        waiting: dict[tuple[str, ...], list[str]] = {}
        for rule in found["rules"]:
            if rule["remedy"]:
                waiting.setdefault((rule["remedy"], *rule["able"]), []).append(rule["rule"])
        for (remedy, *able), rules in waiting.items():
            who = f" ({', '.join(able)})" if able else ""
            console.print(f"{', '.join(rules)} would allow: {in_words(remedy)}{who}")
        if found["policy"]["is_of_one"]:
            console.print(NOBODY_ELSE)
        place = f"recorded at {found['receipt']['position']}, read at {found['read_at']}"
        console.print(f"{found['gate']}: {found['verdict']} ({place})")
    if found["verdict"] != "allow":
        raise typer.Exit(1)


@gate.command()
def recheck(
    context: typer.Context,
    position: Annotated[int, typer.Argument(min=1, help="Where the decision is recorded.")],
    as_json: AsJson = False,
) -> None:
    """Answer a recorded question again from the entries it had read. Exits with 1 when the answer is another one."""
    found = where(context).door().recheck(position)
    if as_json:
        echo_json(found)
    else:
        agrees = "agrees" if found["agrees"] else "DOES NOT AGREE"
        again = found["again"]["verdict"] if found["again"] is not None else "not checkable here"
        console.print(f"{position}: recorded {found['recorded']}, again {again}: {agrees}")
        for gone in found["not_checkable"]:
            console.print(f"not checkable here: {gone['rule']} {gone['version']}")
        if found["new"]:
            console.print(f"new since then: {', '.join(found['new'])}")
    if not found["agrees"]:
        raise typer.Exit(1)
