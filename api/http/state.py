"""What a request finds in the application that it came to: the ledger, who publishes, and the way of what is submitted."""

from typing import Annotated

from fastapi import Depends, Request

from api.desk.submitting import Submitting
from api.outbound.publishing import Publisher
from ledger.ledger import Ledger


def ledger_of(request: Request) -> Ledger:
    """Return the ledger that a request is about."""
    ledger: Ledger = request.app.state.ledger
    return ledger


def publisher_of(request: Request) -> Publisher:
    """Return what publishes checkpoints."""
    publisher: Publisher = request.app.state.publisher
    return publisher


def submitting_of(request: Request) -> Submitting:
    """Return the way of what is submitted."""
    submitting: Submitting = request.app.state.submitting
    return submitting


CurrentLedger = Annotated[Ledger, Depends(ledger_of)]
