"""JUnit XML, as all runners of tests write it and each in its own way: which tests ran in a shard, and how each ended.

There is no standard. What counts is the children of test cases: attributes that count are often wrong, and are not read. A case that is
told twice, or that says of itself that it failed before, was tried again: it ended as the last try did if that passed, else as the
worst of them, and is *flaky* where tries differ. No case at all is no pass. Times without a zone say nothing.

The redactor keeps the tree of suites and cases, their names and times, and which kinds of outcome each case has. What tests printed,
properties (the environment, mostly), and messages and traces of failures are cut: any of them may hold a secret.
"""

import hashlib
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
MAX_DEPTH: Final = 64
# Of a path of suites, in characters.
MAX_PATH: Final = 300
# Elements of a case -> what each says of one try of it. Whatever else stands there says nothing of how it ended.
_OUTCOMES: Final[Mapping[str, tuple[str, ...]]] = {
    "error": ("errored",),
    "failure": ("failed",),
    "skipped": ("skipped",),
    # Failed, and passed when it was tried again.
    "flakyFailure": ("failed", "passed"),
    "flakyError": ("errored", "passed"),
    # Failed when it was tried again.
    "rerunFailure": ("failed",),
    "rerunError": ("errored",),
}
# What attributes `status` and `result` say, of tools that write no element.
_STATUSES: Final = {
    **dict.fromkeys(("failed", "fail", "failure"), "failed"),
    **dict.fromkeys(("error", "errored"), "errored"),
    **dict.fromkeys(("disabled", "skipped", "ignored", "notrun", "suppressed", "pending"), "skipped"),
}
# The worst last.
_ORDER: Final = ("passed", "skipped", "failed", "errored")
_KEPT: Final = ("testsuites", "testsuite", "testcase", *_OUTCOMES)
# Attributes that say what something is, and hold nothing that a test wrote.
_ATTRIBUTES: Final = (
    "name", "classname", "time", "timestamp", "status", "result", "tests", "failures", "errors", "skipped", "disabled", "id", "package",
)  # fmt: skip


@dataclass
class _Case:
    """One test: the tries that are told of it, each as the worst that it says, and how often the file names it."""

    tries: list[str] = field(default_factory=list)
    told: int = 0

    @property
    def outcome(self) -> str:
        return "passed" if self.tries[-1] == "passed" else max(self.tries, key=_ORDER.index)

    @property
    def is_flaky(self) -> bool:
        return "passed" in self.tries and bool({"failed", "errored"} & set(self.tries))


# -- reading ---------------------------------------------------------------------------------------------------------------


class _Reader:
    """Takes what a parser finds, and hands on elements that are known, with the names of those around them. Keeps no text."""

    def __init__(self, begin: Callable[[str, Mapping[str, str]], None], end: Callable[[str], None]) -> None:
        self._begin, self._end = begin, end
        self._depth = 0
        # Inside an element that is not known, from which depth on.
        self._unknown = 0

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        self._depth += 1
        name = tag.rpartition("}")[2]
        if self._depth == 1 and name not in ("testsuites", "testsuite"):
            raise ForeignError("not-junit")
        if self._depth > MAX_DEPTH:
            raise ForeignError("too-deep")
        if not self._unknown and name not in _KEPT:
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


def _read(body: bytes, begin: Callable[[str, Mapping[str, str]], None], end: Callable[[str], None]) -> None:
    """Read a report. Raises ForeignError for what is no XML, is cut off, declares entities or a document type, or is of another kind."""
    parser = DefusedXMLParser(target=_Reader(begin, end), forbid_dtd=True)
    try:
        parser.feed(body)
        parser.close()
    except DefusedXmlException:
        raise ForeignError("document-type") from None
    except (ParseError, ValueError, LookupError) as error:
        raise error if isinstance(error, ForeignError) else ForeignError("not-xml") from None


def _cut(body: bytes) -> bytes:
    kept = ['<?xml version="1.0" encoding="UTF-8"?>\n']

    def begin(name: str, attributes: Mapping[str, str]) -> None:
        shown = attributes.items() if name not in _OUTCOMES else ()
        said = "".join(f" {key}={quoteattr(value)}" for key, value in shown if key in _ATTRIBUTES)
        kept.append(f"<{name}{said}>")

    _read(body, begin, lambda name: kept.append(f"</{name}>"))
    return "".join(kept).encode()


# -- what it says ----------------------------------------------------------------------------------------------------------


class _Report:
    """What the elements of a report say together."""

    def __init__(self) -> None:
        self.cases: dict[str, _Case] = {}
        self.duration_ms: int | None = None
        self.started_at: str | None = None
        # Of the suites around, the whole path of each: what a case pays for it is bounded.
        self._suites: list[str] = []
        # Cases that are open, with the tries that are told of each: some tools put one into another.
        self._open: list[tuple[_Case, list[str]]] = []

    def begin(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "testsuite":
            self._suites.append(_short("/".join(filter(None, (*self._suites[-1:], attributes.get("name", ""))))))
            self._note_start(attributes.get("timestamp", ""))
        elif name == "testcase":
            owner = attributes.get("classname") or "".join(self._suites[-1:])
            named = identifier_of(f"{owner}::{attributes.get('name', '')}")
            tries = [said for name in ("status", "result") if (said := _STATUSES.get(attributes.get(name, "").lower()))]
            self._open.append((self.cases.setdefault(named, _Case()), tries))
            self._add_time(attributes.get("time", ""))
        elif name in _OUTCOMES and self._open:
            self._open[-1][1].extend(_OUTCOMES[name])

    def end(self, name: str) -> None:
        if name == "testsuite":
            self._suites.pop()
        elif name == "testcase":
            case, tries = self._open.pop()
            case.told += 1
            # One try with several outcomes is as bad as the worst of them; a last one that passed came after the others.
            is_retried = "passed" in tries
            worst = max(tries or ["passed"], key=_ORDER.index)
            has_failed = any(element in tries for element in ("failed", "errored"))
            case.tries += [worst, "passed"] if is_retried and has_failed else [worst]

    def _note_start(self, text: str) -> None:
        try:
            from_text(text)
        except ValueError:
            # Without a zone, or no time at all: nobody knows when.
            return
        began = normalised(text)
        self.started_at = began if self.started_at is None else min(self.started_at, began)

    def _add_time(self, text: str) -> None:
        """Add what a case took. Some write thousands with a comma; a negative time does not count."""
        found = re.fullmatch(r"(\d{1,9})(?:\.(\d{1,18}))?", text.strip().replace(",", ""))
        if found is not None:
            took = int(found[1]) * 1000 + int(((found[2] or "") + "000")[:3])
            self.duration_ms = (self.duration_ms or 0) + took


def _short(path: str) -> str:
    """Return the path of a suite, and what is longer than a name is ever read cut and ended with its digest."""
    if len(path) <= MAX_PATH:
        return path
    return f"{path[: MAX_PATH - 9]}~{hashlib.sha256(path.encode()).hexdigest()[:8]}"


def translate(beside: Headers, body: bytes) -> Translation:
    """Return the shard of a report that the redactor left, and its tests, in parts where they are many."""
    report = _Report()
    try:
        _read(body, report.begin, report.end)
    except ForeignError as error:
        return Unmapped("junit", str(error), beside["source"])
    names = sorted(report.cases)
    parts = in_parts([_named(name, report.cases[name]) for name in names], MAX_NAMES)
    if parts is None:
        return Unmapped("junit", "too-many-tests", beside["source"])
    try:
        return Mapped(tuple(_facts(beside, report, parts)))
    except StatementError as error:
        return Unmapped("junit", f"field{error.place}", beside["source"])


def _facts(beside: Headers, report: _Report, parts: list[list[dict[str, str]]]) -> Iterable[Fact]:
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


def _named(name: str, case: _Case) -> dict[str, str]:
    marks = {"flaky": name} if case.is_flaky else {}
    return {case.outcome: name} | marks | ({"repeated": name} if case.told > 1 else {})


def by_outcome(part: list[dict[str, str]]) -> dict[str, Any]:
    """Return the tests of a part by outcome, as events have them."""
    lists: dict[str, list[str]] = {}
    for case in part:
        for what, name in case.items():
            lists.setdefault(what, []).append(name)
    return {what: tuple(names) for what, names in lists.items()}


_REPORT: Final = """<testsuites><testsuite name="refunds" timestamp="2026-03-02T09:00:00Z">
<testcase classname="tests.test_refunds" name="test_paid_once" time="0.25"/>
<testcase classname="tests.test_refunds" name="test_limits" time="0.5"><failure message="expected 3"/></testcase>
<testcase classname="tests.test_refunds" name="test_abroad"><skipped/></testcase>
</testsuite></testsuites>"""
_SAID: Final = {
    "run": "4711",
    "suite": "payments-api",
    "shard": "1/2",
    "commit": "9fceb02d0ae598e95dc970b74767f19372d61af8",
}

FORMAT: Final = Format(
    "junit",
    "JUnit XML",
    "The report of a test runner, of one shard of a run: which tests ran, and how each ended.",
    translate,
    media_types=(XML, "text/xml"),
    asks=("run", "attempt", "shard", "suite", "commit", "service", "environment", "coverage"),
    needs=("run",),
    redactor=Redactor(1, _cut),
    kept_as=lambda _: XML,
    samples=(
        Sample("a report", _REPORT, ("test.shard_finished",), context=_SAID),
        Sample("a report that is cut off", _REPORT[:300], (UNMAPPED,), context=_SAID),
    ),
)
