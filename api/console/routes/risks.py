"""Risk: the versions of the models, how well each predicted, and what another version would have said of the same changes."""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query
from fastapi.responses import RedirectResponse, Response
from markupsafe import Markup

from api.console.charts import Mark, Point, bars, reliability
from api.console.days import moment_of
from api.console.pages import KnownVisit, PageRoute, page
from api.console.words import address, percent, with_query
from api.desk.risk import backtest_in
from api.desk.views import list_of, one_of
from ledger.errors import NotFoundError
from ledger.words import number_of
from projections.readings.risk.calibrations import calibrations
from projections.readings.risk.models import risk_models
from projections.readings.risk.promotions import model_promotions

router = APIRouter(route_class=PageRoute, include_in_schema=False)
Version = Annotated[str, Query(max_length=160)]
When = Annotated[str, Query(max_length=40)]
VERSIONS: Final = 24
# What another version would have said is found by replaying the ledger: of a longer one nobody waits for it at a page.
MAX_REPLAYED: Final = 50_000


@router.get("/console/risk")
def risk(
    visit: KnownVisit, version: Version = "", against: Version = "", as_of: When = "", known_at: When = ""
) -> Response:
    """One version, the last that counts unless another is asked for; beside all others, and against one of them.

    As they stand, as they stood, and as they were known: what another version would have said is asked as things stand alone.
    """
    if "" in visit.query.values():
        return RedirectResponse(with_query(visit.path, {k: v for k, v in visit.query.items() if v}), 303)
    then = moment_of(visit.ledger, as_of, known_at)
    where = {} if then.is_now else {"published_position__lte": str(then.position)}
    found = list_of(visit.ledger, risk_models, where, sort="-published_position", limit=VERSIONS)
    versions = then.stood(risk_models, found.rows)
    names = [row["version_id"] for row in versions]
    if version and version not in names:
        raise NotFoundError(f"no model {version!r} is among the last {VERSIONS} versions"[:200])
    known = list_of(visit.ledger, calibrations, {"version_id__in": one_of(names)}, limit=VERSIONS).rows
    measured = {row["version_id"]: row for row in then.stood(calibrations, known)}
    models = [row["model_id"] for row in versions if row["model_id"] is not None]
    promoted = list_of(visit.ledger, model_promotions, {"model_id__in": one_of(models)}, limit=VERSIONS).rows
    counting = {row["champion"]: row for row in then.stood(model_promotions, promoted) if row["champion"] is not None}
    shown = version or next((name for name in names if name in counting), names[0] if names else "")
    told = measured.get(shown)
    is_short = visit.ledger.size() <= MAX_REPLAYED
    against = against if then.is_now else ""
    return page(
        visit,
        "risk.html",
        title="Risk",
        position=found.position if then.is_now else then.position,
        as_of=as_of,
        known_at=known_at,
        # A replay is made for whoever asks, and not for everything that is recorded.
        is_live=not against and then.is_now,
        models=versions,
        measured=measured,
        counting=counting,
        shown=next((row for row in versions if row["version_id"] == shown), None),
        told=told,
        diagram=_diagram(told) if told is not None and told["bins"] else None,
        histogram=_histogram(told) if told is not None and told["bins"] else None,
        briers=_briers(names[::-1], measured) if measured else None,
        against=against,
        is_short=is_short,
        tried=backtest_in(visit.ledger, shown, 1, None, against) if against and is_short else None,
    )


def _diagram(told: Mapping[str, Any]) -> Markup:
    points = [
        Point(
            float(one["predicted"]) / one["changes"],
            one["failures"] / one["changes"],
            one["changes"] / told["changes"],
            f"of {number_of(one['changes'], 'change')} {percent(str(float(one['predicted']) / one['changes']))} were predicted to fail, "
            f"and {percent(str(one['failures'] / one['changes']))} failed",
            address("views", "calibrations", told["version_id"]),
        )
        for one in told["bins"]
        if one["changes"]
    ]
    return reliability(points, title=f"What {told['version_id']} predicted, and what came of it")


def _histogram(told: Mapping[str, Any]) -> Markup:
    marks = []
    for one in told["bins"]:
        says = (
            f"from {percent(one['lowest'])} on: {number_of(one['changes'], 'change')}, {one['failures']} of them failed"
        )
        there = address("views", "calibrations", told["version_id"])
        marks.append(Mark(percent(one["lowest"]), one["changes"], says, there, one["failures"]))
    return bars(
        marks, title=f"What {told['version_id']} predicted, and how often", written=lambda number: f"{number:g}"
    )


def _briers(names: list[str], measured: Mapping[str, Mapping[str, Any]]) -> Markup:
    marks = []
    for name in names:
        row = measured.get(name)
        brier = float(row["brier"]) if row is not None and row["brier"] is not None else None
        says = (
            "not measured"
            if brier is None or row is None
            else f"{brier:.3f} over {number_of(row['changes'], 'change')}"
        )
        marks.append(Mark(name.rpartition("/")[2], brier, f"{name}: {says}", address("risk", version=name)))
    return bars(marks, title="Brier score by version", written=lambda number: f"{number:g}")
