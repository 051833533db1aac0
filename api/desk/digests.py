"""Digests of contents, as the ledger computes them: of what statements say, before anybody has recorded them.

Not of anything that is recorded: a scope that leaves something out is as its change was opened, so the opening has to be among them.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from ledger.errors import StatementError
from ledger.events import CATALOGUE
from ledger.events.change import ChangeOpened, ChangeScopeAmended, ChangeSubmitted
from ledger.events.policy import PolicyPublished
from ledger.events.risk import RiskModelPublished, RiskModelRecalibrated
from ledger.events.template import TemplatePublished
from projections.engine.view import EntryInfo, View
from projections.readings.changes.scopes import ChangeScope, change_scopes
from projections.readings.changes.templates import templates
from projections.readings.people.policies import policies
from projections.readings.risk.models import risk_models


def _of_scope(row: ChangeScope) -> str | None:
    """Return the digest of the last wording; none where so much was said of the change that it does not count."""
    return row.versions[-1].digest if row.versions and row.uncounted_from is None else None


# By the type of a statement that says a content, or a part of one: the view that holds it, and its digest in a row.
CONTENTS: Final[Mapping[str, tuple[View[Any], Callable[[Any], str | None]]]] = {
    ChangeOpened.type: (change_scopes, _of_scope),
    ChangeSubmitted.type: (change_scopes, _of_scope),
    ChangeScopeAmended.type: (change_scopes, _of_scope),
    PolicyPublished.type: (policies, lambda row: row.versions[-1].digest),
    RiskModelPublished.type: (risk_models, lambda row: row.digest),
    RiskModelRecalibrated.type: (risk_models, lambda row: row.digest),
    TemplatePublished.type: (templates, lambda row: row.texts[-1].digest),
}


def digests_of(statements: Iterable[Any]) -> Iterator[tuple[str, str, str]]:
    """Yield the type, the key and the digest of each content that statements say, in their order.

    Raises StatementError for one that says no content, and for what is no statement.
    """
    rows: dict[tuple[str, str], Any] = {}
    for position, statement in enumerate(statements, 1):
        if not isinstance(statement, Mapping):
            raise StatementError(f"expected a statement as an object, found {str(statement)[:80]!r}", "")
        named = str(statement.get("type"))
        if named not in CONTENTS:
            raise StatementError(f"expected one of {', '.join(CONTENTS)}; found {named!r}"[:400], "/type")
        view, digest_of = CONTENTS[named]
        entry = _as_entry(statement, position)
        fold = view.folds[named]
        for key in fold.keys(entry.event, entry):
            row = rows.get((view.name, key), view.new(key))
            rows[view.name, key] = row = fold.apply(row, entry.event, entry)
            if (digest := digest_of(row)) is not None:
                yield named, key, digest


def _as_entry(statement: Mapping[str, Any], position: int) -> EntryInfo:
    """Return a statement as a fold is told of it: whatever is written freely is no part of a content."""
    said = statement.get("data")
    data = dict(said) if isinstance(said, dict) else {}
    for name in CATALOGUE[statement["type"]].erasable_fields:
        if name in data:
            data[name] = {"sha256": "0" * 64}
    CATALOGUE.validate(statement["type"], data)
    # When it was said is no part of a content, and may be whatever its writer put there.
    time = "1970-01-01T00:00:00Z"
    by = {"principal": "service:nobody", "credential": "-", "trust": "asserted"}
    told = {"type": statement["type"], "source": str(statement.get("source", "")), "time": time, "data": data}
    return EntryInfo({"position": position, "recorded_at": time, "recorded_by": by, "refs": {}, "statement": told})
