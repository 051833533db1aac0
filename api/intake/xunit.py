"""Reports of xUnit.net, versions 2 and 3, which are its own XML: which tests ran in a shard, and how each ended.

A test is a `test`, by its type and its name. What went wrong outside of any, such as when a collection was cleaned up, is an `error`
of its own, and the shard did not pass. A result that nobody knows says nothing of the whole file: it is kept and not understood.
"""

from collections.abc import Mapping
from typing import Final

from api.intake.reports_of_tests import Dialect, Report, report_format
from api.intake.translation import ForeignError

_DIALECT: Final = Dialect(
    "xunit",
    ("assemblies", "assembly"),
    {
        "assemblies": ("start-rtf",),
        "assembly": ("name", "start-rtf"),
        "errors": (),
        "error": ("type", "name"),
        "collection": ("name",),
        "test": ("name", "type", "method", "result", "time"),
    },
)
_RESULTS: Final = {"Pass": "passed", "Fail": "failed", "Skip": "skipped", "NotRun": "skipped"}


class _Report(Report):
    def begin(self, name: str, attributes: Mapping[str, str]) -> None:
        if name in ("assemblies", "assembly"):
            # Since version 3, with a zone; what stood there before has none.
            self.note_start(attributes.get("start-rtf", ""))
        elif name == "error":
            self.tell("error", f"{attributes.get('type', '')}/{attributes.get('name', '')}", "errored")
        elif name == "test":
            if (outcome := _RESULTS.get(attributes.get("result", ""))) is None:
                raise ForeignError("unknown-result")
            owner = attributes.get("type", "")
            called = attributes.get("name") or attributes.get("method", "")
            self.tell(owner, called.removeprefix(f"{owner}."), outcome)
            self.add_time(attributes.get("time", ""))


_RUN: Final = """<assemblies><assembly name="Shop.dll" environment="hunter2"><collection name="Refunds">
<test name="Shop.Refunds.PaidOnce" type="Shop.Refunds" method="PaidOnce" time="0.25" result="Pass"/>
<test name="Shop.Refunds.Limits" type="Shop.Refunds" method="Limits" time="0.5" result="Fail">
<failure><message>hunter2</message></failure><output>hunter2</output></test>
</collection></assembly></assemblies>"""
_SAID: Final = {"run": "4711", "suite": "payments-api", "shard": "1/2"}

FORMAT: Final = report_format(
    _DIALECT,
    _Report,
    "xUnit.net",
    "The report of xUnit.net, version 2 or 3, of one shard of a run: which tests ran, and how each ended.",
    _RUN,
    _SAID,
)
