"""Secrets in reports of scans: which of what a tool found are secrets, and what each is called.

Honest only where a tool says so: it is one that looks for secrets and nothing else, or its rule is tagged as one that does. That a linter
finds a password in a variable's name makes nothing a secret.

What a secret is called is the digest of where it was found, by which rule, and of the commit that brought it in, where the tool names it.
Nothing of its value goes into that: the redactor has cut it before. Where no commit is named, another secret in the same place would be
called the same, and `by_place` says so.
"""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from api.intake.translation import Fact, Headers, fact, pick
from ledger.events.identifiers import Commit, fits

# Of one scan, each a statement of its own.
MAX_SECRETS: Final = 500
# By the names that they give themselves, in lower case.
_SCANNERS: Final = frozenset(
    {"betterleaks", "detect-secrets", "ggshield", "gitguardian", "gitleaks", "kingfisher", "noseyparker", "nosey parker",
     "secretlint", "talisman", "trufflehog", "whispers"}
)  # fmt: skip
_TAGS: Final = frozenset({"secret", "secrets"})


def is_scanner(tool: str) -> bool:
    """Say whether a tool looks for secrets and for nothing else."""
    return tool.lower() in _SCANNERS


def is_tagged(rule: Any) -> bool:
    """Say whether a rule, as a file has it, is tagged as one that finds secrets."""
    tags = pick(rule, "properties.tags")
    return isinstance(tags, list) and any(isinstance(tag, str) and tag.lower() in _TAGS for tag in tags)


def introduced_by(result: Any) -> str | None:
    """Return the commit that brought a result in, as a file has it. Of fingerprints nothing else is looked at."""
    told = result.get("partialFingerprints") if isinstance(result, dict) else None
    found = told.get("commitSha") if isinstance(told, dict) else None
    return found.lower() if isinstance(found, str) and fits(Commit, found.lower()) else None


def detected(beside: Headers, about: Mapping[str, str], result: Mapping[str, Any], commit: str | None) -> Fact:
    """Return that a result of a scan is a secret. `about` is what all of its scan have: tool, scan, and when it `ended`."""
    of = beside.get("repository") or beside.get("service") or beside["source"]
    # A fingerprint is of tool, rule and path, and of which of several such it is.
    exactly = (about["tool"], result["rule"], result.get("path", ""), commit, str(result.get("line")))
    said = "\n".join((of, *(exactly if commit is not None else (result["fingerprint"],))))
    data = {
        "secret": f"sha256:{hashlib.sha256(said.encode()).hexdigest()}",
        "tool": about["tool"],
        "rule": result["rule"],
        "repository": beside.get("repository"),
        "service": beside.get("service"),
        "environment": beside.get("environment"),
        "path": result.get("path"),
        "line": result.get("line"),
        "scan": about["scan"],
        "introduced_by": commit,
        "by_place": commit is None,
    }
    return fact(beside["source"], "secret.detected", about["ended"], data)
