"""Delivery on a page: a figure that was restated says so above its bar and in words, and every deployment stands at its day."""

import asyncio
import re
from pathlib import Path

from browsing import read_page
from pages_in_process import Pages

from api.console.routes.delivered import _charts, _moved, _strip
from api.desk.views import list_of
from projections.readings.delivery.metrics import delivery

FIGURES = ("deployments=9", "lead_time_s=7200", "recovery_time_s=None", "rework_rate=0")
RESTATED = {
    "position": 70,
    "at": "2026-08-03T10:00:00.000000Z",
    "before": ("change_failure_rate=0", *FIGURES),
    "after": ("change_failure_rate=0.111111111111", *FIGURES),
    "why": "late incident",
}
ITEM = {"deployment_id": "d-1", "is_failed": True, "is_unplanned": False, "seen_at": "2026-07-16T12:00:00.000000Z"}
ROW = {
    "key": "api/2026-07",
    "month": "2026-07",
    "deployments": 9,
    "failed": 1,
    "change_failure_rate": "0.111111111111",
    "lead_time_s": 7200,
    "lead_time_p90_s": 90_000,
    "recovery_time_s": None,
    "recovery_time_p90_s": None,
    "rework_rate": "0",
    "restatements": [RESTATED],
    "items": [ITEM, ITEM | {"deployment_id": "d-2", "is_failed": False, "seen_at": ""}],
}


def test_what_moved_a_figure_stands_above_its_bar_and_above_no_other() -> None:
    [moved] = _moved(RESTATED)
    assert (moved[0].name, *moved[1:]) == ("Change failure rate", "0 %", "11.1 %")
    for name, _, drawn in _charts([ROW], ""):
        noted = [tag["aria-label"] for tag in dict_tags(str(drawn)) if tag["href"] == "/console/entries/70"]
        said = "2026-07 was restated, 0 % before and 11.1 % after: late incident, 3 Aug 2026, 10:00"
        assert noted == ([said] if name == "Change failure rate" else []), name
    lead = next(str(drawn) for name, _, drawn in _charts([ROW], "") if name == "Lead time")
    assert "2026-07: 2 h, ninetieth percentile 1 d 1 h" in lead


def test_every_deployment_stands_at_its_day() -> None:
    drawn = str(_strip([ROW], ""))
    assert [tag["aria-label"] for tag in dict_tags(drawn)] == ["2026-07", "d-1, 16 Jul 2026, 12:00, failed"]
    assert "/console/views/deployments/d-1" in drawn


def dict_tags(text: str) -> list[dict[str, str | None]]:
    return [attributes for tag, attributes in read_page(text).tags if tag == "a"]


def test_the_page_of_a_service_leads_to_its_deployments(tmp_path: Path, shared: Path) -> None:
    pages = Pages(tmp_path, shared)

    async def looked_at() -> str:
        async with pages.signed_in() as client:
            return (await client.get("/console/delivery?service=service-1")).text

    text = asyncio.run(looked_at())
    rows = list_of(pages.ledger, delivery, {"service": "service-1"}).rows
    led = set(re.findall('<a href="/console/views/deployments/([^"]*)" aria-label', text))
    assert led == {item["deployment_id"] for row in rows for item in row["items"]}
    assert led
