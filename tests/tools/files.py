"""Files of outside formats: what each becomes, and how it goes wrong by chance."""

import random
from collections.abc import Iterator, Mapping

from api.intake.formats import Format
from api.intake.translation import Fact, Mapped


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
