"""The console: what people look at. Pages over what the desk answers, and no question of its own to the database."""

from typing import Final

from api.console.routes import (
    access,
    asked,
    board,
    changes,
    delivered,
    elsewhere,
    entrance,
    entries,
    found,
    live,
    planned,
    risks,
    running,
    the_ledger,
    today,
    verifying,
    views,
)

# The last one answers whatever no other does.
MODULES: Final = (
    entrance,
    live,
    today,
    changes,
    found,
    planned,
    risks,
    running,
    access,
    board,
    delivered,
    asked,
    the_ledger,
    verifying,
    views,
    entries,
    elsewhere,
)
