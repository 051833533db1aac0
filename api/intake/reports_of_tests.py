"""What a report of tests in XML becomes, whichever dialect it is of: a shard of a run, and how each of its tests ended.

Not how a dialect says that: `junit`, `nunit`, `xunit`, `trx`. Of a document a dialect names the elements and attributes that it reads,
and the redactor keeps these alone; no text of an element is ever kept.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from xml.sax.saxutils import quoteattr

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser, ParseError

from api.intake.context import attempt_of, shard_of
from api.intake.formats import UNMAPPED, Format, Redactor, Sample
from api.intake.translation import Fact, ForeignError, Headers, Mapped, Translation, Unmapped, fact, in_parts
from ledger.clock import from_text, normalised
from ledger.errors import StatementError
from ledger.events.identifiers import identifier_of
from ledger.events.test import MAX_NAMES

XML: Final = "application/xml"
ASKS: Final = ("run", "attempt", "shard", "suite", "commit", "service", "environment", "coverage")
MAX_DEPTH: Final = 64
# The worst last.
ORDER: Final = ("passed", "skipped", "failed", "errored")
# What other reports of tests are called, by their first elements: who posts one at the wrong door is told which is theirs.
_DIALECTS: Final = {
    "testsuites": "junit", "testsuite": "junit", "test-run": "nunit", "assemblies": "xunit", "assembly": "xunit", "TestRun": "trx",
}  # fmt: skip
Begin = Callable[[str, Mapping[str, str]], None]
End = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Dialect:
    """How reports are written: what they begin with, and of each element that is read the attributes."""

    name: str
    roots: tuple[str, ...]
    kept: Mapping[str, tuple[str, ...]]

    def read(self, body: bytes, begin: Begin, end: End) -> None:
        """Read a report. Raises ForeignError for what is no XML, cut off, of another kind, or has a document type or entities."""
        parser = DefusedXMLParser(target=_Reader(self, begin, end), forbid_dtd=True)
        try:
            parser.feed(body)
            parser.close()
        except DefusedXmlException:
            raise ForeignError("document-type") from None
        except (ParseError, ValueError, LookupError) as error:
            raise error if isinstance(error, ForeignError) else ForeignError("not-xml") from None

    def cut(self, body: bytes) -> bytes:
        """Return what of a report is read, and nothing else."""
        kept = ['<?xml version="1.0" encoding="UTF-8"?>\n']

        def begin(name: str, attributes: Mapping[str, str]) -> None:
            shown = self.kept[name]
            said = "".join(f" {key}={quoteattr(value)}" for key, value in attributes.items() if key in shown)
            kept.append(f"<{name}{said}>")

        self.read(body, begin, lambda name: kept.append(f"</{name}>"))
        return "".join(kept).encode()


class _Reader:
    """Takes what a parser finds, and hands on elements that are known, with the names of those around them. Keeps no text."""

    def __init__(self, dialect: Dialect, begin: Begin, end: End) -> None:
        self._dialect, self._begin, self._end = dialect, begin, end
        self._depth = 0
        # Inside an element that is not known, from which depth on.
        self._unknown = 0

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._depth += 1
        name = tag.rpartition("}")[2]
        if self._depth == 1 and name not in self._dialect.roots:
            other = _DIALECTS.get(name)
            raise ForeignError(f"a-report-for-the-door-{other}" if other else f"not-{self._dialect.name}")
        if self._depth > MAX_DEPTH:
            raise ForeignError("too-deep")
        if not self._unknown and name not in self._dialect.kept:
            self._unknown = self._depth
        if not self._unknown:
            self._begin(name, attributes)

    def end(self, tag: str) -> None:
        if not self._unknown:
            self._end(tag.rpartition("}")[2])
        elif self._unknown == self._depth:
            self._unknown = 0
        self._depth -= 1

    def data(self, text: str) -> None:
        """Keep nothing: no text of a report says how a test ended."""

    def close(self) -> None:
        """Be done: the parser says whether the document was whole."""


@dataclass
class Case:
    """One test: the tries that are told of it, each as the worst that it says, and how often the file names it."""

    tries: list[str] = field(default_factory=list)
    told: int = 0

    @property
    def outcome(self) -> str:
        return "passed" if self.tries[-1] == "passed" else max(self.tries, key=ORDER.index)

    @property
    def is_flaky(self) -> bool:
        return "passed" in self.tries and bool({"failed", "errored"} & set(self.tries))


class Report:
    """What the elements of a report say together."""

    def __init__(self) -> None:
        self.cases: dict[str, Case] = {}
        self.duration_ms: int | None = None
        self.started_at: str | None = None

    def begin(self, name: str, attributes: Mapping[str, str]) -> None:
        """Take an element that begins. Raises ForeignError for what says something that nobody knows."""
        raise NotImplementedError

    def end(self, name: str) -> None:
        """Take that an element ends."""

    def case(self, owner: str, name: str) -> Case:
        """Return a test, by what it belongs to and its name."""
        return self.cases.setdefault(identifier_of(f"{owner}::{name}"), Case())

    def tell(self, owner: str, name: str, outcome: str) -> None:
        """Take that a test was tried once, and how that ended."""
        case = self.case(owner, name)
        case.tries.append(outcome)
        case.told += 1

    def note_start(self, text: str) -> None:
        try:
            from_text(text)
        except ValueError:
            # Without a zone, or no time at all: nobody knows when.
            return
        began = normalised(text)
        self.started_at = began if self.started_at is None else min(self.started_at, began)

    def add_time(self, text: str) -> None:
        """Add what a test took, in seconds. Some write thousands with a comma; a negative time does not count."""
        found = re.fullmatch(r"(\d{1,9})(?:\.(\d{1,18}))?", text.strip().replace(",", ""))
        if found is not None:
            took = int(found[1]) * 1000 + int(((found[2] or "") + "000")[:3])
            self.duration_ms = (self.duration_ms or 0) + took


def report_format(
    dialect: Dialect, report: Callable[[], Report], title: str, about: str, sample: str, said: Mapping[str, str]
) -> Format:
    """Return the format of a dialect: one file is one `report`. `sample` is a file as its tools write it, posted with what is `said`."""

    def translate(beside: Headers, body: bytes) -> Translation:
        return translated(beside, body, dialect, report())

    return Format(
        dialect.name,
        title,
        about,
        translate,
        media_types=(XML, "text/xml"),
        asks=ASKS,
        needs=("run",),
        redactor=Redactor(1, dialect.cut),
        kept_as=lambda _: XML,
        samples=(
            Sample("a report", sample, ("test.shard_finished",), context=said),
            Sample("a report that is cut off", sample[:300], (UNMAPPED,), context=said),
        ),
    )


def translated(beside: Headers, body: bytes, dialect: Dialect, report: Report) -> Translation:
    """Return the shard of a report that the redactor left, and its tests, in parts where they are many."""
    source = beside["source"]
    try:
        dialect.read(body, report.begin, report.end)
    except ForeignError as error:
        return Unmapped(dialect.name, str(error), source)
    names = sorted(report.cases)
    parts = in_parts([_named(name, report.cases[name]) for name in names], MAX_NAMES)
    if parts is None:
        return Unmapped(dialect.name, "too-many-tests", source)
    try:
        return Mapped(tuple(_facts(beside, report, parts)))
    except StatementError as error:
        return Unmapped(dialect.name, f"field{error.place}", source)


def _facts(beside: Headers, report: Report, parts: list[list[dict[str, str]]]) -> Iterable[Fact]:
    outcomes = {case.outcome for case in report.cases.values()}
    has_run = bool(outcomes - {"skipped"})
    shard, shards = shard_of(beside)
    about = {"report": beside["identity"], "run_id": beside["run"]}
    is_whole = len(parts) < 2
    summary = about | {
        "attempt": attempt_of(beside),
        "shard": shard,
        "shards": shards,
        **{name: beside.get(name) for name in ("suite", "service", "environment", "commit")},
        "outcome": "failed" if outcomes & {"failed", "errored"} else "passed" if has_run else "nothing_ran",
        "tests": len(report.cases),
        "parts": 0 if is_whole else len(parts),
        "started_at": report.started_at,
        "duration_ms": report.duration_ms,
        "coverage": beside.get("coverage"),
    }
    source = beside["source"]
    yield fact(source, "test.shard_finished", "", summary | (by_outcome(parts[0]) if is_whole and parts else {}))
    for number, part in enumerate(() if is_whole else parts, 1):
        yield fact(source, "test.cases_reported", "", about | {"part": number, "parts": len(parts)} | by_outcome(part))


def _named(name: str, case: Case) -> dict[str, str]:
    marks = {"flaky": name} if case.is_flaky else {}
    return {case.outcome: name} | marks | ({"repeated": name} if case.told > 1 else {})


def by_outcome(part: list[dict[str, str]]) -> dict[str, Any]:
    """Return the tests of a part by outcome, as events have them."""
    lists: dict[str, list[str]] = {}
    for case in part:
        for what, name in case.items():
            lists.setdefault(what, []).append(name)
    return {what: tuple(names) for what, names in lists.items()}
