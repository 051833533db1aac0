"""`findings`: what was found is listed, and answered, one finding or many; and how findings of each rule end."""

from collections import defaultdict
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, get_args

import typer

from api.cli.common import AsJson, commands_of, in_words, recorded, where
from api.cli.terminal import Table, console, echo_json, errors_console
from api.desk.disposing import AT_ONCE, disposal
from ledger.errors import SetupError

if TYPE_CHECKING:
    from api.cli.doors import Door

app = commands_of()

findings = typer.Typer(
    name="findings", no_args_is_help=True, help="Findings: list them, answer them, and see how those of each rule end."
)
app.add_typer(findings)

Disposition = Literal["accepted", "remediated", "false_positive"]
# Whose statements these are, as the source of each says.
SOURCE: Final = "change-ledger:findings"


@findings.command("list")
def list_(
    context: typer.Context,
    rule: Annotated[str | None, typer.Option(help="Of one rule.")] = None,
    subject: Annotated[str | None, typer.Option(help="About one subject, such as CHG-7.")] = None,
    has_ended: Annotated[bool, typer.Option("--all", help="Those too that are not open any more.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=500, help="So many at most.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List findings: what was done when, when that was found, whether it was known then, what justified it too late, and what was
    answered.
    """
    door = where(context).door()
    asked = {"min_position": str(door.size()), "limit": str(limit), "sort": "-first_seen_at"}
    asked |= {name: value for name, value in (("rule", rule), ("subject", subject)) if value is not None}
    found = door.view("findings", None, asked if has_ended else asked | {"is_open": "true"})
    if as_json:
        echo_json(found)
        return
    table = Table("finding", "says", "done", "found", "known then", "justified afterwards", "answered", "age in days")
    for row in found["items"]:
        table.add(*_told(row))
    console.print(table)
    if "next" in found:
        errors_console.print(f"there are more than {limit}: narrow them down, or ask for more (--limit)")


def _told(row: dict[str, Any]) -> tuple[str, ...]:
    known = {True: "yes", False: "no", None: ""}[row["known_then"]]
    justified = f"by {row['justified_by']} at {row['justified_at']}" if row["justified_by"] else ""
    until = f" until {row['disposed_until']}" if row["disposed_until"] else ""
    answered = f"{row['disposition']} by {row['disposed_by']}{until}" if row["disposition"] else ""
    age = str(row["age_s"] // 86_400)
    says = in_words(row["says"])
    return row["finding_id"], says, row["acted_at"] or "", row["first_seen_at"], known, justified, answered, age


@findings.command()
def dispose(
    context: typer.Context,
    ids: Annotated[list[str], typer.Argument(metavar="ID…", help="Which, as RULE/SUBJECT.")],
    disposition: Annotated[str, typer.Option("--as", help=f"As what: {', '.join(get_args(Disposition))}.")],
    reason: Annotated[str, typer.Option(help="Why, in words.")],
    actor: Annotated[str, typer.Option(help="Who does it, such as person:olga; over HTTP whoever holds the token.")],
    until: Annotated[
        str | None, typer.Option(help="Until when, such as 2026-12-31T00:00:00Z; then it is open again.")
    ] = None,
) -> None:
    """Answer findings, of what they say now. Exits with 1 when an answer does not count: whoever acted or approved does not answer."""
    if disposition not in get_args(Disposition):
        raise SetupError(f"expected --as {', '.join(get_args(Disposition))}; found {disposition!r}"[:200])
    door = where(context).door()
    by_rule: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for finding_id in dict.fromkeys(ids):
        row = _row(door, finding_id, door.size())
        if not row["is_open"]:
            raise SetupError(f"{finding_id} is not open: there is nothing to answer")
        by_rule[row["rule"]].append(row)
    position = 0
    for rule, rows in by_rule.items():
        for first in range(0, len(rows), AT_ONCE):
            some = rows[first : first + AT_ONCE]
            data = disposal(actor, rule, some, disposition=disposition, reason=reason, until=until)
            position = recorded(door, SOURCE, "finding.disposed", data)["position"]
    refused = [
        row for rows in by_rule.values() for one in rows if (row := _row(door, one["finding_id"], position))["is_open"]
    ]
    for row in refused:
        why = row["refused"]["why"] if row["refused"] else "it says something else by now"
        console.print(f"{row['finding_id']}: recorded, and does not count: {in_words(why)}", style="red")
    console.print(
        f"{len(dict.fromkeys(ids)) - len(refused)} answered as {disposition}, recorded up to position {position}"
    )
    if refused:
        raise typer.Exit(1)


@findings.command()
def ends(context: typer.Context, as_json: AsJson = False) -> None:
    """List how findings end, by rule: open, ended, and answered as what."""
    door = where(context).door()
    found = door.view("finding_ends", None, {"min_position": str(door.size()), "limit": "500"})["items"]
    if as_json:
        echo_json(found)
        return
    columns = ("rule", "found", "known_later", "open", "ended", *get_args(Disposition), "false_positive_share")
    table = Table(*(column.replace("_", " ") for column in columns))
    for row in found:
        table.add(*("" if row[column] is None else str(row[column]) for column in columns))
    console.print(table)


def _row(door: "Door", finding_id: str, position: int) -> dict[str, Any]:
    """Return a finding as it is known at a position."""
    row: dict[str, Any] = door.view("findings", finding_id, {"min_position": str(position)})["row"]
    return row
