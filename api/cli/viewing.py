"""`views list`, `rebuild`, `run`, `skip`, `check` and `show`: the readings of the past, and how they are looked after."""

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from api.cli.common import AsJson, Where, cell, commands_of, in_words, where
from api.cli.progress import bar
from api.cli.terminal import Table, console, echo, echo_json, errors_console
from ledger.errors import SetupError
from ledger.words import number_of

if TYPE_CHECKING:
    from ledger.log.database import Database

# Columns that say in words what a rule found.
_SENTENCES: Final = ("says", "why")

app = commands_of()

views = typer.Typer(
    name="views", no_args_is_help=True, help="Readings of the past: list them, fold them anew, check them."
)
app.add_typer(views)


def _database(place: Where) -> "Database":
    from ledger.log.database import Database

    database = Database(place.settings.database)
    database.check_schema()
    return database


@views.command("list")
def list_(context: typer.Context, as_json: AsJson = False) -> None:
    """List the views: version, position, and why one stopped. Works over --server, too."""
    found = where(context).door().views()
    if as_json:
        echo_json(found)
        return
    table = Table("view", "version", "position", "state")
    for view in found["views"]:
        table.add(view["name"], str(view["version"]), str(view["position"]), _state(view, found["size"]))
    console.print(table)


def _state(view: dict[str, Any], size: int) -> str:
    if view["failed_at"] is not None:
        return f"stopped at {view['failed_at']}: {view['failure'] or 'operators are told why'}"
    if view["served_version"] is None:
        return "not built yet: a running server builds it, and so does views rebuild"
    if view["served_version"] != view["version"]:
        return "being rebuilt"
    return (
        "up to date" if view["position"] == size else f"{number_of(size - view['position'], 'entry', 'entries')} behind"
    )


Names = Annotated[list[str] | None, typer.Argument(metavar="[VIEW]…", help="Which; default: all.")]


@views.command()
def rebuild(context: typer.Context, names: Names = None) -> None:
    """Fold views anew, with those that read them, beside what is served. A running server does it when there is one."""
    _tell(where(context).door().rebuild(names or []))


def _tell(anew: dict[str, Any]) -> None:
    """Say which views were folded anew; over HTTP, and beside a server, another process does it."""
    names = ", ".join(anew["views"])
    if (position := anew.get("position")) is not None:
        console.print(f"rebuilt {names} up to position {position}")
    else:
        console.print(f"asked the process that runs the views to rebuild {names}")


@views.command()
def run(
    context: typer.Context,
    beside_a_front: Annotated[
        bool, typer.Option("--beside-a-front", hidden=True, help="As `serve` starts it: until its input ends.")
    ] = False,
) -> None:
    """Keep the views up with the log until stopped. For servers that run with --views none; of several, one at a time folds."""
    from api import views_process

    place = where(context)
    if place.server is not None:
        raise SetupError("views are folded where the database is: run this without --server")
    database = _database(place)

    def started() -> None:
        if not beside_a_front:
            # The line that scripts wait for.
            echo("running the views")

    views_process.run(database, beside_a_front=beside_a_front, started=started)
    database.close()


@views.command()
def skip(
    context: typer.Context,
    position: Annotated[int, typer.Argument(help="The entry at which the view stopped.")],
    name: Annotated[str, typer.Option("--view", help="Which view.")],
    reason: Annotated[str, typer.Option(help="Why, in one word: it is recorded.")],
) -> None:
    """Have a view step over the entry at which it stopped, with those that read it. Recorded; ends with the view's next version."""
    found = where(context).door().skip({"view": name, "position": position, "reason": reason})
    console.print(
        f"recorded at position {found['receipt']['position']}: {name} steps over position {position}, up to its next version"
    )
    _tell(found)


@views.command("check")
def check_(
    context: typer.Context,
    names: Names = None,
    as_json: AsJson = False,
    progress_json: Annotated[bool, typer.Option("--progress-json", hidden=True)] = False,
) -> None:
    """Fold views anew, in memory, with those that they read; compare with what is served, and judge every finding anew.

    Exits with 1 when a row differs, or a view is not served. Over --server the server does it: its own word.
    """
    place = where(context)
    if progress_json:
        found = _checked(place, names or [], lambda done, size: echo(json.dumps({"checked": done, "size": size})))
        echo(json.dumps(found))
    else:
        with bar("folding") as tell:
            checked = _checked if place.server is None else _checked_remotely
            found = checked(place, names or [], tell)
        _report(found, as_json)
    if found["not_checked"] or not all(view["is_equal"] for view in found["views"]):
        raise typer.Exit(1)


def _checked(place: Where, names: list[str], on_progress: Callable[[int, int], None]) -> dict[str, Any]:
    from api.desk.tending import views_named
    from projections import VIEWS
    from projections.engine.checking import check
    from projections.engine.progress import with_inputs

    views = with_inputs(VIEWS, views_named(names))
    database = _database(place)
    found = check(database, views, on_progress)
    database.close()
    left = [view.name for view in views if view.name not in {checked.name for checked in found}]
    return {"views": [asdict(checked) | {"is_equal": checked.is_equal} for checked in found], "not_checked": left}


def _checked_remotely(place: Where, names: list[str], on_progress: Callable[[int, int], None]) -> dict[str, Any]:
    place.door()
    last: dict[str, Any] = {}
    for last in place.remote_door().check(names):
        if "checked" in last:
            on_progress(last["checked"], last["size"])
    if "views" not in last:
        raise SetupError(f"the server could not check: {last.get('detail', 'no report came')}")
    return last


def _report(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        echo_json(found)
        return
    table = Table("view", "position", "digest", "verdict")
    for checked in found["views"]:
        verdict = "equal" if checked["is_equal"] else f"DIFFERS: folded anew it is {checked['folded']}"
        if checked["judged_otherwise"]:
            some = ", ".join(checked["judged_otherwise"][:10])
            others = number_of(len(checked["judged_otherwise"]), "finding is another", "findings are others")
            verdict = f"DIFFERS: judged anew, {others}: {some}"
        table.add(checked["name"], str(checked["position"]), checked["served"], verdict)
    for missing in found["not_checked"]:
        table.add(missing, "", "", "NOT CHECKED: it stopped, or is being built; change-ledger views list says more")
    console.print(table)


@views.command()
def show(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="Which view.")],
    key: Annotated[str | None, typer.Argument(help="Which row; default: a list of rows.")] = None,
    where_: Annotated[
        list[str] | None, typer.Option("--where", metavar="COLUMN=VALUE", help="Only rows with this; several times.")
    ] = None,
    sort: Annotated[str | None, typer.Option(help="A column; -COLUMN for the greatest first.")] = None,
    columns: Annotated[
        str | None, typer.Option(help="Columns to show, with commas between; default: all, as JSON.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="Of a list: how many rows.")] = 100,
    after: Annotated[str | None, typer.Option(help="Of a list: what the page before ended with.")] = None,
    as_of: Annotated[
        str | None, typer.Option(help="As it stood, a row or a list of lines: a position, or a time with offset.")
    ] = None,
    known_at: Annotated[str | None, typer.Option(help="With a time as --as-of: as it was known then.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON also where --columns are given.")] = False,
) -> None:
    """Show one row, or a page of a list: as JSON, or some columns as a table. Works over --server, too."""
    asked = {"sort": sort, "as_of": as_of, "known_at": known_at}
    if key is None:
        asked |= {"limit": str(limit), "after": after}
    for pair in where_ or ():
        column, _, value = pair.partition("=")
        asked[column] = value
    found = where(context).door().view(name, key, {k: v for k, v in asked.items() if v is not None})
    _show(name, [found["row"]] if key is not None else found["items"], key is not None, columns, as_json)
    if "next" in found:
        errors_console.print(f"there are more: --after {found['next']}")


def _show(name: str, rows: list[dict[str, Any]], is_one: bool, columns: str | None, as_json: bool) -> None:
    if columns is None:
        echo_json(rows[0] if is_one else rows)
        return
    names = columns.split(",")
    if rows and (unknown := sorted(set(names) - set(rows[0]))):
        raise SetupError(f"{name} has no column {', '.join(unknown)}; it has {', '.join(rows[0])}")
    if as_json:
        narrow = [{column: row[column] for column in names} for row in rows]
        echo_json(narrow[0] if is_one else narrow)
        return
    table = Table(*names)
    for row in rows:
        table.add(*(in_words(cell(row[column])) if column in _SENTENCES else cell(row[column]) for column in names))
    console.print(table)
