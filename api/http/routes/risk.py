"""`/v1/risk`: backtests of models over the ledger's own history, and fitting new parameters from it."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from api.desk.risk import backtest_in, fit_in
from api.http.auth import KnownCaller
from api.http.questions import Route
from api.http.shapes import MAX_POSITION, PROBLEMS
from api.http.state import CurrentLedger

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
