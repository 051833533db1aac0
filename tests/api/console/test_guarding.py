"""A row that cannot be shown hides no other, on whichever page: each list of what each page is given has one row broken."""

import asyncio
import dataclasses
from collections.abc import Iterator
from typing import Any

import pytest
from browsing import read_page
from pages_in_process import Pages

from api.console.templating import rendered
from projections.engine.serving import Page

# Pages that list no rows: of one entry, of what was looked for, and of the verifier.
WITHOUT_ROWS = {"entry.html", "go.html", "verify.html"}
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
def shown(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, dict[str, Any]]]:
    """What each page is given, by its path."""
    pages, given = Pages(tmp_path_factory.mktemp("pages"), 40, planted=1), {}

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
