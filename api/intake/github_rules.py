"""Rules of protected branches, as GitHub calls them, in our words: `branch_protection_rule` webhooks.

Each is a name and a value: how many approvals, `true` or `false`, or for whom it holds (`off`, `non_admins`, `everyone`).
"""

from typing import Any, Final
from urllib.parse import quote

from api.intake.translation import pick
from ledger.events.identifiers import valid_unicode

# As GitHub calls a rule -> as it is called here.
_NAMES: Final = {
    "required_approving_review_count": "required_approvals",
    "pull_request_reviews_enforcement_level": "reviews",
    "dismiss_stale_reviews_on_push": "stale_reviews_dismissed",
    "require_code_owner_review": "code_owner_review",
    "require_last_push_approval": "last_push_approval",
    "required_status_checks_enforcement_level": "status_checks",
    "strict_required_status_checks_policy": "strict_status_checks",
    "signature_requirement_enforcement_level": "signed_commits",
    "linear_history_requirement_enforcement_level": "linear_history",
    "required_deployments_enforcement_level": "required_deployments",
    "required_conversation_resolution_level": "conversations_resolved",
    "authorized_actors_only": "pushes_restricted",
    "admin_enforced": "admins_enforced",
    "allow_force_pushes_enforcement_level": "force_pushes",
    "allow_deletions_enforcement_level": "deletions",
}

_PRINTABLE: Final = "".join(map(chr, range(0x21, 0x7F)))


def rules_of(rule: Any) -> tuple[dict[str, str], ...]:
    """Return the rules of a protected branch; those whose value is not known are left out."""
    return _named({known: pick(rule, known) for known in _NAMES}, pick(rule, "required_status_checks"))


def rules_before(changes: Any) -> tuple[dict[str, str], ...]:
    """Return what the rules were, of those that a change names."""
    return _named(
        {known: pick(changes, f"{known}.from") for known in _NAMES}, pick(changes, "required_status_checks.from")
    )


def _named(found: dict[str, Any], checks: Any) -> tuple[dict[str, str], ...]:
    values = {_NAMES[known]: text for known, value in found.items() if (text := _value(value)) is not None}
    if isinstance(checks, list):
        values["required_checks"] = str(len(checks))
    return tuple({"name": name, "value": value} for name, value in sorted(values.items()))


def _value(value: Any) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if 0 <= value < 1000 else None
    return value if value in ("off", "non_admins", "everyone") else None


def branch_of(name: str) -> str:
    """Return a branch, or a pattern of branches, as events have it: with what is not printable ASCII percent-encoded."""
    return quote(valid_unicode(name), safe=_PRINTABLE)
