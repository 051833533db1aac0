"""Objectives of OpenSLO and Sloth: every shape that they are written in becomes the promise that it is, or is left out with a reason."""

from typing import Any

import pytest
from files import facts_of, mutations

from api.intake.openslo import FORMAT
from api.intake.translation import ForeignError, Mapped, Unmapped

SAID = {"actor": "person:alice"}


def openslo(window: str = "{duration: 28d, isRolling: true}", method: str = "Occurrences", *objectives: str) -> str:
    told = "\n".join(f"    - {one}" for one in objectives or ("{target: 0.99}",))
    return f"""apiVersion: openslo/v1
kind: SLO
metadata: {{name: search-slo}}
spec:
  service: web-shop
  budgetingMethod: {method}
  timeWindow: [{window}]
  objectives:
{told}
"""


V1ALPHA = """apiVersion: openslo/v1alpha
kind: SLO
metadata: {name: my service}
spec:
  service: my-service
  budgetingMethod: Occurrences
  objectives: [{ratioMetrics: {good: {query: s3cret}}, target: 0.999}]
  timeWindows: [{count: 30, unit: Day}]
"""
SLOTH = (
    "version: prometheus/v1\nservice: pay\nslos:\n  - {name: ok, objective: 99.95, sli: {events: {error_query: a}}}\n"
)
OPERATOR = """apiVersion: sloth.slok.dev/v1
kind: PrometheusServiceLevel
spec:
  service: pay
  slos: [{name: ok, objective: 99.95, sli: {events: {errorQuery: a}}}]
"""
PLAIN = {"slo_id": "search-slo", "service": "web-shop", "method": "occurrences", "target": "0.99", "window_days": 28}
# What a file is like, the file, and what it becomes.
SHAPES: list[tuple[str, str, list[dict[str, Any]]]] = [
    ("rolling days", openslo(), [PLAIN]),
    ("weeks", openslo("{duration: 2w, isRolling: true}"), [PLAIN | {"window_days": 14}]),
    ("hours that are days", openslo("{duration: 48h}"), [PLAIN | {"window_days": 2}]),
    ("a percentage", openslo("{duration: 28d}", "Occurrences", "{targetPercent: 99.95}"), [PLAIN | {"target": "0.9995"}]),
    ("zeros at the end", openslo("{duration: 28d}", "Occurrences", "{target: 0.990}"), [PLAIN]),
    (
        "slices, of two objectives with names",
        openslo("{duration: 28d}", "Timeslices", *(
            f"{{displayName: {name}, target: {target}, timeSliceTarget: 0.95, timeSliceWindow: {window}}}"
            for name, target, window in (("SLA", "0.99", "1m"), ("ours EU", "0.995", "5"))
        )),
        [
            PLAIN | {"slo_id": "search-slo/SLA", "method": "timeslices", "slice_s": 60, "slice_target": "0.95"},
            PLAIN | {"slo_id": "search-slo/ours%20EU", "method": "timeslices", "target": "0.995", "slice_s": 300, "slice_target": "0.95"},
        ],
    ),
    (
        "two objectives without names",
        openslo("{duration: 28d}", "RatioTimeslices", "{target: 0.9, timeSliceWindow: 1h}", "{target: 0.8, timeSliceWindow: 1h}"),
        [
            PLAIN | {"slo_id": "search-slo/1", "method": "ratio_timeslices", "target": "0.9", "slice_s": 3600},
            PLAIN | {"slo_id": "search-slo/2", "method": "ratio_timeslices", "target": "0.8", "slice_s": 3600},
        ],
    ),
    ("v1alpha, and a blank in a name", V1ALPHA, [
        {"slo_id": "my%20service", "service": "my-service", "method": "occurrences", "target": "0.999", "window_days": 30}
    ]),
    ("Sloth counts in percent", SLOTH, [
        {"slo_id": "pay-ok", "service": "pay", "method": "occurrences", "target": "0.9995", "window_days": 30}
    ]),
    ("the resource of Sloth's operator", OPERATOR, [
        {"slo_id": "pay-ok", "service": "pay", "method": "occurrences", "target": "0.9995", "window_days": 30}
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "becomes"), [pytest.param(*shape[1:], id=shape[0]) for shape in SHAPES])
def test_a_file_says_what_was_promised(text: str, becomes: list[dict[str, Any]]) -> None:
    facts = facts_of(FORMAT, text, SAID | {"window": "30d"})
    assert {fact.type for fact in facts} == {"slo.published"}
    assert [fact.data for fact in facts] == [{"actor": "person:alice"} | one for one in becomes]
    assert all(not fact.left_out for fact in facts)


def reason_of(text: str, **said: str) -> str:
    assert FORMAT.redactor is not None
    cut = FORMAT.redactor.cut(text.encode())
    found = FORMAT.translate(FORMAT.context(SAID | said).beside(text.encode()), cut)
    assert isinstance(found, Unmapped), found
    return found.reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (openslo("{duration: 1M, isRolling: false, calendar: {startTime: x}}"), "1:window-of-a-calendar"),
        (openslo("{duration: 4w, isRolling: false}"), "1:window-of-a-calendar"),
        (openslo("{duration: 1M, isRolling: true}"), "1:window-not-in-days"),
        (openslo("{duration: 30h}"), "1:window-not-in-days"),
        (openslo(method="Sometimes"), "1:no-name-service-or-method"),
        (openslo("{duration: 28d}", "Occurrences", "{target: often}"), "1:no-target"),
        (openslo("{duration: 28d}", "Occurrences", "{target: NaN}"), "1:no-target"),
        ("apiVersion: openslo/v1\nkind: Service\nmetadata: {name: my-rad service}\n", "no-objective"),
        (SLOTH, "1:window-not-said"),
        (SLOTH.replace("events", "raw"), "1:ratio-computed-elsewhere"),
        (openslo() + "---\n" + openslo(), "name-twice"),
    ],
)
def test_what_cannot_be_held_is_kept_with_a_reason(text: str, reason: str) -> None:
    assert reason_of(text) == reason


def test_what_of_a_file_cannot_be_held_is_named_beside_what_can() -> None:
    text = openslo("{duration: 1M, isRolling: false}") + "---\n" + V1ALPHA
    [fact] = facts_of(FORMAT, text, SAID)
    assert (fact.data["slo_id"], fact.left_out) == ("my%20service", ("1:window-of-a-calendar",))


@pytest.mark.parametrize("text", ["a: 1\n", "[]\n", "", "apiVersion: v1\nkind: Pod\n", "x\n"])
def test_another_yaml_is_no_file_of_this_kind(text: str) -> None:
    assert FORMAT.redactor is not None
    with pytest.raises(ForeignError, match="neither-openslo-nor-sloth"):
        FORMAT.redactor.cut(text.encode())


def test_no_mutation_of_a_file_is_worse_than_not_understood() -> None:
    assert FORMAT.redactor is not None
    for text in (SHAPES[5][1], SLOTH):
        for body in mutations(text.encode(), 300):
            try:
                cut = FORMAT.redactor.cut(body)
            except ForeignError:
                continue
            found = FORMAT.translate(FORMAT.context(SAID | {"window": "30d"}).beside(body), cut)
            assert isinstance(found, Mapped | Unmapped)
