"""For all views: live is rebuilt in whatever batches, and a row is had as it stood at every position."""

from typing import Any

import pytest
from histories import histories, instants
from hypothesis import given, settings
from hypothesis import strategies as st
from telling import retold

from projections import VIEWS
from projections.engine import rows_now, tables


def test_no_view_is_called_as_a_table_that_keeps_all_of_them() -> None:
    assert {tables.table_of(view).name for view in VIEWS}.isdisjoint(tables.metadata.tables)


@settings(max_examples=15)
@given(histories(), st.integers(2, 30))
def test_any_batch_size_gives_the_same_rows_and_every_row_is_its_own_past(
    told: list[dict[str, Any]], batch: int
) -> None:
    live, rebuilt = retold(told, batch=1), retold(told, batch=batch)
    assert not live.folder.failures
    assert live.digests() == rebuilt.digests()
    for view in VIEWS:
        for text in live.store.texts(view):
            row = view.load(text)
            assert live.row_as_of(view, getattr(row, view.key), len(told)) == row


@settings(max_examples=15)
@given(histories(), st.integers(1, 5), st.integers(0, 4))
def test_what_is_kept_between_batches_makes_no_difference(told: list[dict[str, Any]], batch: int, kept: int) -> None:
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(rows_now, "MAX_CACHED", kept)
        patched.setattr(rows_now, "MAX_BEGUN", kept)
        forgetful = retold(told, batch=batch)
    assert forgetful.digests() == retold(told, batch=batch).digests()


@settings(max_examples=10)
@given(histories(), st.data())
def test_a_row_as_of_a_position_is_what_stood_there_then(told: list[dict[str, Any]], data: st.DataObject) -> None:
    live = retold(told, batch=1)
    for position in data.draw(st.lists(st.sampled_from(instants(told)), max_size=5, unique=True)) if told else []:
        then = retold(told[:position], batch=1)
        for view in VIEWS:
            for text in then.store.texts(view):
                row = view.load(text)
                assert live.row_as_of(view, getattr(row, view.key), position) == row
