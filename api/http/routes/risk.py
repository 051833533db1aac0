"""`/v1/risk`: backtests of models over the ledger's own history, and fitting new parameters from it."""

import dataclasses
from typing import Annotated, Any

from fastapi import APIRouter, Query

from api.http.auth import CurrentLedger, KnownCaller
from api.http.questions import Route
from api.http.routes.events import MAX_POSITION, PROBLEMS
from ledger.errors import StatementError
from ledger.ledger import Ledger
from projections.readings.risk.backtest import Backtest, backtest, fit, model_of, not_better
from projections.rules.risk import ModelError

router = APIRouter(tags=["risk"], route_class=Route)
Version = Annotated[
    str,
    Query(max_length=120, examples=["change-risk/1.0.0"], description="A model and its version."),
]
First = Annotated[int, Query(alias="from", ge=1, le=MAX_POSITION, description="The first position of the range.")]
Last = Annotated[
    int | None, Query(alias="to", ge=1, le=MAX_POSITION, description="The last; all there are without it.")
]


@router.get("/v1/risk/backtest", summary="What a model would have said", responses=PROBLEMS)
def backtest_model(
    caller: KnownCaller,
    ledger: CurrentLedger,
    model: Version,
    first: First = 1,
    to: Last = None,
    against: Annotated[
        str | None,
        Query(max_length=120, examples=["change-risk/1.0.0"], description="A version to be better than."),
    ] = None,
) -> dict[str, Any]:
    """Score the changes of a range by a published version, each from what was known then, and hold it against the outcomes.

    With `against`, the same for another version, and what keeps the first from taking its place.
    """
    return backtest_in(ledger, model, first, to, against)


def backtest_in(ledger: Ledger, model: str, first: int, last: int | None, against: str | None) -> dict[str, Any]:
    """Backtest a version in a ledger, and return what doors say of it."""
    _check_range(first, last)
    found = backtest(ledger.database, model_of(ledger.database, model), first=first, last=last)
    answer = {"model": model, **_json(found)}
    if against is not None:
        other = backtest(ledger.database, model_of(ledger.database, against), first=first, last=last)
        faults = not_better(other.calibration, found.calibration)
        answer |= {"against": {"model": against, **_json(other)}, "is_better": not faults, "faults": faults}
    return answer


def _check_range(first: int, last: int | None) -> None:
    if last is not None and last < first:
        raise StatementError(f"expected from up to to, found {first} and {last}: no entry is between", "/to")


def _json(found: Backtest) -> dict[str, Any]:
    calibration = found.calibration
    return {
        "from": found.from_position,
        "to": found.to_position,
        "changes": calibration.changes,
        "failures": calibration.failures,
        "brier": calibration.brier,
        "reliability_error": calibration.reliability_error,
        "bins": [dataclasses.asdict(found_bin) for found_bin in calibration.bins],
        "unscored": found.unscored,
        "fault": found.fault,
        "unlabelled": found.unlabelled,
    }


@router.get("/v1/risk/fit", summary="Fit a logistic model from outcomes", responses=PROBLEMS)
def fit_model(
    caller: KnownCaller,
    ledger: CurrentLedger,
    feature: Annotated[
        list[str],
        Query(min_length=1, max_length=32, examples=[["churn"]], description="A feature to fit on; several times."),
    ],
    first: First = 1,
    to: Last = None,
) -> dict[str, Any]:
    """Parameters, the range and the digest of what they were fitted on: nothing is recorded. Publishing them is a person's act."""
    return fit_in(ledger, feature, first, to)


def fit_in(ledger: Ledger, features: list[str], first: int, last: int | None) -> dict[str, Any]:
    """Fit in a ledger, and return what doors say of it."""
    _check_range(first, last)
    try:
        found = fit(ledger.database, features, first=first, last=last)
    except ModelError as error:
        raise StatementError(str(error), "/feature") from None
    trained = {
        "from_position": found.from_position,
        "to_position": found.to_position,
        "query_digest": found.query_digest,
    }
    return {
        "form": "logistic",
        "parameters": [{"name": name, "value": value} for name, value in found.parameters.items()],
        "trained_on": trained,
        "changes": found.changes,
        "failures": found.failures,
        "metrics": [{"name": "brier", "value": found.brier}],
    }
