"""`risk backtest` and `risk fit`: what a model would have said of the past, and what it can learn from it."""

from typing import Annotated

import typer

from api.cli.common import cell, commands_of, where
from api.cli.terminal import Table, console, echo_json

app = commands_of()

risk = typer.Typer(name="risk", no_args_is_help=True, help="Models of risk: backtest them, fit them.")
app.add_typer(risk)

First = Annotated[int, typer.Option("--from", min=1, help="The first position of the range.")]
Last = Annotated[int | None, typer.Option("--to", min=1, help="The last; default: the end of the ledger.")]


@risk.command()
def backtest(
    context: typer.Context,
    model: Annotated[str, typer.Argument(help="A model and its version, as change-risk/1.0.0.")],
    against: Annotated[
        str | None, typer.Option(help="A version to be better than; exits with 1 when it is not.")
    ] = None,
    first: First = 1,
    last: Last = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, for programs.")] = False,
) -> None:
    """Score past changes by a version, each from what was known then, and hold it against what became of them."""
    found = where(context).door().backtest(model, first, last, against)
    if as_json:
        echo_json(found)
    else:
        table = Table("model", "changes", "failures", "Brier", "reliability error", "not scored")
        for row in (found, *([found["against"]] if against else [])):
            table.add(
                row["model"],
                *(cell(row[name]) for name in ("changes", "failures", "brier", "reliability_error", "unscored")),
            )
        console.print(table)
        for fault in found.get("faults", []):
            console.print(f"not better: {fault}")
    if not found.get("is_better", True):
        raise typer.Exit(1)


@risk.command()
def fit(
    context: typer.Context,
    features: Annotated[list[str], typer.Argument(metavar="FEATURE…", help="What to fit on.")],
    first: First = 1,
    last: Last = None,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON, which it is anyhow.")] = False,
) -> None:
    """Fit a logistic model from the outcomes of past changes, and print what a new version would be published with."""
    echo_json(where(context).door().fit(features, first, last))
