"""`views list`, `views rebuild` and `views check`: the readings of the past, as they are kept in the database."""

from typing import Annotated

import typer

from api.cli.common import app, console, table_of, where
from ledger.database import Database
from ledger.errors import SetupError
from ledger.reading import Watcher, read_size
from projections import VIEWS
from projections.engine.runner import Runner, ask_for_rebuild, check, read_states

views = typer.Typer(
    name="views", no_args_is_help=True, help="Readings of the past: list them, fold them anew, check them."
)
app.add_typer(views)


def _database(context: typer.Context) -> Database:
    place = where(context)
    if place.server is not None:
        raise SetupError("views are looked after where the database is: run this without --server")
    database = Database(place.settings.database)
    database.check_schema()
    return database


@views.command("list")
def list_(context: typer.Context) -> None:
    """List the views: version, position, and why one stopped."""
    database = _database(context)
    with database.read() as connection:
        known, size = read_states(connection), read_size(connection)
    database.close()
    table = table_of("view", "version", "position", "state")
    for view in VIEWS:
        state = known.get(view.name)
        if state is None:
            words = "not built yet: a running server builds it, and so does views rebuild"
        elif state.failure:
            words = f"stopped at {state.failed_at}: {state.failure}"
        elif state.version != view.version:
            words = "being rebuilt"
        else:
            words = "up to date" if state.position == size else f"{size - state.position} entries behind"
        table.add_row(view.name, str(view.version), str(state.position if state else 0), words)
    console.print(table, markup=False)


@views.command()
def rebuild(
    context: typer.Context,
    names: Annotated[list[str] | None, typer.Argument(metavar="[VIEW]…", help="Which; default: all.")] = None,
) -> None:
    """Fold views anew, with those that read them, beside what is served. A running server does it when there is one."""
    known = [view.name for view in VIEWS]
    if unknown := sorted(set(names or ()) - set(known)):
        raise SetupError(f"no view {', '.join(unknown)}; there are {', '.join(known)}")
    database = _database(context)
    asked = ask_for_rebuild(database, VIEWS, names or known)
    watcher = Watcher(database)
    runner = Runner(database, VIEWS, watcher)
    if runner.acquire():
        console.print(f"rebuilt {', '.join(asked)} up to position {runner.catch_up()}", highlight=False, soft_wrap=True)
    else:
        console.print(
            f"asked the process that runs the views to rebuild {', '.join(asked)}", highlight=False, soft_wrap=True
        )
    runner.close()
    watcher.close()
    database.close()


@views.command("check")
def check_(context: typer.Context) -> None:
    """Fold all views anew, in memory, and compare with what is served. Exits with 1 when a row differs."""
    database = _database(context)
    found = check(database, VIEWS)
    database.close()
    table = table_of("view", "position", "digest", "verdict")
    for checked in found:
        verdict = "equal" if checked.is_equal else f"DIFFERS: folded anew it is {checked.folded}"
        table.add_row(checked.name, str(checked.position), checked.served, verdict)
    console.print(table, markup=False)
    if not all(checked.is_equal for checked in found):
        raise typer.Exit(1)
