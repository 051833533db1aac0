"""How views are looked after, whoever asks: some are folded anew, and one steps over the entry at which it stopped.

Not the folding: whichever process runs the views is asked for it.
"""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from api.desk.stewardship import By
from api.desk.views import view_named
from ledger.events.identifiers import Label, Position
from ledger.ledger import Ledger
from ledger.log.database import Database
from projections import VIEWS
from projections.engine.progress import ask_for_rebuild
from projections.engine.skips import step_over
from projections.engine.view import View


class SomeViews(BaseModel):
    """Some views, by their names."""

    model_config = ConfigDict(extra="forbid")

    views: list[Label] = Field(min_length=1, max_length=512)


class SkipRequest(BaseModel):
    """A view that stopped, the entry at which it did, and why it is to step over it."""

    model_config = ConfigDict(extra="forbid")

    view: Label
    position: Position
    reason: Label


def views_named(names: Iterable[str]) -> list[View[Any]]:
    """Return some views; all of them where none is named. Raises NotFoundError for a name that no view has."""
    return [view_named(name) for name in names] or list(VIEWS)


def rebuild_in(database: Database, wanted: SomeViews) -> dict[str, Any]:
    """Have views folded anew, with those that read them. Returns which these are."""
    names = [view.name for view in views_named(wanted.views)]
    return {"views": ask_for_rebuild(database, VIEWS, names)}


def skip_in(ledger: Ledger, by: By, wanted: SkipRequest) -> dict[str, Any]:
    """Have a view step over the entry at which it stopped. Returns the receipt, and which views are folded anew."""
    view = view_named(wanted.view)
    receipt, anew = step_over(ledger, VIEWS, view, wanted.position, **by._asdict(), reason=wanted.reason)
    return {"receipt": receipt.to_json(), "views": anew}
