"""A row that cannot be shown hides no other, on whichever page: each list of what each page is given has one row broken."""

import asyncio
import dataclasses
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import read_page
from pages_in_process import Pages

from api.console.columns import Column, Facet
from api.console.pages import Visit
from api.console.routes.planned import KINDS
from api.console.templating import rendered
from projections.engine.serving import Page

# Pages that list no rows: of one entry, of what was looked for, and of the verifier.
WITHOUT_ROWS = {"entry.html", "go.html", "verify.html"}
# What every page has from the server itself.
AROUND = ("visit", "position", "live", "nonce", "form_token", "view", "columns", "facets", "rules")
PAGE = "This page cannot be shown here"
# What a row is found by, in its own page and as JSON.
NAMES = ("_id", "key", "name", "position", "place")


class Broken:
    """What no template foresaw: it is no text, no number and no list."""

    def __str__(self) -> str:
        raise TypeError("a value that cannot be shown")

    __repr__ = __html__ = __str__


BROKEN = Broken()


def broken(row: Any) -> Any:
    """Return a row of whose values only its names, by which it is found, can be shown."""
    if isinstance(row, dict):
        return {key: held if isinstance(held, bool) or key.endswith(NAMES) else BROKEN for key, held in row.items()}
    if dataclasses.is_dataclass(row) and not isinstance(row, type):
        some = {
            field.name: BROKEN for field in dataclasses.fields(row) if field.name not in ("name", "kind", "clashes")
        }
        return dataclasses.replace(row, **some)
    return None


def with_a_broken_row(shown: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Yield what a page is shown, with the first row of one of its lists broken, for each list; and where that is."""
    if isinstance(shown, Page):
        yield from (
            (where, dataclasses.replace(shown, rows=rows)) for where, rows in with_a_broken_row(shown.rows, way)
        )
    inside = shown.items() if isinstance(shown, dict) else enumerate(shown) if isinstance(shown, (list, tuple)) else ()
    for key, held in inside:
        here = (*way, key)
        if isinstance(shown, (list, tuple)) and key == 0 and (bad := broken(held)) is not None:
            yield here, type(shown)([bad, *shown[1:]])
        # What a list may be asked by is no row of it.
        if len(here) < 5 and isinstance(held, (dict, list, tuple, Page)) and key not in ("facets", "columns"):
            for where, changed in with_a_broken_row(held, here):
                if isinstance(shown, dict):
                    yield where, shown | {key: changed}
                elif type(shown) in (list, tuple):
                    yield where, type(shown)([*shown[:key], changed, *shown[key + 1 :]])


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> dict[str, tuple[str, dict[str, Any]]]:
    """What each page is given, by its path."""
    pages, given = Pages(tmp_path_factory.mktemp("pages"), shared), {}

    async def looked_at() -> None:
        async with pages.signed_in() as client:
            for path in pages.paths():
                with pytest.MonkeyPatch.context() as patched:

                    def kept(template: str, path: str = path, **shown: Any) -> str:
                        given[path] = (template, shown)
                        return rendered(template, **shown)

                    patched.setattr("api.console.pages.rendered", kept)
                    assert (await client.get(path)).status_code == 200, path

    asyncio.run(looked_at())
    return given


def test_a_row_that_cannot_be_shown_hides_no_other_on_any_page(shown: dict[str, tuple[str, dict[str, Any]]]) -> None:
    hidden, tried = [], set()
    for path, (template, given) in shown.items():
        for where, changed in with_a_broken_row(given):
            text = rendered(template, **changed)
            read_page(text)
            if PAGE in text:
                hidden.append((path, where))
            elif "cannot be shown" in text:
                tried.add((template, where[0]))
    assert hidden == []
    assert {template for template, _ in tried} == {template for template, _ in shown.values()} - WITHOUT_ROWS


def test_a_page_that_cannot_be_shown_says_so_and_still_says_how_far_it_reaches(
    shown: dict[str, tuple[str, dict[str, Any]]],
) -> None:
    template, given = shown["/console/gates"]
    text = rendered(template, **given | {"gates": BROKEN})
    assert PAGE in text
    assert "As of position" in read_page(text).text


HOSTILE = (
    "<script>alert(1)</script>\"'><img src=x onerror=alert(1)> \u202egnp.exe {{7*7}} ../%2e data:text/html,x \u200b"
    + "x" * 200
)

# No two rows are called the same.
NUMBERS = itertools.count()
is_number_or_time = re.compile("[0-9.:TZ-]+").fullmatch


def hostile(shown: Any, depth: int = 0) -> Any:
    """Return what a page is shown, with every text that somebody wrote as somebody who means harm writes it."""
    if isinstance(shown, str):
        is_free = depth > 1 and not shown.startswith("/console") and shown not in KINDS and not is_number_or_time(shown)
        return f"{HOSTILE}{next(NUMBERS)}" if is_free else shown
    if isinstance(shown, dict):
        return {key: hostile(held, depth + 1) for key, held in shown.items()}
    if type(shown) in (list, tuple):
        return type(shown)(hostile(held, depth + 1) for held in shown)
    if isinstance(shown, Page):
        return dataclasses.replace(shown, rows=hostile(shown.rows, depth + 1))
    if dataclasses.is_dataclass(shown) and not isinstance(shown, (type, Visit, Column, Facet)):
        try:
            return dataclasses.replace(
                shown,
                **{field.name: hostile(getattr(shown, field.name), depth + 1) for field in dataclasses.fields(shown)},
            )
        except TypeError:
            return shown
    return shown


def test_hostile_text_in_every_field_of_every_page_is_text(shown: dict[str, tuple[str, dict[str, Any]]]) -> None:
    silent = []
    for path, (template, given) in shown.items():
        read = read_page(
            rendered(template, **hostile(given, 0) | {name: given[name] for name in AROUND if name in given})
        )
        assert not any(tag == "img" or "onerror" in attributes for tag, attributes in read.tags), path
        if "onerror=alert(1)" not in read.text and "Nothing is planned" not in read.text:
            silent.append(path)
    # Pages that show what was asked for, or nothing of the ledger.
    assert {
        path
        for path in silent
        if not path.startswith(("/console/verify", "/console/go", "/console/findings?is_open=true&owner="))
    } == set()
