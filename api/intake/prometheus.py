"""Answers of Prometheus (`/api/v1/query` and `query_range`): how much was good of how much, or what a metric was.

An answer says when, and a number as a text; what it measures, and over which time each value goes, only the query says, which is not in
it. So whoever posts it says either `slo` or `metric`, and the `window` of the query:

    slo=payments-availability&window=1h       two series with the label `sli`: `total`, and `good` or `bad`
    metric=error_rate&service=…&window=5m     one series; by how many `samples` each value is, where that is known

A range asked with the window as its step tells every hour once. `NaN` is no number, and an empty answer is no data, which is not 0. What
Prometheus warns about may lack a part, and is not taken. All labels but `sli` are cut.
"""

from collections.abc import Iterator
from decimal import Decimal
from typing import Any, Final

import orjson

from api.intake.context import seconds_of
from api.intake.formats import JSON, UNMAPPED, Format, Redactor, Sample
from api.intake.translation import (
    MAX_PARTS,
    ContradictionError,
    Fact,
    ForeignJsonError,
    Headers,
    Mapped,
    Translation,
    Unmapped,
    decimal_of,
    dump_json,
    fact,
    pick,
    pick_text,
    read_json,
)
from ledger.clock import to_text
from ledger.errors import StatementError

_SECOND: Final = 1_000_000
# Of the year 9999, the last that our times have.
_LATEST: Final = 253_402_300_799
_SERIES: Final = ("good", "bad", "total")


# -- cutting ---------------------------------------------------------------------------------------------------------------


def _cut(body: bytes) -> bytes:
    document = read_json(body)
    status, told = pick_text(document, "status"), pick_text(document, "data.resultType")
    if status not in ("success", "error") or (status == "success" and told is None):
        raise ForeignJsonError("no-answer-of-prometheus")
    result = pick(document, "data.result")
    # One number stands there by itself.
    series = [{"value": result}] if told == "scalar" else result if isinstance(result, list) else []
    kept = {
        "status": status,
        "warned": bool(pick(document, "warnings")),
        "resultType": told if told in ("vector", "matrix", "scalar") else None,
        "series": [_cut_series(one) for one in series],
    }
    return dump_json(kept)


def _cut_series(one: Any) -> dict[str, Any]:
    points = pick(one, "values") if pick(one, "value") is None else [pick(one, "value")]
    said = pick(one, "metric.sli")
    return {
        "sli": said if said in _SERIES else None,
        "points": [point for point in points if _is_point(point)] if isinstance(points, list) else [],
    }


def _is_point(point: Any) -> bool:
    return (
        isinstance(point, list)
        and len(point) == 2
        and isinstance(point[0], int | float)
        and 0 < point[0] <= _LATEST
        and isinstance(point[1], str)
        and len(point[1]) <= 64
    )


# -- what it says ----------------------------------------------------------------------------------------------------------


def translate(beside: Headers, body: bytes) -> Translation:
    """Return what was measured, a statement for each time. Raises ContradictionError unless it is said of an objective or a metric."""
    source = beside["source"]
    _check_said(beside)
    answer = orjson.loads(body)
    if answer["status"] != "success" or answer["warned"]:
        return Unmapped("prometheus", "warnings" if answer["warned"] else "an-error", source)
    try:
        facts = list(_budget(beside, answer) if "slo" in beside else _metric(beside, answer))
    except StatementError as error:
        return Unmapped("prometheus", f"field{error.place}", source)
    if not facts:
        return Unmapped("prometheus", "no-data", source)
    return Mapped(tuple(facts)) if len(facts) <= MAX_PARTS else Unmapped("prometheus", "too-many-times", source)


def _check_said(beside: Headers) -> None:
    if ("slo" in beside) == ("metric" in beside):
        raise ContradictionError(
            "expected what was measured: either slo, or metric with service and environment", "/slo"
        )
    for name in ("service", "environment") if "metric" in beside else ():
        if name not in beside:
            raise ContradictionError(f"expected {name}: a metric is of a service in an environment", f"/{name}")


def _budget(beside: Headers, answer: dict[str, Any]) -> Iterator[Fact]:
    told: dict[str, dict[int, Decimal]] = {}
    for series in answer["series"]:
        if series["sli"] is None or series["sli"] in told:
            raise StatementError("expected one series for each value of the label sli", "/sli")
        told[series["sli"]] = dict(_points(series))
    if "total" not in told or len(told) != 2:
        raise StatementError("expected the series total, and good or bad", "/sli")
    parts = told.get("good", told.get("bad", {}))
    for at in sorted(told["total"].keys() & parts.keys()):
        total, part = told["total"][at], parts[at]
        good = part if "good" in told else total - part
        said = {"slo_id": beside["slo"], "unit": "events", "good": decimal_of(good), "total": decimal_of(total)}
        yield _measured(beside, "error_budget.measured", at, said)


def _metric(beside: Headers, answer: dict[str, Any]) -> Iterator[Fact]:
    if len(answer["series"]) > 1:
        raise StatementError("expected one series: a metric of a service has one value", "/series")
    about = {name: beside.get(name) for name in ("service", "environment", "metric", "deployment")}
    about["deployment_id"] = about.pop("deployment")
    for at, value in sorted(_points(answer["series"][0]) if answer["series"] else ()):
        samples = int(beside.get("samples", "1"))
        yield _measured(beside, "metric.measured", at, about | {"value": decimal_of(value), "samples": samples})


def _measured(beside: Headers, event_type: str, at: int, said: dict[str, Any]) -> Fact:
    window = seconds_of(beside["window"]) * _SECOND
    if at <= window:
        raise StatementError("expected a window that begins after 1970", "/window")
    end = to_text(at)
    return fact(beside["source"], event_type, end, said | {"start": to_text(at - window), "end": end})


def _points(series: dict[str, Any]) -> Iterator[tuple[int, Decimal]]:
    """Yield when, in microseconds, and what; NaN and infinities say nothing."""
    for at, text in series["points"]:
        if (value := decimal_of(text)) is not None:
            yield round(at * _SECOND), Decimal(value)


def _answer(*series: dict[str, Any], told: str = "vector") -> dict[str, Any]:
    return {"status": "success", "data": {"resultType": told, "result": list(series)}}


_OF_SLO: Final = {"slo": "payments-availability", "window": "1h"}
_OF_METRIC: Final = {"metric": "error_rate", "service": "payments-api", "environment": "prod", "window": "5m"}
_AT: Final = 1_772_442_000.25

FORMAT: Final = Format(
    "prometheus",
    "Answers of Prometheus",
    "An answer of `/api/v1/query` or `query_range`: how much was good of how much, for an error budget; or what a metric of a service was.",
    translate,
    media_types=(JSON,),
    asks=("window", "slo", "metric", "service", "environment", "deployment", "samples"),
    needs=("window",),
    redactor=Redactor(1, _cut),
    samples=(
        Sample(
            "for an error budget",
            _answer(
                {"metric": {"sli": "good", "job": "hunter2"}, "value": [_AT, "995"]},
                {"metric": {"sli": "total"}, "value": [_AT, "1000"]},
            ),
            ("error_budget.measured",),
            context=_OF_SLO,
        ),
        Sample(
            "a metric over a time",
            _answer({"metric": {}, "values": [[_AT, "0.02"], [_AT + 300, "1e-05"]]}, told="matrix"),
            ("metric.measured", "metric.measured"),
            context=_OF_METRIC,
        ),
        Sample("nothing", _answer(), (UNMAPPED,), context=_OF_METRIC),
    ),
)
