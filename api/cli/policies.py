"""`policy`: a policy as a file is checked, held against what is in force, published; and what was published is approved."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from api.cli.common import AsJson, commands_of, in_words, recorded, where
from api.cli.policy_files import STARTING, read_policy, starting_policy, time_of
from api.cli.terminal import Table, console, echo, echo_json
from ledger.errors import NotFoundError, SetupError
from ledger.words import number_of

if TYPE_CHECKING:
    from api.cli.doors import Door

app = commands_of()

policy = typer.Typer(
    name="policy",
    no_args_is_help=True,
    help="Policies as files: begin one, check it, hold it against what is in force, publish it; approve what was published.",
)
app.add_typer(policy)

File = Annotated[Path, typer.Argument(help="A policy as TOML.")]
Actor = Annotated[str, typer.Option(help="Who does it, such as person:olga; over HTTP whoever holds the token.")]
# Whose statements these are, as the source of each says.
SOURCE: Final = "change-ledger:policy"


@policy.command()
def new(name: Annotated[str, typer.Argument(help=f"Which: {', '.join(STARTING)}.")]) -> None:
    """Print a policy to begin with, to be saved as a file and changed."""
    if name not in STARTING:
        raise SetupError(f"expected one of {', '.join(STARTING)}, found {name!r}"[:200])
    echo(starting_policy(name).removesuffix("\n"))


@policy.command()
def check(
    context: typer.Context,
    path: File,
    alone: Annotated[bool, typer.Option(help="Look at the file alone, and not at the people of a ledger.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say what of a policy means nothing, and whether the people on record can satisfy it. Exits with 1 when something is wrong."""
    wanted = read_policy(path)
    found = _read_alone(wanted) if alone else where(context).door().check_policy(wanted)
    if as_json:
        echo_json(found)
    else:
        _print_faults(found)
    if found["faults"] or found.get("unsatisfied"):
        raise typer.Exit(1)


def _read_alone(wanted: dict[str, Any]) -> dict[str, Any]:
    from api.desk.policies import PolicyText, read_alone
    from api.desk.posted import model_of

    return read_alone(model_of(PolicyText, wanted))


def _print_faults(found: dict[str, Any]) -> None:
    for fault in found["faults"]:
        console.print(fault, style="red")
    if found.get("unsatisfied"):
        console.print(in_words(f"S11: {found['unsatisfied']}"), style="red")
    if not found["faults"] and not found.get("unsatisfied"):
        people = "" if "unsatisfied" in found else "; whether people can satisfy it was not looked at"
        console.print(f"{found['policy_id']} {found['version']} {found['policy_digest']}: nothing is wrong{people}")


@policy.command()
def diff(context: typer.Context, path: File, as_json: AsJson = False) -> None:
    """List in what a policy differs from the version in force. Exits with 1 where it does."""
    found = where(context).door().check_policy(read_policy(path))
    if as_json:
        echo_json(found)
    else:
        _print_differences(found)
    if found["differs"]:
        raise typer.Exit(1)


def _print_differences(found: dict[str, Any]) -> None:
    now = f"version {found['in_force']}" if found["in_force"] else "no version"
    if not found["differs"]:
        console.print(f"{found['policy_id']}: {now} is in force, and says the same")
        return
    table = Table("setting", "applies to", f"in force: {now}", f"here: version {found['version']}")
    for item in found["differs"]:
        table.add(item["setting"], item["applies_to"], item["in_force"], item["here"])
    console.print(table)


@policy.command("try")
def try_(
    context: typer.Context,
    path: File,
    last: Annotated[str, typer.Option(help="Since when: so many days or hours ago, such as 30d or 12h.")] = "30d",
    as_json: AsJson = False,
) -> None:
    """List what gates would have answered otherwise under a policy, as of then. Exits with 1 where they would have."""
    since = time_of(datetime.now(UTC) - _span(last))
    found = where(context).door().try_policy({**read_policy(path), "since": since})
    if as_json:
        echo_json(found)
    else:
        _print_tried(found)
    if found["differ"]:
        raise typer.Exit(1)


def _span(text: str) -> timedelta:
    found = re.fullmatch(r"([1-9][0-9]{0,3})([dh])", text)
    if found is None:
        raise SetupError(f"expected --last to be days or hours, such as 30d or 12h, found {text!r}"[:200])
    return timedelta(**{{"d": "days", "h": "hours"}[found[2]]: int(found[1])})


def _print_tried(found: dict[str, Any]) -> None:
    if found["differs"]:
        table = Table("position", "gate", "about", "recorded", "here", "because")
        for item in found["differs"]:
            about = " ".join(item[name] for name in ("change_id", "service", "environment") if item[name])
            because = "; ".join(f"{rule['rule']}: {in_words(rule['words'])}" for rule in item["rules"])
            table.add(str(item["position"]), item["gate"], about, item["recorded"], item["here"], because)
        console.print(table)
    rest = "" if found["is_all"] else "; there were more, and the last ones were asked"
    console.print(f"{found['differ']} of {number_of(found['asked'], 'decision')} would have been others{rest}")


@policy.command()
def publish(context: typer.Context, path: File, actor: Actor) -> None:
    """Publish a policy: the ledger records what the file says. It is in force when somebody else has approved it."""
    found = publish_in(where(context).door(), read_policy(path), actor)
    _print_differences(found)
    console.print(f"published {found['policy_id']} {found['version']}, recorded at position {found['position']}")
    approving = f"change-ledger policy approve {found['version']} --actor WHO"
    console.print(f"it is in force when another operator has approved it: {approving}")


def publish_in(door: "Door", wanted: dict[str, Any], actor: str) -> dict[str, Any]:
    """Publish a version by a door; return what was looked at before, and the position. Raises SetupError for what means nothing."""
    found = door.check_policy(wanted)
    name = f"{found['policy_id']} {found['version']}"
    if found["faults"]:
        raise SetupError(f"{name} sets what means nothing: {'; '.join(found['faults'])}")
    for known in _versions(door, found["policy_id"], found["version"]):
        raise SetupError(
            f"{name} was published at position {known['published_position']} as {known['policy_digest']}, and this is "
            f"{found['policy_digest']}: another text is another version"
        )
    about = {**wanted, "policy_id": found["policy_id"]}
    receipt = _post(door, "policy.published", actor, about, found["policy_digest"])
    return found | {"position": receipt["position"]}


@policy.command()
def approve(
    context: typer.Context,
    version: Annotated[str, typer.Argument(help="Which version, as it was published.")],
    actor: Actor,
    policy_id: Annotated[str, typer.Option("--policy", help="Of which policy.")] = "change-approval",
    path: Annotated[Path | None, typer.Option("--file", help="Only where it is what this file says.")] = None,
) -> None:
    """Approve a version of a policy that somebody else published. Exits with 1 when the approval does not count."""
    door = where(context).door()
    published = _versions(door, policy_id, version)
    if not published:
        raise NotFoundError(f"no version {version} of {policy_id} was published")
    text = published[-1]
    if path is not None and (here := _read_alone(read_policy(path))["policy_digest"]) != text["policy_digest"]:
        raise SetupError(f"{policy_id} {version} was published as {text['policy_digest']}; {path} is {here}")
    position, counts = approve_in(door, text | {"policy_id": policy_id}, actor)
    if counts:
        console.print(f"approved {policy_id} {version}, recorded at position {position}: it is in force")
        return
    console.print(
        f"recorded at position {position}, and it does not count: an operator approves, by a credential of their own, and "
        f"{text['published_by']} does not, who wrote it",
        style="red",
    )
    raise typer.Exit(1)


def approve_in(door: "Door", published: dict[str, Any], actor: str) -> tuple[int, bool]:
    """Approve a version by a door; return where that is recorded, and whether it counts."""
    about = {name: published[name] for name in ("policy_id", "version")}
    position: int = _post(door, "policy.approved", actor, about, published["policy_digest"])["position"]
    row = door.view("policies", about["policy_id"], {"min_position": str(position)})["row"]
    return position, any(known["approved_position"] == position for known in row["versions"])


def _versions(door: "Door", policy_id: str, version: str) -> list[dict[str, Any]]:
    """Return what was published as a version of a policy, the last one last."""
    found = door.view("policies", None, {"policy_id": policy_id, "min_position": str(door.size())})["items"]
    return [known for row in found for known in row["versions"] if known["version"] == version]


def _post(door: "Door", event_type: str, actor: str, about: dict[str, Any], digest: str) -> dict[str, Any]:
    """Post a statement about a version of a policy, and return its receipt."""
    return recorded(door, SOURCE, event_type, {"actor": actor, **about, "policy_digest": digest})
