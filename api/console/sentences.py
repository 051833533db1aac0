"""Sentences as people read them: the same words, with times, digests, spans and names as the rest of a page has them, and codes of
duties explained.

    D-7 put sha256:0123456789abcdef… into prod at 2026-11-23T12:00:07Z, 76 hours late
    D-7 put 0123456789ab into prod at 23 Nov 2026, 12:00 UTC, 3 d 4 h late

The title of each part has what was written. A sentence is made of what producers wrote: all of it is text, and only what is recognised
whole becomes a time, a digest or a link. What a name is of, whoever shows the sentence says.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from itertools import islice
from typing import Any, Final

from markupsafe import Markup, escape

from api.console import words
from api.console.finding_ways import page_of_row
from api.desk.entries import refs_at
from ledger.events import kind_and_value
from ledger.ledger import Ledger
from projections.engine.filters import read_time
from projections.judging.findings import findings
from projections.rules.duties import explained

# A shorter name is a word of many sentences, and seldom the thing.
MIN_NAME: Final = 3
# Of the entries behind one row.
LOOKED_AT: Final = 8
_DIGEST: Final = r"(?:sha(?:1|256|384|512)(?::|%3A))?[0-9a-f]{40,128}(?![0-9A-Za-z])|[A-Za-z0-9+/]{43}="
_find_parts: Final = re.compile(
    r"(?P<time>\b[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?(?:Z|[+-][0-9]{2}:[0-9]{2})(?!\w|:\w))"
    rf"|(?P<digest>(?<![0-9A-Za-z+/])(?:{_DIGEST}))"
    r"|(?P<hours>(?<![\w.])[0-9]{1,7} hours?(?!\w))"
    # Whatever may be the name of something: without the dot that ends a sentence.
    r"|(?P<word>[\w](?:[\w./@:%#+~-]*[\w%])?)"
).finditer
_is_digest: Final = re.compile(_DIGEST).fullmatch
_is_principal: Final = re.compile(r"(?:person|service|github|oidc):[!-~]+").fullmatch


def sentence(text: str, names: Mapping[str, str] | None = None) -> Markup:
    """Return a sentence as HTML. `names` are words that name something, each with the page of it.

    >>> sentence("CHG-7 came 76 hours late", {"CHG-7": "/console/changes/CHG-7"})
    Markup('<a href="/console/changes/CHG-7">CHG-7</a> came <span title="76 hours">3 d 4 h</span> late')
    """
    known = names or {}
    text = explained(text)
    made, place = [], 0
    for match in _find_parts(text):
        said = match[0]
        page = known.get(said) or (words.about("identity", said) if _is_principal(said) else None)
        written = _WAYS[match.lastgroup or ""](said)
        if page is not None:
            written = Markup('<a href="{}">{}</a>').format(page, said if written is None else written)
        if written is not None:
            made += [escape(text[place : match.start()]), written]
            place = match.end()
    return Markup("").join([*made, escape(text[place:])])


def names_in(refs: Iterable[str]) -> dict[str, str]:
    """Return what refs name, each with its page: as `sentence` takes it."""
    return {value: words.about(kind, value) for kind, value in map(kind_and_value, refs) if len(value) >= MIN_NAME}


def names_of_findings(ledger: Ledger, rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return what findings speak of: the subject of each, and what the first entries that show it are about."""
    some = list(rows)
    refs = refs_at(ledger, (one for row in some for one in islice(row["positions"], LOOKED_AT)))
    return names_in(refs) | {
        row["subject"]: page_of_row(findings.rules[row["rule"]].subject, row["subject"])
        for row in some
        if row["rule"] in findings.rules
    }


def _word(said: str) -> Markup | None:
    before, at, digest = said.rpartition("@")
    return _digest(digest, before + at) if at and _is_digest(digest) else None


def _time(said: str) -> Markup | None:
    try:
        moment = read_time(said)
    except ValueError:
        # A day that is not in the calendar.
        return None
    return Markup('<time datetime="{}" title="{}">{} UTC</time>').format(moment, said, words.when(moment))


def _digest(said: str, before: str = "") -> Markup:
    return Markup('{}<code title="{}">{}</code>').format(before, said, words.short(said))


def _hours(said: str) -> Markup:
    return Markup('<span title="{}">{}</span>').format(said, words.span(int(said.partition(" ")[0]) * 3600))


_WAYS: Final[Mapping[str, Callable[[str], Markup | None]]] = {
    "time": _time,
    "digest": _digest,
    "hours": _hours,
    "word": _word,
}
