"""GitHub's alerts about code, in our words: `code_scanning_alert` webhooks, each a scan of one thing, and what somebody made of it.

An alert tells of one thing that a tool found, on one branch. It is a series of scans of its own, by `github-code-scanning`: open, the scan
finds it; fixed, the next one does not. That the tool ran to its end, and found nothing else, no alert says, so that none lets a commit
through a gate that asks for scans: reports do (`api.intake.sarif`).

What is on other branches than the default one is not in what is built of it, and `fixed` on a pull request mends nothing there: such alerts
are kept, and say nothing but who dismissed them. A dismissal is of the alert, wherever it is. It is told as a disposition of the finding,
and so counts only by somebody else who may; opened again, the disposition has ended then. Before it is told, the alert is told once more
as it stands, so that it is a decision about just that.
"""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Final

from api.intake.github_words import id_of, identity_of, source_of
from api.intake.translation import Fact, Mapped, Translation, Unmapped, fact, need, pick, pick_text, pick_time
from ledger.events.identifiers import identifier_of, valid_unicode
from projections.engine.finding import Breach, bounded, said_of
from projections.rules.scans import standing_error

TOOL: Final = "github-code-scanning"
_FOUND: Final = ("created", "appeared_in_branch", "reopened", "reopened_by_user")
_BRANCH: Final = "refs/heads/"
# Why somebody dismissed an alert -> what that is here.
_DISMISSED: Final = {"false positive": "false_positive", "won't fix": "accepted", "used in tests": "accepted"}
_LEVELS: Final = ("error", "warning", "note", "none")
# Where a tool's rule has no severity of its own, as GitHub ranks it.
_RANKED: Final = {"critical": "error", "high": "error", "medium": "warning", "low": "note"}


def code_scanning_alert(document: dict[str, Any]) -> Translation:
    """Return what an alert says. Raises StatementError."""
    action, alert, kind = need(document, "action"), need(document, "alert", dict), "code_scanning_alert"
    is_dismissed = pick(alert, "state") == "dismissed"
    if action not in (*_FOUND, "fixed", "closed_by_user"):
        return Unmapped(kind, f"action-{action}", source_of(document))
    if action == "closed_by_user" and not is_dismissed:
        return Unmapped(kind, "not-dismissed", source_of(document))
    place = _place_of(document, alert)
    branch, default = pick_text(place, "ref"), need(document, "repository.default_branch")
    is_elsewhere = branch is not None and branch not in (default, f"{_BRANCH}{default}")
    if is_elsewhere and (action == "fixed" or not (is_dismissed or action == "reopened_by_user")):
        return Unmapped(kind, "not-of-the-default-branch", source_of(document))
    if is_dismissed and (reason := need(alert, "dismissed_reason")) not in _DISMISSED:
        return Unmapped(kind, f"dismissed-reason-{reason}", source_of(document))
    told = tuple(_facts(document, action, alert, place))
    return Mapped(told[1:] if is_elsewhere else told)


def _facts(document: dict[str, Any], action: str, alert: dict[str, Any], place: Any) -> Iterator[Fact]:
    """Yield that it was found, or no more, and what somebody made of it."""
    repository, number = need(document, "repository", dict), need(alert, "number", int)
    named = f"github\n{id_of(repository)}\n{number}"
    series = f"github:{id_of(repository)}:code-scanning-{number}"
    found: dict[str, Any] = {
        "fingerprint": hashlib.sha256(named.encode()).hexdigest()[:32],
        "rule": identifier_of(f"{need(alert, 'tool.name')}/{need(alert, 'rule.id')}"),
        "level": _level_of(alert),
    }
    if (path := pick_text(place, "location.path")) is not None:
        found["path"] = identifier_of(path)
    if type(line := pick(place, "location.start_line")) is int and 0 <= line < 2**31:
        found["line"] = line
    time = _time_of(action, alert)
    commit = pick_text(document, "commit_oid") or pick_text(place, "commit_sha")
    told = "\n".join((named, action, time, commit or "", *map(str, found.values())))
    is_fixed = action == "fixed"
    scan: dict[str, Any] = {
        "scan": f"github-{hashlib.sha256(valid_unicode(told).encode()).hexdigest()[:32]}",
        "series": series,
        "tool": TOOL,
        "commit": commit,
        "service": need(repository, "full_name"),
        **{f"{level}s": int(found["level"] == level and not is_fixed) for level in ("error", "warning", "note")},
        "results": None if is_fixed else (found,),
    }
    yield fact(source_of(document), "scan.completed", time, scan)
    if pick(alert, "state") == "dismissed" and not is_fixed:
        said = _DISMISSED[need(alert, "dismissed_reason")]
        reason = ": ".join(filter(None, (pick_text(alert, "dismissed_reason"), pick_text(alert, "dismissed_comment"))))
        who, when = identity_of(pick(alert, "dismissed_by")), need(alert, "dismissed_at")
        about = {"actor": who, "disposition": said, "reason": reason}
        yield fact(source_of(document), "finding.disposed", when, about | _disposed(series, found))
    elif action == "reopened_by_user":
        ended = need(alert, "updated_at")
        about = {"actor": identity_of(pick(document, "sender")), "disposition": "accepted", "until": ended}
        more = about | {"reason": "opened again"} | _disposed(series, found)
        yield fact(source_of(document), "finding.disposed", ended, more)


def _disposed(series: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """Return which finding it is that an alert is, and what that says."""
    rule, subject = "scan-error-stands", f"{series}/{found['fingerprint']}"
    says = standing_error(TOOL, found["rule"], found.get("path"), series)
    whole = bounded(Breach(says, ()))
    said = said_of(rule, subject, whole.says if whole is not None else says)
    return {"rule": rule, "findings": ({"subject": subject, "said": said},)}


def _place_of(document: dict[str, Any], alert: dict[str, Any]) -> Any:
    """Return the instance that a body is about: the last, as it says; else the first on its branch, or the first."""
    if isinstance(last := pick(alert, "most_recent_instance"), dict):
        told = pick_text(document, "ref")
        return last if told is None else last | {"ref": told}
    listed = pick(alert, "instances")
    instances = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    told = pick_text(document, "ref")
    own = next((one for one in instances if told is not None and one.get("ref") == told), None)
    return own or ({"ref": told} | (instances[0] if told is None and instances else {}))


def _level_of(alert: dict[str, Any]) -> str:
    own = pick_text(alert, "rule.severity")
    if own in _LEVELS:
        return str(own)
    return _RANKED.get(pick_text(alert, "rule.security_severity_level") or "", "warning")


def _time_of(action: str, alert: dict[str, Any]) -> str:
    """Return when it was, as far as the alert says; nothing stands for when it came in."""
    if action == "created":
        time: str = need(alert, "created_at")
        return time
    named = {"fixed": ("fixed_at", "updated_at"), "closed_by_user": ("dismissed_at",)}.get(action, ("updated_at",))
    return pick_time(alert, *named) or ""
