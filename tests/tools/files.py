"""Files of outside formats: what each becomes, and how it goes wrong by chance or on purpose."""

import copy
import json
import random
from collections.abc import Iterator, Mapping
from typing import Any, Final

from api.intake.formats import Format
from api.intake.translation import Fact, ForeignError, Mapped, Unmapped
from ledger.errors import StatementError

# What a sender may put in the place of anything.
ODD: Final[tuple[Any, ...]] = (
    10**30, -(10**30), 2**63, -1, 1.5, float("inf"), True, False, None, "", " ", "\x00", "\ud800", "a\ud800b\x1b[31m\u202e",
    "\u00b2", "x" * 70_000, "1e999999999", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:60-23:59", "http://[::1", "//a:b@[",
    [], {}, [[]], [{}], [None], ["x"], {"a": 1}, json.loads("[" * 300 + "]" * 300),
)  # fmt: skip


def facts_of(known: Format, body: str | bytes, said: Mapping[str, str]) -> tuple[Fact, ...]:
    """Return the facts of a file, of what its redactor leaves."""
    raw = body.encode() if isinstance(body, str) else body
    assert known.redactor is not None
    translated = known.translate(known.context(said).beside(raw), known.redactor.cut(raw))
    assert isinstance(translated, Mapped), translated
    return translated.facts


def mutations(body: bytes, count: int) -> Iterator[bytes]:
    """Yield a body with a few of its bytes replaced, left out or put in elsewhere; the same ones each time."""
    rng = random.Random("mutations")
    for _ in range(count):
        changed = bytearray(body)
        for _ in range(rng.randint(1, 4)):
            begin = rng.randrange(len(changed) + 1)
            end = min(len(changed), begin + rng.choice((0, 1, 1, 8, 40)))
            source = rng.randrange(len(body))
            put = rng.choice((b"", rng.randbytes(rng.randint(1, 3)), body[source : source + rng.randint(1, 30)]))
            changed[begin:end] = put
        yield bytes(changed)


def odd_documents(document: Any) -> Iterator[Any]:
    """Yield a document with one of its parts after another left out, or with each odd thing in its place."""
    for path in _paths(document):
        changed = copy.deepcopy(document)
        inside = changed
        for name in path[:-1]:
            inside = inside[name]
        for odd in ODD:
            inside[path[-1]] = odd
            yield changed
        del inside[path[-1]]
        yield changed


def _paths(document: Any) -> Iterator[tuple[Any, ...]]:
    parts = (
        document.items() if isinstance(document, dict) else enumerate(document) if isinstance(document, list) else ()
    )
    for name, part in parts:
        yield (name,)
        yield from ((name, *path) for path in _paths(part))


def is_taken(known: Format, body: bytes, beside: Mapping[str, str]) -> bool:
    """Say whether a body is translated, whatever it then means: what cannot be read, or held, may be refused, and nothing else.

    `beside` are its headers, or what is said of a file.
    """
    try:
        said, kept = dict(beside), body
        if known.is_file:
            assert known.redactor is not None
            said, kept = known.context(beside).beside(body), known.redactor.cut(body)
        translated = known.translate(said, kept)
    except (ForeignError, StatementError):
        return False
    assert not isinstance(translated, Mapped) or all(isinstance(fact, Fact) for fact in translated.facts)
    return not isinstance(translated, Unmapped)
