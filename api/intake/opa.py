"""What Open Policy Agent says: the answers of `opa eval`, and the log of decisions that a server of it writes, as far as either tells of
rules whose members are breaches. What else it was asked, such as whether somebody may, finds nothing wrong with anything.

    {"result": [{"expressions": [{"text": "data.main.deny", "value": ["…"]}]}]}                an answer
    {"decision_id": "…", "path": "main/deny", "input": {…}, "result": ["…"]}                   a decision, alone, in a list or one a line

Of what it was asked about nothing is kept, and of an answer how many breaches there are. A decision that ended in an error was none.
"""

from collections.abc import Iterator
from typing import Any, Final

from api.intake.translation import ForeignJsonError, pick, pick_time, read_json

# How rules are called whose members are breaches.
_RULES: Final = {"deny": "error", "violation": "error", "warn": "warning"}
_MAX: Final = 1000


def cut(document: Any) -> dict[str, Any] | None:
    """Return what may be kept of answers or decisions; None for what is neither. Raises ForeignJsonError for those about something else."""
    if isinstance(document, dict) and "decision_id" in document:
        document = [document]
    if isinstance(document, list):
        if not document or not all(_is_decision(one) for one in document):
            return None
        # Asked for nothing that denies, a decision has nothing to say here; of one that failed nobody knows what it would have said.
        failed = any("error" in one for one in document)
        told = [rule for one in document for rule in _rules_in(_rule_asked(one), pick(one, "result"))]
        if not told and not failed:
            raise ForeignJsonError("no-rule-that-denies")
        times = [time for one in document if (time := pick_time(one, "timestamp")) is not None]
        return {"opa": told, "errors": failed, "ended": max(times, default=None)}
    if not isinstance(document, dict) or not {"result", "errors"} & document.keys():
        return None
    answers = _list(document, "result")
    told = [
        rule
        for answer in answers
        for one in _list(answer, "expressions")
        for rule in _rules_in(pick(one, "text"), pick(one, "value"))
    ]
    # A file that has an answer to something else does not count as one of these.
    if answers and not told:
        raise ForeignJsonError("no-rule-that-denies")
    return {"opa": told, "errors": bool(_list(document, "errors")), "ended": None}


def lines_of(body: bytes) -> list[Any] | None:
    """Return the decisions among the lines that a server prints; None where there are none. Raises ForeignJsonError."""
    lines = [line for line in body.splitlines() if b'"decision_id"' in line]
    return [read_json(line) for line in lines] or None


def _is_decision(told: Any) -> bool:
    return isinstance(told, dict) and isinstance(told.get("decision_id"), str)


def _rule_asked(decision: dict[str, Any]) -> Any:
    path = decision.get("path")
    return f"data.{path.strip('/').replace('/', '.')}" if isinstance(path, str) else decision.get("query")


def _rules_in(text: Any, value: Any) -> Iterator[dict[str, Any]]:
    """Yield the rules of an answer whose members are breaches: asked for themselves, or in a package that was."""
    text = text if isinstance(text, str) and len(text) <= _MAX and text.isprintable() else ""
    asked = {text: value}
    if isinstance(value, dict) and _level_of(text) is None:
        asked = {f"{text}.{name}": found for name, found in value.items()}
    for rule, found in asked.items():
        if (level := _level_of(rule)) is not None and isinstance(found, bool | list | dict):
            breaches = int(found) if isinstance(found, bool) else len(found)
            named = rule if 0 < len(rule) <= _MAX and rule.isprintable() else None
            yield {"rule": named, "level": level, "breaches": breaches}


def _level_of(rule: str) -> str | None:
    return _RULES.get(rule.rpartition(".")[2].partition("_")[0])


def _list(thing: Any, path: str) -> list[Any]:
    found = pick(thing, path)
    return found if isinstance(found, list) else []
