"""Trust rules: whose verified tokens (OpenID Connect) stand for a credential, judged by the claims that they make.

Verifies no token: signature, time and audience are for the door that is shown one. What is judged here are verified claims,
at the door and again by the audit: those that a rule names stand in the entry's `recorded_by`.

A rule that requires `repository_id` to be `70107786` and records `run_id` accepts

    {"repository_id": "70107786", "run_id": "9102384"}

and the same without `run_id`, which not every token has; it does not accept another `repository_id`, nor a claim it does not
name: an entry holds what was asked for, and nothing else about anybody.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from ledger.events.identifiers import ClaimValue, fits
from ledger.statement import MAX_STATEMENT_BYTES

MAX_CLAIMS: Final = 16
MAX_CLAIM_BYTES: Final = 256
# An entry is cut at the first part of this name, by other people's programs too, and claims stand before it.
PART_OF_AN_ENTRY: Final = "statement"
# Sixteen claims of 256 bytes, with names of 64, take 5,227 bytes of an entry: what nobody's signature needs is not enough.
MAX_OIDC_STATEMENT_BYTES: Final = MAX_STATEMENT_BYTES - 4096


@dataclass(frozen=True, slots=True)
class TrustRule:
    """One rule as it was enrolled: its issuer, for which audience tokens must be, and what is asked of their claims."""

    issuer: str
    audience: str
    required: tuple[tuple[str, tuple[str, ...]], ...]
    recorded: tuple[str, ...]
    principal: str | None
    # Kind of identity, and the claim that is its name.
    principal_from: tuple[str, str] | None

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> "TrustRule":
        """Make a rule of the data of `ledger.trust_rule_enrolled`."""
        claimed = data.get("principal_from")
        return cls(
            data["issuer"],
            data["audience"],
            tuple((required["claim"], tuple(required["one_of"])) for required in data["required"]),
            tuple(data.get("recorded", ())),
            data.get("principal"),
            (claimed["kind"], claimed["claim"]) if claimed is not None else None,
        )

    @property
    def names(self) -> frozenset[str]:
        """The claims that entries carry."""
        return frozenset(claim for claim, _ in self.required) | frozenset(self.recorded)

    def enrolment_fault(self) -> str | None:
        """Say why no token can ever satisfy this rule, or None."""
        if (self.principal is None) == (self.principal_from is None):
            return "expected a principal, or the claim that is its name; found both or neither"
        if self.principal_from is not None and self.principal_from[1] not in self.names:
            return f"expected the claim {self.principal_from[1]}, which names the principal, among those required or recorded"
        if PART_OF_AN_ENTRY in self.names:
            return f"expected no claim that is called {PART_OF_AN_ENTRY}: whoever reads an entry finds its statement by that name"
        return None

    def principal_of(self, claims: Mapping[str, str]) -> str | None:
        """Return whose facts a token's are, or None where the claim that says so is missing."""
        if self.principal_from is None:
            return self.principal
        kind, claim = self.principal_from
        return f"{kind}:{claims[claim]}" if claim in claims else None

    def fault(self, claims: Any, principal: str) -> str | None:
        """Say in words why claims do not satisfy this rule for a principal, or None. `claims` may be anything: an entry's bytes say it."""
        if not isinstance(claims, dict) or len(claims) > MAX_CLAIMS:
            return f"expected an object of at most {MAX_CLAIMS} claims"
        for name, value in claims.items():
            if name not in self.names or name == PART_OF_AN_ENTRY:
                return f"the rule names no claim {name[:64]}"
            if not fits(ClaimValue, value):
                return f"expected the claim {name} as a string of 1 to {MAX_CLAIM_BYTES} printable ASCII characters"
        for name, accepted in self.required:
            if name not in claims:
                return f"the token does not make the claim {name}"
            if not any(_matches(pattern, claims[name]) for pattern in accepted):
                return f"expected the claim {name} to be {' or '.join(accepted)}; found {claims[name]}"
        if principal != self.principal_of(claims):
            return f"expected the principal {self.principal_of(claims)}, found {principal}"
        return None


def _matches(pattern: str, value: str) -> bool:
    return value.startswith(pattern[:-1]) if pattern.endswith("*") else value == pattern
