"""Pages as they stood: of a ledger that went on, each shows as of a position what it showed when there was no more."""

import asyncio
import re
from collections import Counter
from pathlib import Path
from typing import Any

import httpx
import pytest
from browsing import read_page
from pages_in_process import Pages

from api.desk.owners import owners_of
from api.desk.views import list_of
from projections.judging.findings import findings

BEGUN = 700
# What says of which moment a page is, and what asks for another one.
_around = re.compile(
    r'<p class="standing">.*?</p>|<form class="facets".*?</form>|<div class="notice" role="status">.*?</div>'
    r"|<section><h2>What another version.*?</section>|<button type=.button. id=.hold..*?</button>",
    re.S,
)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> tuple[Pages, Pages]:
    """A ledger of a year, and another one that is its beginning."""
    whole, begun = (Pages(tmp_path_factory.mktemp("pages"), shared, first=first) for first in (None, BEGUN))
    return whole, begun


def asked(pages: Pages, paths: list[str], **then: Any) -> list[str]:
    async def ask() -> list[str]:
        async with pages.signed_in() as client:
            return [told(await client.get(path, params=then | dict(httpx.URL(path).params))) for path in paths]

    return asyncio.run(ask())


def told(answer: httpx.Response) -> str:
    assert answer.status_code == 200, answer.text[:500]
    if ".json" in str(answer.url):
        # Of all there ever were those that are open come first: which were open then, no order knows.
        return str(sorted(answer.json()["items"], key=lambda row: str(row.get("finding_id"))))
    main = answer.text[answer.text.index("<main") : answer.text.index("</main>")]
    assert "cannot be shown" not in main
    return " ".join(read_page(f"<div>{_around.sub('', main[main.index('>') + 1 :])}</div>").text.split())


PATHS = [
    "/console/findings.json?is_open=true&limit=1000",
    "/console/findings.json?is_open=true&severity=high&limit=1000",
    "/console/findings.json?limit=1000",
    "/console/delivery.json",
    "/console/delivery.json?service=service-1",
    "/console/delivery?service=service-1",
    "/console/risk",
    "/console/board",
]


def test_a_page_shows_as_of_a_position_what_it_showed_then(pages: tuple[Pages, Pages]) -> None:
    whole, begun = pages
    # Whoever looks came last.
    position = begun.ledger.size() - 1
    assert position < whole.ledger.size() - 500
    paths = [*PATHS, f"/console/findings.json?owner={busiest(begun)}&limit=1000"]
    then, now = asked(whole, paths, as_of=str(position)), asked(begun, paths)
    assert then == now
    assert all(len(text) > 100 for text in now), now
    # Of none it is what there is at the end.
    assert not set(asked(whole, paths)) & set(now)


def busiest(pages: Pages) -> str:
    """Return whose most findings are."""
    rows = list_of(pages.ledger, findings, {"is_open": "true"}, limit=1000).rows
    return Counter(owner.name for owner in owners_of(pages.ledger, rows).values()).most_common(1)[0][0]


def test_findings_come_the_worst_first_by_pages_each_once(pages: tuple[Pages, Pages]) -> None:
    whole, begun = pages

    async def listed(**then: Any) -> list[dict[str, Any]]:
        rows, more = [], {}
        async with whole.signed_in() as client:
            while True:
                page = (await client.get("/console/findings.json", params={"limit": "7"} | then | more)).json()
                rows += page["items"]
                if "next" not in page:
                    return rows
                more = {"after": page["next"]}

    for then in ({}, {"as_of": str(begun.ledger.size() - 1)}, {"owner": busiest(whole)}):
        rows = asyncio.run(listed(is_open="true", **then))
        ids = [row["finding_id"] for row in rows]
        assert len(set(ids)) == len(ids) > 7
        worst = [
            (("high", "medium", "low").index(row["severity"]), row["first_seen_at"], row["finding_id"]) for row in rows
        ]
        assert worst == sorted(worst)
        assert all(row["is_open"] for row in rows)


def test_what_a_finding_may_have_been_otherwise_is_not_asked_as_of_then(pages: tuple[Pages, Pages]) -> None:
    async def ask(**asked: str) -> httpx.Response:
        async with pages[0].signed_in() as client:
            return await client.get("/console/findings.json", params={"as_of": "100"} | asked)

    for name, asked in (("sort", "says"), ("known_then", "true"), ("total", "true")):
        answer = asyncio.run(ask(**{name: asked}))
        assert (answer.status_code, answer.json()["place"]) == (422, f"/{name}"), answer.text
