"""`views list`, `rebuild`, `run`, `skip`, `check` and `show`: the readings of the past, as they are kept in the database."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.cli.common import AsJson, cell, commands_of, where
from api.cli.terminal import Table, console, echo, echo_json, errors_console
from ledger.errors import SetupError

if TYPE_CHECKING:
    from ledger.log.database import Database

app = commands_of()

views = typer.Typer(
    name="views", no_args_is_help=True, help="Readings of the past: list them, fold them anew, check them."
)
app.add_typer(views)


def _database(context: typer.Context) -> "Database":
    from ledger.log.database import Database

    place = where(context)
    if place.server is not None:
        raise SetupError("views are looked after where the database is: run this without --server")
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
    return "up to date" if view["position"] == size else f"{size - view['position']} entries behind"


@views.command()
def rebuild(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(metavar="[VIEW]…", help="Which; default: all.")] = None,
) -> None:
    """Fold views anew, with those that read them, beside what is served. A running server does it when there is one."""
    from projections import VIEWS
    from projections.engine.progress import ask_for_rebuild

    known = [view.name for view in VIEWS]
    if unknown := sorted(set(names or ()) - set(known)):
        raise SetupError(f"no view {', '.join(unknown)}; there are {', '.join(known)}")
    database = _database(context)
    _fold_anew(database, ask_for_rebuild(database, VIEWS, names or known))
    database.close()


def _fold_anew(database: "Database", asked: list[str]) -> None:
    """Fold what was asked for, unless another process runs the views, and does it."""
    from ledger.log.following import Watcher
    from projections import VIEWS
    from projections.engine.runner import Runner

    watcher = Watcher(database)
    runner = Runner(database, VIEWS, watcher)
    if runner.acquire():
        console.print(f"rebuilt {', '.join(asked)} up to position {runner.catch_up()}")
    else:
        console.print(f"asked the process that runs the views to rebuild {', '.join(asked)}")
    runner.close()
    watcher.close()


@views.command()
def run(
    context: typer.Context,
    beside_a_front: Annotated[
        bool, typer.Option("--beside-a-front", hidden=True, help="As `serve` starts it: until its input ends.")
    ] = False,
) -> None:
    """Keep the views up with the log until stopped. For servers that run with --views none; of several, one at a time folds."""
    from api import views_process

    database = _database(context)

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
    from api.desk.views import view_named
    from api.opening import open_ledger
    from ledger.ledger import LOCAL_OPERATOR
    from projections import VIEWS
    from projections.engine.skips import step_over

    view = view_named(name)
    _database(context).close()
    ledger = open_ledger(where(context).settings)
    receipt, anew = step_over(ledger, VIEWS, view, position, actor=LOCAL_OPERATOR, reason=reason)
    console.print(
        f"recorded at position {receipt.position}: {name} steps over position {position}, up to its next version"
    )
    _fold_anew(ledger.database, anew)
    ledger.close()


@views.command("check")
def check_(context: typer.Context, as_json: AsJson = False) -> None:
    """Fold all views anew, in memory, compare with what is served, and judge every finding anew. Exits with 1 when a row differs, or
    a view is not served."""
    from api.cli.verifying import bar
    from projections import VIEWS
    from projections.engine.checking import check

    database = _database(context)
    with bar("folding") as progress:
        task = progress.add_task("fold", total=None)
        found = check(database, VIEWS, lambda done, size: progress.update(task, completed=done, total=size))
    database.close()
    left = [view.name for view in VIEWS if view.name not in {checked.name for checked in found}]
    if as_json:
        compared = [asdict(checked) | {"is_equal": checked.is_equal} for checked in found]
        echo_json({"views": compared, "not_checked": left})
    else:
        table = Table("view", "position", "digest", "verdict")
        for checked in found:
            verdict = "equal" if checked.is_equal else f"DIFFERS: folded anew it is {checked.folded}"
            if checked.judged_otherwise:
                some = ", ".join(checked.judged_otherwise[:10])
                verdict = f"DIFFERS: judged anew, {len(checked.judged_otherwise)} finding(s) are others: {some}"
            table.add(checked.name, str(checked.position), checked.served, verdict)
        for missing in left:
            table.add(missing, "", "", "NOT CHECKED: it stopped, or is being built; change-ledger views list says more")
        console.print(table)
    if left or not all(checked.is_equal for checked in found):
        raise typer.Exit(1)


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
        table.add(*(cell(row[column]) for column in names))
    console.print(table)
