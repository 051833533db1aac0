"""Beside each page stand the same rows for programs, as JSON and as CSV: every such link that a page has leads to them."""

import asyncio
import csv
import json
import re
from html import unescape
from pathlib import Path

from pages_in_process import Pages

# Today is made of lists, each of which is a link away; of the others, one has nothing of the ledger, and others show what was asked for.
WITHOUT = ("/console/", "/console/verify", "/console/about", "/console/go")


def test_every_page_has_its_rows_beside_it(tmp_path: Path, shared: Path) -> None:
    pages = Pages(tmp_path, shared)
    told: dict[str, int] = {}

    async def looked_at() -> None:
        async with pages.signed_in() as client:
            for path in pages.paths():
                text = (await client.get(path)).text
                beside = re.findall(r'<p class="beside">(.*?)</p>', text, re.S)
                links = [unescape(link) for part in beside for link in re.findall('href="([^"]*)"', part)]
                for link in links:
                    answer = await client.get(link)
                    assert answer.status_code == 200, (path, link, answer.text[:300])
                    kind = answer.headers["content-type"].partition(";")[0]
                    if kind == "application/json":
                        assert json.loads(answer.text), (path, link)
                    elif kind == "text/csv":
                        lines = list(csv.reader(answer.text.splitlines()))
                        assert all(len(line) == len(lines[0]) for line in lines), (path, link)
                told[path] = sum(".json" in link for link in links)
            month = await client.get("/console/calendar.json?at=2026-07-15")
            assert {one["name"] for one in month.json()["items"]} > {"summer"}
            assert "summer" in (await client.get("/console/calendar.csv?at=2026-07-15")).text
            assert (await client.get("/console/calendar.json?at=x")).headers[
                "content-type"
            ] == "application/problem+json"

    asyncio.run(looked_at())
    assert [
        path for path, links in told.items() if not links and not path.startswith(WITHOUT[1:]) and path != WITHOUT[0]
    ] == []
