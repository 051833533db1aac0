"""Answers of Prometheus: what was measured, by whoever asked; and no data is no verdict."""

import json
from typing import Any

import pytest
from files import facts_of, mutations

from api.intake.prometheus import FORMAT
from api.intake.translation import ContradictionError, ForeignError, Mapped, Unmapped, decimal_of

OF_SLO = {"slo": "paid", "window": "1h"}
OF_METRIC = {"metric": "error_rate", "service": "pay", "environment": "prod", "window": "5m"}


def answer(*series: tuple[str | None, Any], told: str = "matrix", **more: Any) -> str:
    result = [{"metric": {"sli": sli} if sli else {}, "values": points} for sli, points in series]
    return json.dumps({"status": "success", "data": {"resultType": told, "result": result}, **more})


def data_of(text: str, said: dict[str, str]) -> list[dict[str, Any]]:
    return [fact.data for fact in facts_of(FORMAT, text, said)]


def test_of_a_range_each_time_is_a_measurement_of_the_window_before_it() -> None:
    text = answer(("total", [[7200, "10"], [10800.5, "20"]]), ("bad", [[7200, "1"], [10800.5, "0.5"]]))
    assert data_of(text, OF_SLO) == [
        {"slo_id": "paid", "unit": "events", "good": "9", "total": "10",
         "start": "1970-01-01T01:00:00.000000Z", "end": "1970-01-01T02:00:00.000000Z"},
        {"slo_id": "paid", "unit": "events", "good": "19.5", "total": "20",
         "start": "1970-01-01T02:00:00.500000Z", "end": "1970-01-01T03:00:00.500000Z"},
    ]  # fmt: skip
    assert [fact.time for fact in facts_of(FORMAT, text, OF_SLO)] == [
        "1970-01-01T02:00:00.000000Z",
        "1970-01-01T03:00:00.500000Z",
    ]


def test_of_a_time_at_which_a_part_is_not_there_nothing_is_said() -> None:
    text = answer(("total", [[7200, "10"], [10800, "NaN"], [14400, "30"]]), ("good", [[7200, "9"], [10800, "9"]]))
    assert [one["total"] for one in data_of(text, OF_SLO)] == ["10"]


def test_a_metric_has_a_value_over_the_window_by_the_samples_that_are_said() -> None:
    text = '{"status":"success","data":{"resultType":"scalar","result":[1772442000.123,"1.5e-3"]}}'
    about = {"metric": "error_rate", "service": "pay", "environment": "prod", "deployment_id": "d-1"}
    assert data_of(text, OF_METRIC | {"deployment": "d-1", "samples": "42"}) == [
        about | {"value": "0.0015", "samples": 42, "start": "2026-03-02T08:55:00.123000Z", "end": "2026-03-02T09:00:00.123000Z"}
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "said", "reason"),
    [
        (answer(), OF_METRIC, "no-data"),
        (answer((None, [[7200, "NaN"], [7201, "+Inf"]])), OF_METRIC, "no-data"),
        (answer((None, [[7200, "1"]]), (None, [[7200, "1"]])), OF_METRIC, "field/series"),
        (answer((None, [[7200, "1"]])), OF_SLO, "field/sli"),
        (answer(("total", [[7200, "1"]])), OF_SLO, "field/sli"),
        (answer(("good", [[7200, "1"]]), ("bad", [[7200, "1"]])), OF_SLO, "field/sli"),
        (answer(("total", [[7200, "1"]]), ("total", [[7200, "1"]])), OF_SLO, "field/sli"),
        (answer(("total", [[60, "1"]]), ("bad", [[60, "1"]])), OF_SLO, "field/window"),
        (answer((None, [[7200, "1"]]), warnings=["a store did not answer"]), OF_METRIC, "warnings"),
        ('{"status":"error","errorType":"timeout","error":"s3cret"}', OF_METRIC, "an-error"),
        (answer((None, [[7200 + n, "1"] for n in range(201)])), OF_METRIC, "too-many-times"),
    ],
)
def test_what_says_nothing_for_sure_is_kept_with_a_reason(text: str, said: dict[str, str], reason: str) -> None:
    assert FORMAT.redactor is not None
    found = FORMAT.translate(FORMAT.context(said).beside(text.encode()), FORMAT.redactor.cut(text.encode()))
    assert isinstance(found, Unmapped)
    assert found.reason == reason


@pytest.mark.parametrize(
    ("said", "place"),
    [
        ({"window": "5m"}, "/slo"),
        (OF_SLO | OF_METRIC, "/slo"),
        ({"window": "5m", "metric": "x", "service": "pay"}, "/environment"),
    ],
)
def test_what_was_measured_is_said_beside_the_answer(said: dict[str, str], place: str) -> None:
    with pytest.raises(ContradictionError) as refused:
        facts_of(FORMAT, answer((None, [[7200, "1"]])), said)
    assert refused.value.place == place


@pytest.mark.parametrize("text", ["{}", "[]", '{"status": "firing"}', '{"status": "success"}', "not json"])
def test_another_json_is_no_answer(text: str) -> None:
    assert FORMAT.redactor is not None
    with pytest.raises(ForeignError):
        FORMAT.redactor.cut(text.encode())


def test_numbers_are_written_as_our_decimals_are() -> None:
    told = {"1": "1", "-0": "0", "1e-05": "0.00001", "1e400": None, "1e999999999": None, "1e-999999999": "0", "+Inf": None,
            "5.000000000000001": "5", "99.95": "99.95", "1e17": "100000000000000000", "1e18": None, "": None, "x": None}  # fmt: skip
    assert {text: decimal_of(text) for text in told} == told
    assert decimal_of(None) is None


def test_no_mutation_of_an_answer_is_worse_than_not_understood() -> None:
    assert FORMAT.redactor is not None
    text = answer(("total", [[7200, "10"], [10800.5, "20"]]), ("bad", [[7200, "1"], [10800.5, "0.5"]]))
    for body in mutations(text.encode(), 300):
        try:
            cut = FORMAT.redactor.cut(body)
        except ForeignError:
            continue
        assert isinstance(FORMAT.translate(FORMAT.context(OF_SLO).beside(body), cut), Mapped | Unmapped)
