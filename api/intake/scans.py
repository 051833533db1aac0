"""What a report of a scan becomes, whichever tool wrote it: a summary, and what was found in parts where it does not fit that.

Nothing found has an identity of its own to rely on. So one is made here, of the tool, the rule, the path and which of several such it is
in the order of lines: the same in the next scan.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from operator import itemgetter
from typing import Any, Final

from api.intake.translation import MAX_PARTS, Fact, Headers, fact, in_parts
from ledger.events.scan import MAX_RESULTS

# What stands in a statement one by one; notes are counted alone.
_LISTED: Final = ("error", "warning")


@dataclass(frozen=True, slots=True)
class Told:
    """A scan, as far as its report tells it: by which tool, of which thing, and what it found. What it does not know of a result is not
    there.
    """

    scan: str
    tool: str
    results: Sequence[dict[str, Any]]
    # Beside service, environment and tool, of what it is.
    of: str | None = None
    commit: str | None = None
    executed: bool | None = None
    ended: str = ""
    tool_version: str | None = None
    rules_digest: str | None = None
    started_at: str | None = None
    subject: str | None = None
    # What the report counts by level, where that is more than it lists.
    counted: Mapping[str, int] | None = None


def place(result: Mapping[str, Any]) -> tuple[str, int, str]:
    """Return where something was found, to bring it in order."""
    return result.get("path", ""), result.get("line", 0), result["rule"]


def fingerprinted(tool: str, found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return what was found in the order of lines, each now with a name."""
    found.sort(key=place)
    # Of one rule in one place: what names begin with, and which of several such the next is.
    such: dict[tuple[str, str | None], tuple[str, Iterator[int]]] = {}
    sha256 = hashlib.sha256
    for result in found:
        which = result["rule"], result.get("path")
        if (known := such.get(which)) is None:
            # None of these names holds a line break.
            known = such[which] = f"{tool}\n{which[0]}\n{which[1] or ''}\n", count(1)
        # Of very many results no second one is made.
        result["fingerprint"] = sha256(f"{known[0]}{next(known[1])}".encode()).hexdigest()[:32]
    return found


def _listed(told: Told, levels: Counter[str]) -> list[dict[str, Any]] | None:
    """Return what is listed one by one, fingerprinted; None for more than may come in."""
    many = sum(levels[level] for level in _LISTED)
    if many > MAX_RESULTS * MAX_PARTS:
        return None
    if many < len(told.results):
        # What is not listed is counted, and is looked at where it is one of several such.
        of = {(one["rule"], one.get("path")) for one in told.results if one["level"] in _LISTED}
        such = [one for one in told.results if (one["rule"], one.get("path")) in of] if of else []
        return [one for one in fingerprinted(told.tool, such) if one["level"] in _LISTED]
    return fingerprinted(told.tool, list(told.results))


def facts_of(beside: Headers, told: Told) -> list[Fact] | None:
    """Return the facts of a scan; None for more results than may come in."""
    of_thing = beside.get("service", beside["source"])
    series = ":".join(filter(None, (of_thing, beside.get("environment"), told.tool, told.of)))
    counted = [result for result in told.results if result.get("baseline") != "absent"]
    levels = Counter(map(itemgetter("level"), counted))
    more = told.counted or {}
    all_levels = levels if len(counted) == len(told.results) else Counter(map(itemgetter("level"), told.results))
    listed = _listed(told, all_levels)
    parts = in_parts(listed, MAX_RESULTS) if listed is not None else None
    if parts is None:
        return None
    is_whole = len(parts) < 2
    about = {"scan": told.scan, "series": series, "commit": told.commit}
    summary: dict[str, Any] = about | {
        "tool": told.tool,
        "tool_version": told.tool_version,
        "rules_digest": told.rules_digest,
        "file_digest": f"sha256:{beside['sha256']}",
        "run_id": beside.get("run"),
        "service": beside.get("service"),
        "environment": beside.get("environment"),
        "executed": told.executed,
        "errors": max(levels["error"], more.get("error", 0)),
        "warnings": max(levels["warning"], more.get("warning", 0)),
        "notes": max(levels["note"], more.get("note", 0)),
        "suppressed": sum(map(itemgetter("suppressed"), counted)),
        "parts": 0 if is_whole else len(parts),
        "started_at": told.started_at,
    }
    if is_whole and parts:
        summary["results"] = tuple(parts[0])
    facts = [fact(beside["source"], "scan.completed", told.ended, summary, subject=told.subject)]
    for number, part in enumerate(() if is_whole else parts, 1):
        said = about | {"part": number, "parts": len(parts), "results": tuple(part)}
        facts.append(fact(beside["source"], "scan.results_reported", told.ended, said))
    return facts
