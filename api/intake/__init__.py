"""Outside formats: one small pure translator each, bytes and headers in, statements out.

An outside body may have fields we do not know; its authenticated bytes are always kept, and what no translator
understands is recorded as `intake.unmapped`. `FORMATS` is the one list: to add a format, write its file and name its
`FORMAT` here.
"""

from typing import Final

from api.intake import (
    backstage,
    cdevents,
    codeowners,
    github,
    icalendar,
    intoto,
    junit,
    nunit,
    openslo,
    policy_results,
    prometheus,
    sarif,
    sbom,
    terraform,
    trx,
    xunit,
)
from api.intake.formats import Format
from ledger.errors import SetupError, StatementError, no_such

FORMATS: Final[tuple[Format, ...]] = (
    github.FORMAT,
    cdevents.FORMAT,
    junit.FORMAT,
    nunit.FORMAT,
    xunit.FORMAT,
    trx.FORMAT,
    sarif.FORMAT,
    sbom.FORMAT,
    terraform.FORMAT,
    openslo.FORMAT,
    prometheus.FORMAT,
    icalendar.FORMAT,
    backstage.FORMAT,
    codeowners.FORMAT,
    policy_results.FORMAT,
    intoto.FORMAT,
)

# By which sources may come in: our own events, and each format.
DOORS: Final = ("events", *(known.name for known in FORMATS))
# Those that nobody sends: somebody posts them.
FILES: Final = {known.name: known for known in FORMATS if known.is_file}
# The formats whose senders share a secret with us.
SIGNED: Final = {known.name: known for known in FORMATS if known.signature is not None}

if len(set(DOORS)) < len(DOORS):
    raise SetupError(f"two formats have one name: {', '.join(DOORS)}")


def check_door(door: str) -> None:
    """Raise StatementError unless there is such a door."""
    if door not in DOORS:
        raise StatementError(no_such("door", door, DOORS), "/door")
