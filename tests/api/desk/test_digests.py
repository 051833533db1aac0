"""Digests of contents: what is computed beforehand is what the ledger computes of the same statements."""

from typing import Any

import pytest
from telling import Story, at

from api.desk.digests import CONTENTS, digests_of
from ledger.errors import StatementError
from ledger.events import CATALOGUE, example
from projections.readings.changes.scopes import MOST

SALTED = {"sha256": "0" * 64}


def whole(event_type: str, **more: Any) -> dict[str, Any]:
    return {
        name: SALTED if name in CATALOGUE[event_type].erasable_fields else value
        for name, value in (example(CATALOGUE[event_type]) | more).items()
    }


def test_the_digest_of_a_content_is_the_one_that_the_ledger_computes() -> None:
    told = {name: whole(name) for name in CONTENTS}
    for name in ("change.opened", "change.submitted", "change.scope_amended"):
        told[name]["change_id"] = "CHG-7"
    story = Story()
    for name, data in told.items():
        story.tell(name, time=at(1), **data)
    story.flush()
    said = [{"type": name, "time": at(1), "source": "test", "data": data} for name, data in told.items()]
    found = list(digests_of(said))
    assert {name for name, _, _ in found} == CONTENTS.keys() - {"change.opened"}
    last = {(CONTENTS[name][0], key): digest for name, key, digest in found}
    for (view, key), digest in last.items():
        of = next(of for held, of in CONTENTS.values() if held is view)
        assert of(story.row(view, key)) == digest, view.name


def test_words_that_are_written_freely_are_none_of_it_and_what_says_no_content_is_refused() -> None:
    plain = whole("change.opened") | {"title": "Faster payments"}
    scope = {"type": "change.submitted", "data": whole("change.submitted", change_id=plain["change_id"])}
    ((_, _, digest),) = digests_of([{"type": "change.opened", "data": plain}, scope])
    ((_, _, same),) = digests_of([{"type": "change.opened", "data": plain | {"title": "Slower"}}, scope])
    assert digest == same
    with pytest.raises(StatementError, match=r"expected one of change\.opened"):
        list(digests_of([{"type": "freeze.lifted", "data": {}}]))


@pytest.mark.parametrize("other", [0, None, "change.opened", [], {"type": ["change.opened"]}, {}])
def test_what_is_no_statement_is_refused_in_words(other: Any) -> None:
    with pytest.raises(StatementError, match="expected"):
        list(digests_of([other]))


@pytest.mark.parametrize("time", [0, None, [], "yesterday", "9999-12-31T23:59:59-14:00"])
def test_a_content_has_its_digest_whatever_its_writer_says_of_the_time(time: Any) -> None:
    scope = {"type": "change.submitted", "data": whole("change.submitted")}
    assert list(digests_of([scope | {"time": time}])) == list(digests_of([scope]))


def test_a_wording_that_comes_after_all_that_count_has_no_digest() -> None:
    scope = {"type": "change.submitted", "data": whole("change.submitted")}
    assert len(list(digests_of([scope] * (MOST + 2)))) == MOST
