"""Authority: keys, tokens, roles and sources, folded from the ledger's own entries. What the doors look into, and what audit judges by.

There is no table of credentials that somebody could slip a row into: `Authority` is folded from the `ledger.*`
entries, in memory, by the same code at the doors and in the audit. It is a pure fold: callers read the entries and check their
signatures (`ledger.log.authority`, `ledger.audit`).

Long, because what a door admits and what the audit accepts are the same rules, and stand beside each other.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal
from urllib.parse import unquote

from ledger.clock import from_text
from ledger.enrolment import key_fault, possession_fault, recovery_fault
from ledger.entry import recorded_by_json
from ledger.errors import ForbiddenError, StatementTooLargeError, UnauthenticatedError
from ledger.events import OPERATOR_AREAS, RESERVED_AREAS
from ledger.faults import Kind
from ledger.statement import STATEMENT_PAYLOAD_TYPE, Statement
from ledger.trust_rules import MAX_OIDC_STATEMENT_BYTES, TrustRule
from signing import dsse
from signing.errors import VerificationError
from signing.keyring import KeyRecord, Keyring
from signing.keys import key_id
from signing.notes import NoteKey

# From the strongest: what a statement is vouched by.
Trust = Literal["signed", "oidc", "hmac", "token", "asserted"]
LEDGER_PRINCIPAL: Final = "service:ledger"
RECOVERED: Final = "ledger.key_recovered"
# How the credential of a source that signs envelopes begins: the ledger checked the signature, whoever brought them.
ENVELOPE: Final = "envelope:"
# Entries of these types change who may do what; `head.authority_position` is the last of them.
AUTHORITY_TYPES: Final = frozenset(
    {
        "ledger.opened",
        "ledger.key_enrolled",
        RECOVERED,
        "ledger.key_retired",
        "ledger.key_revoked",
        "ledger.credential_issued",
        "ledger.trust_rule_enrolled",
        "ledger.credential_revoked",
        "ledger.source_enrolled",
        "ledger.source_retired",
        "ledger.restored",
    }
)
_FOREVER: Final = 2**62
# What `recorded_by` holds, in the order in which canonical JSON has it.
_WITHOUT_CLAIMS: Final = ["credential", "principal", "trust"]
_WITH_CLAIMS: Final = ["claims", *_WITHOUT_CLAIMS]


@dataclass(frozen=True, slots=True)
class Credential:
    """A token as it was issued, or a trust rule as it was enrolled. Positions are the entries that did so, and revoked it."""

    id: str
    principal: str
    kind: str
    roles: frozenset[str]
    areas: frozenset[str]
    sources: tuple[str, ...]
    # Empty for a trust rule: its tokens are the issuer's.
    token_sha256: str
    issued_at: int
    types: frozenset[str] = frozenset()
    rule: TrustRule | None = None
    expires_at_us: int = _FOREVER
    revoked_at: int | None = None
    distrusted_from: int | None = None

    def fault_at(self, position: int, recorded_at_us: int) -> Kind | None:
        """Say why an entry at `position` may not stand on this credential, or None."""
        if position <= self.issued_at:
            return Kind.CREDENTIAL_NOT_ISSUED
        if self.revoked_at is not None and position > self.revoked_at:
            return Kind.CREDENTIAL_REVOKED
        if recorded_at_us >= self.expires_at_us:
            return Kind.CREDENTIAL_EXPIRED
        return None

    def scope_fault(self, event_type: str, source: str) -> str | None:
        """Say why this credential may not append a fact of a type from `source`, or None."""
        area = event_type.partition(".")[0]
        if area in OPERATOR_AREAS:
            if "operator" not in self.roles:
                return f"facts of the area {area} need the role operator; {self.id} has {', '.join(sorted(self.roles))}"
        elif "reporter" not in self.roles:
            return f"appending needs the role reporter; {self.id} has {', '.join(sorted(self.roles))}"
        elif "*" not in self.areas and area not in self.areas and not is_named(event_type, self.types):
            return f"{self.id} may report {', '.join(sorted(self.areas | self.types))}; found {event_type}"
        for pattern in self.sources:
            if source_matches(pattern, source):
                return None
        return f"{self.id} may speak for {', '.join(self.sources)}; found the source {source}"


@dataclass(frozen=True, slots=True)
class EnrolledSource:
    """A source that was made known, and the credential id under which its door records."""

    source: str
    door: str
    credential: str | None
    principal: str
    must_sign: bool
    authority_for: tuple[str, ...]
    enrolled_at: int
    retired_at: int | None = None
    # What its door records for it; empty: every type.
    types: frozenset[str] = frozenset()
    # Keys by which it signs envelopes, in base64 as they were enrolled, and whether those are kept whole.
    envelope_keys: tuple[str, ...] = ()
    keeps_envelopes: bool = False

    def records(self, event_type: str) -> bool:
        """Say whether the door may record a fact of a type for this source."""
        return not self.types or is_named(event_type, self.types)

    def check_type(self, event_type: str) -> None:
        """Raise ForbiddenError unless the door may record a fact of a type for this source."""
        if not self.records(event_type):
            named = ", ".join(sorted(self.types))
            raise ForbiddenError(f"{self.source} is enrolled at the door {self.door} for {named}; found {event_type}")


@dataclass(frozen=True, slots=True)
class Caller:
    """Who the ledger authenticated, by which credential, and how strongly. Goes into the entry as `recorded_by`."""

    credential: str
    principal: str
    trust: Trust
    token: Credential | None = None
    door: str = "events"
    is_ledger: bool = False
    # Of a verified token, as its trust rule names them; with the trust `oidc`, and with no other.
    claims: Mapping[str, str] | None = None
    json: bytes = field(default=b"", repr=False)

    def __post_init__(self) -> None:
        said = recorded_by_json(
            credential=self.credential, principal=self.principal, trust=self.trust, claims=self.claims
        )
        object.__setattr__(self, "json", said)


def source_matches(pattern: str, source: str) -> bool:
    """Compare a source with a pattern: exact, or a prefix that ends in `*`."""
    return source.startswith(pattern[:-1]) if pattern.endswith("*") else source == pattern


def is_named(event_type: str, types: frozenset[str]) -> bool:
    """Say whether a type is one of those named, or a later version of one: `approval.granted` names `approval.granted.v2`, too."""
    return event_type in types or event_type.partition(".v")[0] in types


def _looks_like(pattern: str, source: str) -> bool:
    """Say whether a source matches a pattern, or would if it were written otherwise: in another case, or without escapes."""
    return source_matches(pattern, source) or source_matches(unquote(pattern).casefold(), unquote(source).casefold())


def producer_key_fault(record: KeyRecord, position: int, source: str) -> Kind | None:
    """Say why a producer's key may not sign a statement of `source` at `position`, or None."""
    if (fault := record.fault_at(position)) is not None:
        return Kind(fault)
    return None if any(source_matches(pattern, source) for pattern in record.sources) else Kind.KEY_OUTSIDE_SOURCES


def _check_claims(caller: Caller, rule: TrustRule, statement: Statement) -> None:
    """Raise unless a caller's verified claims satisfy the rule that they were accepted under, and fit an entry beside its statement."""
    if caller.trust != "oidc":
        return
    if (fault := rule.fault(caller.claims, caller.principal)) is not None:
        raise ForbiddenError(f"the token does not satisfy {caller.credential}: {fault}")
    if len(statement.body) > MAX_OIDC_STATEMENT_BYTES:
        raise StatementTooLargeError(
            f"expected a statement of at most {MAX_OIDC_STATEMENT_BYTES} bytes beside the claims of a token, found {len(statement.body)}"
        )


def token_sha256(token: str) -> str:
    """Return what is kept of a bearer token. A token has 256 random bits: a slow hash would protect nothing."""
    return hashlib.sha256(token.encode()).hexdigest()


class Authority:
    """Who may do what, as of `position`."""

    def __init__(self) -> None:
        self.position = 0
        self.origin = ""
        self.secret_sha256 = ""
        # Positions of `ledger.restored`: each begins a new incarnation, whose checkpoints have a name of their own.
        self.restorations: tuple[int, ...] = ()
        self.keyring = Keyring()
        # Positions at which the checkpoint key let a new entry key in, with the key ids: somebody outside must accept each.
        self.recoveries: tuple[tuple[int, str], ...] = ()
        self.predecessor: Mapping[str, Any] | None = None
        # What is wrong with enrolments, by position: (kind, detail). Such a key is numbered and never valid.
        self.faults: dict[int, tuple[Kind, str]] = {}
        # Whether keys have been enrolled with proofs: from the first on, every one needs it.
        self._proving = False
        self.credentials: dict[str, Credential] = {}
        # Every enrolment that ever was, in order: old entries stand on retired ones.
        self.sources: tuple[EnrolledSource, ...] = ()
        self._by_token: dict[str, str] = {}

    # -- the fold ------------------------------------------------------------------------------------------------

    def fold(self, position: int, event_type: str, data: Mapping[str, Any]) -> None:
        """Take one authority entry into account. Entries come in the order of their positions."""
        self.position = position
        match event_type:
            case "ledger.opened":
                self.origin = data["origin"]
                self.secret_sha256 = data["secret_sha256"]
                self.predecessor = data.get("predecessor")
                self._fold_first_keys(position, data)
            case "ledger.key_enrolled":
                self._fold_enrolment(position, data)
            case "ledger.key_recovered":
                self._fold_recovery(position, data)
            case "ledger.key_retired":
                self.keyring.retire(data["role"], data["key_id"], last_position=position)
            case "ledger.key_revoked":
                self.keyring.revoke(data["role"], data["key_id"], from_position=data["from_position"], at=position)
            case "ledger.credential_issued":
                expires_at = data.get("expires_at")
                credential = Credential(
                    id=data["credential"],
                    principal=data["principal"],
                    kind=data["kind"],
                    roles=frozenset(data["roles"]),
                    areas=frozenset(data["areas"]),
                    sources=tuple(data["sources"]),
                    token_sha256=data["token_sha256"],
                    issued_at=position,
                    types=frozenset(data.get("types", ())),
                    expires_at_us=from_text(expires_at) if expires_at else _FOREVER,
                )
                self.credentials[credential.id] = credential
                self._by_token[credential.token_sha256] = credential.id
            case "ledger.trust_rule_enrolled":
                self._fold_trust_rule(position, data)
            case "ledger.credential_revoked":
                if (known := self.credentials.get(data["credential"])) is not None:
                    self.credentials[known.id] = replace(
                        known, revoked_at=known.revoked_at or position, distrusted_from=data.get("from_position")
                    )
            case "ledger.source_enrolled":
                enrolled = EnrolledSource(
                    source=data["source"],
                    door=data["door"],
                    credential=data.get("credential"),
                    principal=data["principal"],
                    must_sign=data["must_sign"],
                    authority_for=tuple(data.get("authority_for", ())),
                    enrolled_at=position,
                    types=frozenset(data.get("types", ())),
                    envelope_keys=tuple(data.get("envelope_keys", ())),
                    keeps_envelopes=data.get("keeps_envelopes", False),
                )
                # A new tuple each time: the doors walk over the old one in other threads.
                self.sources = (*self.sources, enrolled)
            case "ledger.source_retired":
                self.sources = tuple(
                    replace(known, retired_at=position)
                    if known.retired_at is None and (known.door, known.source) == (data["door"], data["source"])
                    else known
                    for known in self.sources
                )

            case "ledger.restored":
                self.restorations = (*self.restorations, position)

    def _fold_trust_rule(self, position: int, data: Mapping[str, Any]) -> None:
        rule, expires_at = TrustRule.of(data), data.get("expires_at")
        if (fault := rule.enrolment_fault()) is not None:
            self.fault(position, Kind.ENROLMENT_WRONG, fault)
        self.credentials[data["credential"]] = Credential(
            id=data["credential"],
            principal=rule.principal or (f"{rule.principal_from[0]}:*" if rule.principal_from else ""),
            kind=data["kind"],
            roles=frozenset(data["roles"]),
            areas=frozenset(data["areas"]),
            sources=tuple(data["sources"]),
            token_sha256="",
            issued_at=position,
            types=frozenset(data.get("types", ())),
            rule=rule,
            expires_at_us=from_text(expires_at) if expires_at else _FOREVER,
        )

    def _fold_first_keys(self, position: int, data: Mapping[str, Any]) -> None:
        # Only the genesis vouches for itself: its keys are valid from its own position on, and the entry key has signed it.
        entry_key, checkpoint_key = (bytes.fromhex(data[f"{role}_key"]) for role in ("entry", "checkpoint"))
        self.keyring.enrol(public_key=entry_key, role="entry", name=self.origin, valid_from=position, proved=True)
        possession = data.get("checkpoint_possession")
        self._proving = possession is not None
        if self._proving:
            fault = possession_fault(self.origin, "checkpoint", checkpoint_key, possession)
            if fault is not None or checkpoint_key == entry_key:
                self.fault(
                    position, Kind.ENROLMENT_WRONG, fault or "entry key and checkpoint key are one: a key has one role"
                )
        self.keyring.enrol(
            public_key=checkpoint_key, role="checkpoint", name=self.origin, valid_from=position, proved=self._proving
        )

    def _fold_enrolment(self, position: int, data: Mapping[str, Any]) -> None:
        public_key, possession = bytes.fromhex(data["public_key"]), data.get("possession")
        fault = None
        if possession is not None or self._proving:
            fault = key_fault(self.keyring, public_key) or possession_fault(
                self.origin, data["role"], public_key, possession
            )
            if fault is not None:
                self.fault(position, Kind.ENROLMENT_WRONG, fault)
        self._proving = self._proving or possession is not None
        record = self.keyring.enrol(
            public_key=public_key,
            role=data["role"],
            name=data["name"],
            valid_from=position + 1,
            sources=tuple(data.get("sources", ())),
            proved=possession is not None and fault is None,
        )
        if fault is not None:
            self._refuse(record, position)

    def _fold_recovery(self, position: int, data: Mapping[str, Any]) -> None:
        fault = recovery_fault(self.keyring, self.origin, position, data)
        public_key = bytes.fromhex(data["public_key"])
        if fault is not None:
            self.fault(position, Kind.RECOVERY_WRONG, fault)
        else:
            for identifier in data.get("ended", ()):
                self.keyring.retire("entry", identifier, last_position=position - 1)
        # It vouches for itself, as the genesis does: by leave of the checkpoint key.
        record = self.keyring.enrol(
            public_key=public_key, role="entry", name=data["name"], valid_from=position, proved=True
        )
        if fault is not None:
            self._refuse(record, position)
        else:
            self.recoveries = (*self.recoveries, (position, record.key_id))

    def fault(self, position: int, kind: Kind, detail: str) -> None:
        """Note what is wrong with an enrolment, for the audit to say."""
        self.faults[position] = (kind, detail)

    def _refuse(self, record: KeyRecord, position: int) -> None:
        """Let a key vouch for nothing. It keeps its number: entries count the keys as they appear."""
        self.keyring.retire(record.role, record.key_id, last_position=position - 1)

    # -- checkpoints ---------------------------------------------------------------------------------------------

    @property
    def checkpoint_origins(self) -> list[str]:
        """The names under which checkpoints were signed, one for each incarnation, in order.

        A log never signs two inconsistent checkpoints; a ledger restored from a backup is therefore another log.
        """
        return [self.origin, *(f"{self.origin}#{number}" for number in range(2, len(self.restorations) + 2))]

    @property
    def checkpoint_origin(self) -> str:
        """The name under which checkpoints are signed now."""
        return self.checkpoint_origins[-1]

    def origin_at(self, size: int) -> str:
        """Return the name under which a checkpoint of a size is signed."""
        return self.checkpoint_origins[sum(position <= size for position in self.restorations)]

    def checkpoint_keys(self, size: int | None = None) -> list[NoteKey]:
        """Return the keys that may sign a checkpoint of a size, or all that ever might: every key, under every name."""
        if size is not None:
            return [NoteKey(self.origin_at(size), k.public_key) for k in self.keyring.valid_at("checkpoint", size)]
        records = self.keyring.numbered("checkpoint")
        return [NoteKey(origin, record.public_key) for origin in self.checkpoint_origins for record in records]

    # -- questions of the doors ----------------------------------------------------------------------------------

    def authenticate(self, token: str, now_us: int) -> Credential:
        """Return the credential of a bearer token, or raise UnauthenticatedError."""
        identifier = self._by_token.get(token_sha256(token))
        if identifier is None:
            raise UnauthenticatedError("the token is not known to this ledger")
        credential = self.credentials[identifier]
        if credential.revoked_at is not None:
            raise UnauthenticatedError(
                f"the token {credential.id} was revoked at position {credential.revoked_at}", credential=credential.id
            )
        if now_us >= credential.expires_at_us:
            raise UnauthenticatedError(f"the token {credential.id} has expired", credential=credential.id)
        return credential

    def check(self, caller: Caller, now_us: int) -> None:
        """Raise UnauthenticatedError when a caller's token was revoked or has expired since it was shown."""
        if caller.token is None:
            return
        current = self.credentials.get(caller.credential)
        if current is None or current.revoked_at is not None:
            raise UnauthenticatedError(f"the token {caller.credential} was revoked", credential=caller.credential)
        if now_us >= current.expires_at_us:
            raise UnauthenticatedError(f"the token {caller.credential} has expired", credential=caller.credential)

    def enrolled(self, door: str, source: str) -> EnrolledSource | None:
        """Return the enrolment in force of exactly this source pattern, if there is one."""
        return next((s for s in self.sources if s.retired_at is None and (s.door, s.source) == (door, source)), None)

    def door(self, door: str, source: str) -> EnrolledSource:
        """Return the enrolment under which a source may come in by a door that authenticates by itself.

        An empty source is that of a body nobody understood: any enrolment at the door will do.
        """
        for enrolled in self.sources:
            if (
                enrolled.door == door
                and enrolled.retired_at is None
                and (not source or source_matches(enrolled.source, source))
            ):
                return enrolled
        raise ForbiddenError(
            f"no source is enrolled for {source or 'any body'} at the door {door}; run: change-ledger source enrol {door} "
            "SOURCE --principal WHO, with --authority-for where it speaks for people, as a code host does"
        )

    def permit(self, caller: Caller, statement: Statement, now_us: int) -> None:
        """Raise unless `caller` may append `statement` now. Asked at the door, and again under the lock when anything here has changed."""
        if caller.is_ledger:
            return
        area = statement.area
        if area in RESERVED_AREAS:
            raise ForbiddenError(f"the area {area} is reserved: only the ledger itself appends {statement.type}")
        if caller.token is not None:
            self.check(caller, now_us)
            if (fault := caller.token.scope_fault(statement.type, statement.source)) is not None:
                raise ForbiddenError(fault)
            if caller.token.rule is not None:
                _check_claims(caller, caller.token.rule, statement)
        elif caller.trust == "hmac":
            self.door(caller.door, statement.source).check_type(statement.type)
        elif caller.credential.startswith(ENVELOPE):
            self._signer(caller, statement.source).check_type(statement.type)
            return
        if statement.signatures:
            for signature in statement.signatures:
                self._producer_key(signature.keyid, statement.source)
            return
        for enrolled in self.sources:
            if enrolled.must_sign and enrolled.retired_at is None and _looks_like(enrolled.source, statement.source):
                raise ForbiddenError(
                    f"the source {statement.source} must sign its statements; this one came without a signature"
                )

    def signers(self, door: str) -> list[EnrolledSource]:
        """Return the sources in force at a door that sign envelopes, the last one first."""
        return [s for s in reversed(self.sources) if s.door == door and s.retired_at is None and s.envelope_keys]

    def _signer(self, caller: Caller, source: str) -> EnrolledSource:
        for enrolled in self.signers(caller.door):
            if enrolled.credential == caller.credential and source_matches(enrolled.source, source):
                return enrolled
        raise ForbiddenError(f"{caller.credential} signs envelopes for {source} no longer, or never did")

    def check_signatures(self, statement: Statement) -> None:
        """Raise ForbiddenError unless every signature over a statement is by a producer's key that may sign for its source now."""
        message = dsse.pae(STATEMENT_PAYLOAD_TYPE, statement.body)
        for signature in statement.signatures:
            record = self._producer_key(signature.keyid, statement.source)
            try:
                self.keyring.verifying_key(record).check(signature.sig, message)
            except VerificationError as error:
                raise ForbiddenError(f"the statement is not signed by {record.name}: {error}") from error

    def _producer_key(self, identifier: str, source: str) -> KeyRecord:
        try:
            record = self.keyring.find("producer", identifier)
        except VerificationError as error:
            raise ForbiddenError(f"{error}; an operator enrols it: change-ledger keys enrol producer …") from error
        # Everything that is folded has happened: the next position is over all of it.
        if (fault := producer_key_fault(record, self.position + 1, source)) is not None:
            raise ForbiddenError(
                f"the key {identifier[:16]}… of {record.name} may not sign for {source} any more or at all: {fault}"
            )
        return record

    def ledger_caller(self, entry_key: bytes) -> Caller:
        """Return the ledger itself, as the holder of an entry key. It alone records the reserved areas."""
        return Caller(f"key:{key_id(entry_key)[:16]}", LEDGER_PRINCIPAL, "asserted", is_ledger=True)

    # -- questions of the audit ----------------------------------------------------------------------------------

    def recorded_by_fault(
        self,
        recorded_by: Mapping[str, Any],
        *,
        key: str,
        position: int,
        recorded_at_us: int,
        event_type: str,
        source: str,
        signed: bool,
    ) -> Kind | None:
        """Say what is wrong with an entry's `recorded_by`, judged by what was in force before it, or None."""
        credential, principal, trust = recorded_by["credential"], recorded_by["principal"], recorded_by["trust"]
        if list(recorded_by) != (_WITH_CLAIMS if trust == "oidc" else _WITHOUT_CLAIMS):
            return Kind.RECORDED_BY_FORGED
        if credential.startswith("key:"):
            if credential != f"key:{key[:16]}" or trust != "asserted":
                return Kind.RECORDED_BY_FORGED
            return None if principal == LEDGER_PRINCIPAL else Kind.RECORDED_BY_FORGED
        if event_type.partition(".")[0] in RESERVED_AREAS:
            return Kind.RESERVED_AREA
        if trust == "hmac" or credential.startswith(ENVELOPE):
            if (trust == "signed") != credential.startswith(ENVELOPE) or signed:
                return Kind.RECORDED_BY_FORGED
            return self._door_fault(credential, principal, position, event_type, source)
        known = self.credentials.get(credential)
        if known is None:
            return Kind.CREDENTIAL_UNKNOWN
        if trust != ("signed" if signed else "token" if known.rule is None else "oidc"):
            return Kind.RECORDED_BY_FORGED
        # A signature vouches more than claims do, and its entry carries no claims: any principal of the rule may stand there.
        if known.principal != principal and (known.rule is None or not source_matches(known.principal, principal)):
            return Kind.RECORDED_BY_FORGED
        if (fault := known.fault_at(position, recorded_at_us)) is not None:
            return fault
        if (
            trust == "oidc"
            and known.rule is not None
            and known.rule.fault(recorded_by["claims"], principal) is not None
        ):
            return Kind.CLAIMS_OUTSIDE_RULE
        return Kind.CREDENTIAL_OUTSIDE_SCOPE if known.scope_fault(event_type, source) is not None else None

    def _door_fault(self, credential: str, principal: str, position: int, event_type: str, source: str) -> Kind | None:
        fault = Kind.CREDENTIAL_UNKNOWN
        for enrolled in self.sources:
            if enrolled.credential == credential and source_matches(enrolled.source, source):
                if enrolled.principal != principal:
                    return Kind.RECORDED_BY_FORGED
                if position <= enrolled.enrolled_at or (
                    enrolled.retired_at is not None and position > enrolled.retired_at
                ):
                    fault = Kind.CREDENTIAL_REVOKED
                    continue
                return None if enrolled.records(event_type) else Kind.CREDENTIAL_OUTSIDE_SCOPE
        return fault

    def must_sign(self, source: str, position: int) -> bool:
        """Say whether a statement of `source` at `position` had to be signed."""
        return any(
            enrolled.must_sign
            and enrolled.enrolled_at < position <= (enrolled.retired_at or position)
            and source_matches(enrolled.source, source)
            for enrolled in self.sources
        )

    def distrusted(self, credential: str, position: int) -> bool:
        """Say whether a revocation that reaches back covers what `credential` recorded at `position`."""
        known = self.credentials.get(credential)
        return known is not None and known.distrusted_from is not None and position >= known.distrusted_from
