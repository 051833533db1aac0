"""`intake`: files of outside formats from a terminal, on a database and over HTTP."""

import re
from pathlib import Path

from commands import Command
from servers import Server

from api.cli.posting import intake
from api.intake.context import KNOWN

REPORT = '<testsuite name="s"><testcase name="a"/></testsuite>'


def test_files_are_taken_in_and_again_without_harm(door: Command, directory: Path) -> None:
    (directory / "good.xml").write_text(REPORT)
    (directory / "cut.xml").write_text(REPORT[:20])
    said = ("--run", "4711", "--shard", "1/2")
    first = door("intake", "junit", directory / "good.xml", *said)
    assert (first.status, first.err) == (0, "")
    assert door("intake", "junit", directory / "good.xml", *said).out == first.out
    assert door("intake", "junit", "-", *said, stdin=REPORT.encode()).out == first.out
    for _ in range(2):
        both = door("intake", "junit", directory / "cut.xml", directory / "good.xml", *said)
        assert both.status == 1
        assert re.search("cut.xml: .*this is no JUnit XML that can be read: not-xml", both.err)
        assert first.out in both.out
    assert "expected run" in door("intake", "junit", directory / "good.xml").err
    unknown = door("intake", "junite", directory / "good.xml", *said)
    assert (unknown.status, "junit" in unknown.err) == (1, True)


def test_there_is_an_option_for_all_that_may_be_said(server: Server) -> None:
    taken = {name.rstrip("_") for name in intake.__annotations__} - {"context", "name", "files", "return"}
    assert taken == set(KNOWN)
