"""Objectives in OpenSLO (v1 and v1alpha) and in Sloth's own files: what was promised of a service.

The two say the same with other numbers: `target: 0.999` of OpenSLO is a share, `objective: 99.9` of Sloth is in percent. An OpenSLO
document says over how long; a Sloth file does not, and whoever posts it says `window=30d`, which is what Sloth takes where it is told
nothing. Who promises stands in neither: that is `actor`.

An objective over a calendar's month or quarter is another promise than one over rolling days, and one by a ratio that was computed
elsewhere does not say of what: they stand in the evidence, and the extension `leftout` names them. Queries are cut: they may hold
credentials of a source.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

import orjson

from api.intake.context import seconds_of
from api.intake.formats import UNMAPPED, Format, Redactor, Sample
from api.intake.translation import (
    Fact,
    ForeignError,
    Headers,
    Mapped,
    Translation,
    Unmapped,
    decimal_of,
    dump_json,
    fact,
    pick,
    pick_text,
)
from api.intake.yaml_documents import MEDIA_TYPES, read_yaml
from ledger.errors import StatementError

MAX_OBJECTIVES: Final = 100
_METHODS: Final = {"Occurrences": "occurrences", "Timeslices": "timeslices", "RatioTimeslices": "ratio_timeslices"}
_DAY: Final = 86_400
_UNITS: Final = {"Day": "d", "Week": "w", "Hour": "h"}
_is_duration = re.compile(r"[1-9][0-9]{0,5}[mhdw]").fullmatch


class _LeftOutError(Exception):
    """An objective that our words cannot hold; the message says why, in one word."""


@dataclass(frozen=True)
class _Objective:
    slo: str
    service: str
    method: str
    target: str
    window_s: int
    slice_s: int | None = None
    slice_target: str | None = None


# -- cutting ---------------------------------------------------------------------------------------------------------------


def _cut(body: bytes) -> bytes:
    kept = [cut for document in read_yaml(body) if (cut := _cut_document(document)) is not None]
    if not kept:
        raise ForeignError("neither-openslo-nor-sloth")
    return dump_json(kept)


def _cut_document(document: Any) -> dict[str, Any] | None:
    version = pick_text(document, "apiVersion") or ""
    if version.startswith("openslo/"):
        return {"apiVersion": version, "kind": pick_text(document, "kind"), **_cut_openslo(document)}
    # The resource of its operator says the same under `spec`.
    told = pick(document, "spec") if version.startswith("sloth.slok.dev/") else document
    if told is not document or pick_text(document, "version") == "prometheus/v1":
        return {
            "sloth": {"service": pick_text(told, "service"), "slos": [_cut_sloth(one) for one in _list(told, "slos")]}
        }
    return None


def _cut_openslo(document: Any) -> dict[str, Any]:
    spec = pick(document, "spec")
    windows = _list(spec, "timeWindow") or _list(spec, "timeWindows")
    return {
        "name": pick_text(document, "metadata.name"),
        "service": pick_text(spec, "service"),
        "budgetingMethod": pick_text(spec, "budgetingMethod"),
        "windows": [
            _texts(window, "duration", "isRolling", "count", "unit") | {"calendar": pick(window, "calendar") is not None}
            for window in windows
        ],
        "objectives": [
            _texts(one, "displayName", "target", "targetPercent", "timeSliceTarget", "timeSliceWindow")
            for one in _list(spec, "objectives")
        ],
    }  # fmt: skip


def _cut_sloth(one: Any) -> dict[str, Any]:
    return _texts(one, "name", "objective") | {"events": pick(one, "sli.events") is not None}


def _texts(thing: Any, *names: str) -> dict[str, str]:
    return {name: said for name in names if (said := pick_text(thing, name)) is not None}


def _list(thing: Any, name: str) -> list[Any]:
    found = pick(thing, name)
    return found if isinstance(found, list) else []


# -- what it says ----------------------------------------------------------------------------------------------------------


def translate(beside: Headers, body: bytes) -> Translation:
    """Return the objectives of a file that the redactor left, each as it is promised from now on."""
    source = beside["source"]
    facts: list[Fact] = []
    left_out: list[str] = []
    named: set[str] = set()
    for number, document in enumerate(orjson.loads(body), 1):
        for said in _objectives(document, beside):
            if len(facts) + len(left_out) >= MAX_OBJECTIVES:
                return Unmapped("openslo", "too-many-objectives", source)
            if isinstance(said, str):
                left_out.append(f"{number}:{said}")
                continue
            try:
                facts.append(_fact(beside, said))
            except StatementError as error:
                left_out.append(f"{number}:field{error.place}")
                continue
            if said.slo in named:
                return Unmapped("openslo", "name-twice", source)
            named.add(said.slo)
    if not facts:
        return Unmapped("openslo", left_out[0] if left_out else "no-objective", source)
    return Mapped((facts[0].without(left_out), *facts[1:]))


def _fact(beside: Headers, said: _Objective) -> Fact:
    data = {
        "actor": beside["actor"],
        "slo_id": said.slo,
        "service": said.service,
        "environment": beside.get("environment"),
        "method": said.method,
        "target": said.target,
        "window_days": said.window_s // _DAY,
        "slice_s": said.slice_s,
        "slice_target": said.slice_target,
    }
    return fact(beside["source"], "slo.published", "", data, subject=said.slo)


def _objectives(document: dict[str, Any], beside: Headers) -> Iterator[_Objective | str]:
    """Yield what a document promises; of what our words cannot hold the reason."""
    told = _of_sloth(document["sloth"], beside) if "sloth" in document else _of_openslo(document)
    while True:
        try:
            yield next(told)
        except _LeftOutError as error:
            yield str(error)
            return
        except StopIteration:
            return


def _of_sloth(told: dict[str, Any], beside: Headers) -> Iterator[_Objective]:
    for one in told["slos"]:
        name, target = one.get("name"), decimal_of(one.get("objective"), scale=-2)
        if not told["service"] or not name or target is None:
            raise _LeftOutError("no-service-name-or-objective")
        if not one["events"]:
            raise _LeftOutError("ratio-computed-elsewhere")
        if (window := beside.get("window")) is None:
            raise _LeftOutError("window-not-said")
        # As Sloth itself calls it.
        yield _Objective(f"{told['service']}-{name}", told["service"], "occurrences", target, _days(window))


def _of_openslo(document: dict[str, Any]) -> Iterator[_Objective]:
    if document["kind"] != "SLO":
        return
    name, service = document["name"], document["service"]
    method = _METHODS.get(document["budgetingMethod"] or "")
    if not name or not service or method is None:
        raise _LeftOutError("no-name-service-or-method")
    window_s = _window(document["windows"])
    objectives = document["objectives"]
    shown = [one.get("displayName", "") for one in objectives]
    is_told_apart = all(shown) and len(set(shown)) == len(shown)
    for number, one in enumerate(objectives, 1):
        target = decimal_of(one.get("target")) or decimal_of(one.get("targetPercent"), scale=-2)
        if target is None:
            raise _LeftOutError("no-target")
        slices = method != "occurrences"
        yield _Objective(
            name if len(objectives) == 1 else f"{name}/{shown[number - 1] if is_told_apart else number}",
            service,
            method,
            target,
            window_s,
            _slice(one.get("timeSliceWindow")) if slices else None,
            decimal_of(one.get("timeSliceTarget")) if slices else None,
        )


def _window(windows: list[dict[str, Any]]) -> int:
    if len(windows) != 1:
        raise _LeftOutError("no-window-or-several")
    [window] = windows
    if window["calendar"] or window.get("isRolling") == "false":
        raise _LeftOutError("window-of-a-calendar")
    # v1alpha has the number and the unit apart.
    told = window.get("duration") or window.get("count", "") + _UNITS.get(window.get("unit", ""), "")
    return _days(told)


def _days(told: str) -> int:
    """Return a window of whole days, in seconds: how long a month or a quarter is, only a calendar says."""
    seconds = seconds_of(told) if _is_duration(told) else 0
    if not seconds or seconds % _DAY:
        raise _LeftOutError("window-not-in-days")
    return seconds


def _slice(told: str | None) -> int | None:
    """Return how long a slice is, in seconds; a number alone is in minutes."""
    if told is not None and told.isascii() and told.isdigit():
        told += "m"
    return seconds_of(told) if told is not None and _is_duration(told) else None


_SAID: Final = {"actor": "person:alice", "environment": "prod", "window": "30d"}
_OPENSLO: Final = """apiVersion: openslo/v1
kind: SLO
metadata:
  name: payments-availability
spec:
  service: payments-api
  description: hunter2
  indicator:
    metadata: {name: paid}
    spec:
      ratioMetric:
        good: {metricSource: {type: Prometheus, spec: {query: 'sum(rate(paid{token="hunter2"}[5m]))'}}}
  budgetingMethod: Occurrences
  timeWindow:
    - {duration: 4w, isRolling: true}
  objectives:
    - target: 0.999
"""
_SLOTH: Final = """version: prometheus/v1
service: payments-api
slos:
  - name: availability
    objective: 99.9
    sli:
      events: {error_query: 'errors{token="hunter2"}', total_query: all}
"""
_CALENDAR: Final = "{duration: 1M, isRolling: false, calendar: {startTime: 2026-01-01 00:00:00}}"

FORMAT: Final = Format(
    "openslo",
    "OpenSLO and Sloth",
    "Objectives as OpenSLO (v1, v1alpha) and Sloth have them: which share has to be good, over how many days.",
    translate,
    media_types=MEDIA_TYPES,
    asks=("actor", "environment", "window"),
    needs=("actor",),
    redactor=Redactor(1, _cut),
    samples=(
        Sample("an objective of OpenSLO", _OPENSLO, ("slo.published",), context=_SAID),
        Sample("an objective of Sloth", _SLOTH, ("slo.published",), context=_SAID),
        Sample(
            "an objective over a calendar's month",
            _OPENSLO.replace("{duration: 4w, isRolling: true}", _CALENDAR),
            (UNMAPPED,),
            context=_SAID,
        ),
    ),
)
