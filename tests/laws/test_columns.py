"""A rule is judged again when a column that it looks at changed: so it may look at no column that it does not name."""

from collections.abc import Collection, Iterator
from typing import Any

import pytest
from histories import histories
from hypothesis import HealthCheck, given, settings
from telling import retold
from year import Year, told

from projections.engine.derived import Rule
from projections.engine.view import View
from projections.judging.findings import findings


class Only:
    """A row of which only some columns may be looked at."""

    def __init__(self, row: Any, columns: Collection[str], rule: str) -> None:
        self.__dict__.update(_row=row, _columns=columns, _rule=rule)

    def __getattr__(self, name: str) -> Any:
        if name not in self._columns:
            raise AttributeError(f"{self._rule} looks at {name} of {type(self._row).__name__}, and does not say so")
        return getattr(self._row, name)


class Watched:
    """What a rule looks into: its own view and those that wake it, by the columns that it names."""

    def __init__(self, index: Any, rule: Rule) -> None:
        self._index = index
        self._rule = rule

    def only(self, view: View[Any], row: Any) -> Any:
        named: set[str] = set()
        if view is self._rule.subject:
            named |= self._rule.watched
        if view in self._rule.wakes:
            named |= {view.key, *self._rule.wakes[view].of}
        return Only(row, named, self._rule.name) if named and row is not None else row

    def row(self, view: View[Any], key: str) -> Any:
        return self.only(view, self._index.row(view, key))

    def named(self, view: View[Any], *more: Any, **some: Any) -> list[Any]:
        return [self.only(view, row) for row in self._index.named(view, *more, **some)]

    def find(self, view: View[Any], *more: Any) -> list[Any]:
        return [self.only(view, row) for row in self._index.find(view, *more)]


def _watched(rule: Rule, function: Any, view: View[Any]) -> Any:
    def restricted(row: Any, *between: Any) -> Any:
        *some, index = between
        watched = Watched(index, rule)
        found = function(watched.only(view, row), *some, watched)
        return list(found) if isinstance(found, Iterator) else found

    return restricted


@pytest.fixture(autouse=True)
def restricted(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let all rules see no more than they say that they look at."""
    kept = []
    for rule in findings.rules.values():
        kept.append((rule, rule.judge, rule.due_at))
        object.__setattr__(rule, "judge", _watched(rule, rule.judge, rule.subject))
        if rule.due_at is not None:
            object.__setattr__(rule, "due_at", _watched(rule, rule.due_at, rule.subject))
        for view, wake in rule.wakes.items():
            kept.append((wake, wake.subjects))
            object.__setattr__(wake, "subjects", _watched(rule, wake.subjects, view))
    yield
    for held, *functions in kept:
        for name, function in zip(
            ("judge", "due_at") if len(functions) == 2 else ("subjects",), functions, strict=True
        ):
            object.__setattr__(held, name, function)


def test_in_a_year_no_rule_looks_at_what_it_does_not_name() -> None:
    year = Year(services=20, changes=200, planted=2)
    story = told(year, 300)
    assert {findings.load(text).finding_id for text in story.store.texts(findings)} == year.expected


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(histories())
def test_in_no_history_does_a_rule_look_at_what_it_does_not_name(documents: list[dict[str, Any]]) -> None:
    story = retold(documents, batch=10)
    story.flush()
    assert not story.folder.failures
