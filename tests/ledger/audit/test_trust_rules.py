"""Tokens of enrolled issuers: the claims that a rule names stand in the entry, and the lock and the audit judge them alike."""

import hashlib
from typing import Any

import orjson
import pytest
from ledgers import cloud_event, possession, submission

from ledger.audit.of_database import audit_database
from ledger.authority import Caller, Trust
from ledger.errors import ForbiddenError, StatementTooLargeError, UnauthenticatedError
from ledger.events import CATALOGUE, example
from ledger.ledger import Ledger
from ledger.log.reading import read_entry
from ledger.log.recorder import Outcome, Recorded, Refused, Submission
from ledger.stewardship.credentials import enrol_source, issue_token, revoke_token
from ledger.stewardship.keys import enrol_key
from ledger.trust_rules import MAX_OIDC_STATEMENT_BYTES
from signing import dsse
from signing.keys import SigningKey

# Nothing here depends on the database: what is judged is bytes.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
RULE = "oidc:9f2c41d07b3e"
REQUIRED = [
    {"claim": "repository_id", "one_of": ["70107786", "70107787"]},
    {"claim": "ref", "one_of": ["refs/heads/main", "refs/tags/v*"]},
]
CLAIMS = {"repository_id": "70107786", "ref": "refs/heads/main", "run_id": "9102384"}
PRINCIPAL = "service:payments-ci"


def event_of(event_type: str) -> dict[str, Any]:
    return cloud_event() | {"type": event_type, "data": example(CATALOGUE[event_type])}


def enrol(ledger: Ledger, **more: Any) -> int:
    """Enrol a trust rule, as an operator's command will; return its position."""
    data = {
        "actor": "person:root",
        "credential": RULE,
        "issuer": "https://token.actions.githubusercontent.com",
        "audience": "https://ledger.example.com",
        "required": REQUIRED,
        "recorded": ["run_id", "environment"],
        "principal": PRINCIPAL,
        "kind": "service",
        "roles": ["reporter"],
        "areas": ["deployment"],
        "sources": ["https://ci.example.com/*"],
    } | more
    data = {name: value for name, value in data.items() if value is not None}
    statement = ledger.ledger_statement("ledger.trust_rule_enrolled", data)
    outcome = ledger.append(Submission((statement,), ledger.own_caller()))
    assert isinstance(outcome, Recorded)
    return outcome.receipts[0].position


def post(
    ledger: Ledger,
    claims: dict[str, Any] | None = CLAIMS,
    *,
    principal: str = PRINCIPAL,
    trust: Trust = "oidc",
    lying: bool = False,
    event: dict[str, Any] | None = None,
) -> Outcome:
    """Append as whoever showed a token. A lying door asked nobody for permission, and says that it did."""
    caller = Caller(RULE, principal, trust, None if lying else ledger.authority.credentials[RULE], claims=claims)
    permitted_at = ledger.authority.position if lying else -1
    outcome: Outcome = ledger.append(
        submission(ledger, event or cloud_event(), caller=caller, permitted_at=permitted_at)
    )
    return outcome


def faults(ledger: Ledger) -> list[tuple[int, str]]:
    return [(fault.position, fault.kind) for fault in audit_database(ledger.database, workers=1).faults]


def recorded_by(ledger: Ledger, position: int) -> dict[str, Any]:
    with ledger.database.read() as connection:
        found: dict[str, Any] = read_entry(connection, position).document["recorded_by"]
        return found


def test_the_claims_that_a_rule_names_stand_in_the_entry_and_the_audit_takes_them(ledger: Ledger) -> None:
    enrol(ledger)
    outcome = post(ledger)
    assert isinstance(outcome, Recorded)
    assert recorded_by(ledger, outcome.receipts[0].position) == {
        "claims": CLAIMS,
        "credential": RULE,
        "principal": PRINCIPAL,
        "trust": "oidc",
    }
    # Not every token makes a claim that is recorded, and not required.
    assert isinstance(post(ledger, {"repository_id": "70107787", "ref": "refs/tags/v1.2"}), Recorded)
    assert faults(ledger) == []


@pytest.mark.parametrize(
    "claims",
    [
        {},
        {"repository_id": "70107786"},
        CLAIMS | {"repository_id": "1"},
        CLAIMS | {"repository_id": "70107786*"},
        CLAIMS | {"ref": "refs/heads/main2"},
        CLAIMS | {"ref": "refs/tags/"},
        CLAIMS | {"sub": "repo:acme/payments-api"},
        CLAIMS | {"run_id": ""},
        CLAIMS | {"run_id": " 1"},
        CLAIMS | {"run_id": "x" * 257},
        CLAIMS | {"run_id": 'a"b'},
        CLAIMS | {"run_id": "é"},
    ],
)
def test_claims_that_do_not_satisfy_the_rule_are_refused_and_a_lying_door_is_found_out(
    ledger: Ledger, claims: dict[str, Any]
) -> None:
    enrol(ledger)
    refused = post(ledger, claims)
    assert isinstance(refused, Refused)
    assert isinstance(refused.error, ForbiddenError)
    assert RULE in str(refused.error)
    lied = post(ledger, claims, lying=True)
    assert isinstance(lied, Recorded)
    assert faults(ledger) == [(lied.receipts[0].position, "claims-outside-rule")]


@pytest.mark.parametrize(
    ("claims", "trust"), [(None, "oidc"), (CLAIMS, "token"), (CLAIMS, "hmac"), (CLAIMS, "signed"), (None, "token")]
)
def test_claims_stand_with_the_trust_oidc_and_with_no_other(
    ledger: Ledger, claims: dict[str, Any] | None, trust: Trust
) -> None:
    enrol(ledger)
    lied = post(ledger, claims, trust=trust, lying=True)
    assert isinstance(lied, Recorded)
    assert faults(ledger) == [(lied.receipts[0].position, "recorded-by-forged")]


def test_an_ordinary_token_makes_no_claims(ledger: Ledger) -> None:
    credential, _, _ = issue_token(ledger, actor="person:root", principal=PRINCIPAL, kind="service", roles=["reporter"])
    caller = Caller(credential, PRINCIPAL, "oidc", claims=CLAIMS)
    lied = ledger.append(submission(ledger, cloud_event(), caller=caller, permitted_at=ledger.authority.position))
    assert faults(ledger) == [(lied.receipts[0].position, "recorded-by-forged")]


def test_a_rule_that_nobody_enrolled_is_unknown(ledger: Ledger) -> None:
    lied = post(ledger, lying=True)
    assert isinstance(lied, Recorded)
    assert faults(ledger) == [(lied.receipts[0].position, "credential-unknown")]


def test_the_principal_is_the_rules(ledger: Ledger) -> None:
    enrol(ledger)
    assert isinstance(post(ledger, principal="person:mallory"), Refused)
    lied = post(ledger, principal="person:mallory", lying=True)
    assert isinstance(lied, Recorded)
    assert faults(ledger) == [(lied.receipts[0].position, "recorded-by-forged")]


def test_a_claim_names_the_principal_where_the_rule_says_so(ledger: Ledger) -> None:
    enrol(
        ledger,
        required=[{"claim": "groups", "one_of": ["release-managers"]}],
        recorded=["sub"],
        principal=None,
        principal_from={"kind": "okta", "claim": "sub"},
        kind="human",
    )
    claims = {"groups": "release-managers", "sub": "00u1a2b3"}
    assert isinstance(post(ledger, claims, principal="okta:00u1a2b3"), Recorded)
    assert isinstance(post(ledger, claims, principal="okta:00u9"), Refused)
    assert isinstance(post(ledger, {"groups": "release-managers"}, principal="okta:00u1a2b3"), Refused)
    assert faults(ledger) == []
    lied = post(ledger, claims, principal="okta:00u9", lying=True)
    assert isinstance(lied, Recorded)
    assert faults(ledger) == [(lied.receipts[0].position, "claims-outside-rule")]


@pytest.mark.parametrize(
    "more",
    [
        {"principal": None},
        {"principal_from": {"kind": "okta", "claim": "run_id"}},
        {"principal": None, "principal_from": {"kind": "okta", "claim": "sub"}},
        # An entry is cut at the first part of that name.
        {"recorded": ["run_id", "statement"]},
    ],
)
def test_a_rule_that_no_token_can_satisfy_is_a_fault_of_its_enrolment(ledger: Ledger, more: dict[str, Any]) -> None:
    position = enrol(ledger, **more)
    assert faults(ledger) == [(position, "enrolment-wrong")]


def test_a_rule_is_revoked_as_a_token_is_and_backwards(ledger: Ledger) -> None:
    enrol(ledger)
    first = post(ledger)
    assert isinstance(first, Recorded)
    position = first.receipts[0].position
    revoke_token(ledger, RULE, actor="person:root", reason="leaked", from_position=position)
    refused = post(ledger)
    assert isinstance(refused, Refused)
    assert isinstance(refused.error, UnauthenticatedError)
    report = audit_database(ledger.database, workers=1)
    assert report.faults == ()
    assert [(item.position, item.kind) for item in report.affected] == [(position, "credential-distrusted")]


def test_whoever_comes_by_a_rule_stays_within_its_areas_types_and_sources(ledger: Ledger) -> None:
    enrol(ledger, types=["change.opened"])
    assert isinstance(post(ledger, event=cloud_event("change.opened")), Recorded)
    assert isinstance(post(ledger, event=event_of("approval.granted")), Refused)
    assert isinstance(post(ledger, event=cloud_event() | {"source": "https://ci.example.org"}), Refused)
    assert faults(ledger) == []
    lied = post(ledger, event=event_of("approval.granted"), lying=True)
    assert isinstance(lied, Recorded)
    assert faults(ledger) == [(lied.receipts[0].position, "credential-outside-scope")]


def test_who_signs_besides_is_recorded_as_signed_and_without_claims(ledger: Ledger) -> None:
    enrol(ledger)
    key = SigningKey.from_seed(b"p" * 32)
    enrol_key(ledger, 
        key.public_key, role="producer", name="payments-ci", sources=["https://ci.example.com/*"],
        possession=possession(key, "producer"), actor="person:root",
    )  # fmt: skip
    payload = orjson.dumps(cloud_event() | {"ledger": ledger.origin}, option=orjson.OPT_SORT_KEYS)
    signature = dsse.Signature(key.key_id, key.sign(dsse.pae("application/cloudevents+json", payload)))
    statement = ledger.admission.admit_signed(payload, (signature,))
    caller = Caller(RULE, PRINCIPAL, "signed", ledger.authority.credentials[RULE])
    assert isinstance(ledger.append(Submission((statement,), caller)), Recorded)
    assert faults(ledger) == []


def test_a_statement_beside_claims_leaves_room_for_them(ledger: Ledger) -> None:
    enrol(ledger)
    event = cloud_event()
    room = MAX_OIDC_STATEMENT_BYTES - len(ledger.admission.admit(event).body)
    # An extension has at most 1024 characters of one to three bytes, and costs its name and punctuation.
    names = [f"x{number:02}" for number in range(room // 3080 + 1)]
    for name in names:
        left = MAX_OIDC_STATEMENT_BYTES - len(ledger.admission.admit(event | {name: ""}).body)
        event[name] = "\uffff" * min(1024, left // 3) + "x" * (left % 3 if left // 3 < 1024 else 0)
    assert len(ledger.admission.admit(event).body) == MAX_OIDC_STATEMENT_BYTES
    assert isinstance(post(ledger, event=event), Recorded)
    refused = post(ledger, event=event | {"id": event["id"] + "x"})
    assert isinstance(refused, Refused)
    assert isinstance(refused.error, StatementTooLargeError)


@pytest.mark.parametrize(
    ("named", "event_type", "is_recorded"),
    [
        (["deployment.finished"], "deployment.finished", True),
        (["deployment.finished"], "deployment.started", False),
        (["deployment.started", "deployment.finished"], "deployment.started", True),
        ([], "deployment.started", True),
    ],
)
def test_a_door_records_for_a_source_the_types_that_it_is_enrolled_for(
    ledger: Ledger, named: list[str], event_type: str, is_recorded: bool
) -> None:
    enrol_source(ledger, 
        "https://ci.example.com/*", door="github", principal="service:github", actor="person:root", types=named,
        by_secret=True,
    )  # fmt: skip
    caller = Caller(str(ledger.authority.sources[0].credential), "service:github", "hmac", door="github")
    outcome = ledger.append(submission(ledger, event_of(event_type), caller=caller, permitted_at=-1))
    assert isinstance(outcome, Recorded if is_recorded else Refused)
    assert faults(ledger) == []
    lied = ledger.append(
        submission(ledger, event_of(event_type), caller=caller, permitted_at=ledger.authority.position)
    )
    expected = [] if is_recorded else [(lied.receipts[0].position, "credential-outside-scope")]
    assert faults(ledger) == expected


@pytest.mark.parametrize(
    ("event_type", "is_recorded"),
    [("approval.granted", True), ("approval.rejected", False), ("deployment.finished", False)],
)
def test_a_token_for_single_types_reports_these_and_no_others(
    ledger: Ledger, event_type: str, is_recorded: bool
) -> None:
    _, token, _ = issue_token(
        ledger, actor="person:root", principal=PRINCIPAL, kind="service", roles=["reporter"], types=["approval.granted"]
    )
    [held] = [
        c for c in ledger.authority.credentials.values() if c.token_sha256 == hashlib.sha256(token.encode()).hexdigest()
    ]
    caller = Caller(held.id, held.principal, "token", held)
    outcome = ledger.append(submission(ledger, event_of(event_type), caller=caller, permitted_at=-1))
    assert isinstance(outcome, Recorded if is_recorded else Refused)
    # A later version of a type is the same leave.
    assert held.scope_fault("approval.granted.v2", "https://ci.example.com/x") is None
    assert held.scope_fault("approval.granted_twice", "https://ci.example.com/x") is not None


def test_a_type_lifts_no_operators_area(ledger: Ledger) -> None:
    credential, _, _ = issue_token(
        ledger, actor="person:root", principal=PRINCIPAL, kind="service", roles=["reporter"], types=["identity.linked"]
    )
    fault = ledger.authority.credentials[credential].scope_fault("identity.linked", "https://ci.example.com/x")
    assert fault is not None
    assert "operator" in fault
