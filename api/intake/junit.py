"""JUnit XML, as all runners of tests write it and each in its own way: which tests ran in a shard, and how each ended.

There is no standard. What counts is the children of test cases: attributes that count are often wrong, and are not read. A case that is
told twice, or that says of itself that it failed before, was tried again: it ended as the last try did if that passed, else as the
worst of them, and is *flaky* where tries differ. No case at all is no pass. Times without a zone say nothing.

The redactor keeps the tree of suites and cases, their names and times, and which kinds of outcome each case has. What tests printed,
properties (the environment, mostly), and messages and traces of failures are cut: any of them may hold a secret.
"""

import hashlib
from collections.abc import Mapping
from typing import Final

from api.intake.reports_of_tests import ORDER, Case, Dialect, Report, report_format

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
# Attributes that say what something is, and hold nothing that a test wrote.
_ATTRIBUTES: Final = (
    "name", "classname", "time", "timestamp", "status", "result", "tests", "failures", "errors", "skipped", "disabled", "id", "package",
)  # fmt: skip


_DIALECT: Final = Dialect(
    "junit",
    ("testsuites", "testsuite"),
    {**dict.fromkeys(("testsuites", "testsuite", "testcase"), _ATTRIBUTES), **dict.fromkeys(_OUTCOMES, ())},
)


class _Report(Report):
    """What the elements of a report say together: suites, and the cases in them."""

    def __init__(self) -> None:
        super().__init__()
        # Of the suites around, the whole path of each: what a case pays for it is bounded.
        self._suites: list[str] = []
        # Cases that are open, with the tries that are told of each: some tools put one into another.
        self._open: list[tuple[Case, list[str]]] = []

    def begin(self, name: str, attributes: Mapping[str, str]) -> None:
        if name == "testsuite":
            self._suites.append(_short("/".join(filter(None, (*self._suites[-1:], attributes.get("name", ""))))))
            self.note_start(attributes.get("timestamp", ""))
        elif name == "testcase":
            owner = attributes.get("classname") or "".join(self._suites[-1:])
            tries = [said for name in ("status", "result") if (said := _STATUSES.get(attributes.get(name, "").lower()))]
            self._open.append((self.case(owner, attributes.get("name", "")), tries))
            self.add_time(attributes.get("time", ""))
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
            worst = max(tries or ["passed"], key=ORDER.index)
            has_failed = any(element in tries for element in ("failed", "errored"))
            case.tries += [worst, "passed"] if is_retried and has_failed else [worst]


def _short(path: str) -> str:
    """Return the path of a suite, and what is longer than a name is ever read cut and ended with its digest."""
    if len(path) <= MAX_PATH:
        return path
    return f"{path[: MAX_PATH - 9]}~{hashlib.sha256(path.encode()).hexdigest()[:8]}"


_REPORT: Final = """<testsuites><testsuite name="refunds" timestamp="2026-03-02T09:00:00Z">
<testcase classname="tests.test_refunds" name="test_paid_once" time="0.25"/>
<testcase classname="tests.test_refunds" name="test_limits" time="0.5"><failure message="hunter2">hunter2</failure></testcase>
<testcase classname="tests.test_refunds" name="test_abroad"><skipped/></testcase>
<properties><property name="TOKEN" value="hunter2"/></properties><system-out>hunter2</system-out></testsuite></testsuites>"""
_SAID: Final = {
    "run": "4711",
    "suite": "payments-api",
    "shard": "1/2",
    "commit": "9fceb02d0ae598e95dc970b74767f19372d61af8",
}

FORMAT: Final = report_format(
    _DIALECT,
    _Report,
    "JUnit XML",
    "The report of a test runner, of one shard of a run: which tests ran, and how each ended.",
    _REPORT,
    _SAID,
)
