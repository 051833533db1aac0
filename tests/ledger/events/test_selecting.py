"""Where and when something holds: what can be said of it, and what cannot; labels; what a scope holds; findings by the hundred."""

import base64
import hashlib
from typing import Any

import pytest
from ledgers import ORIGIN, cloud_event

from ledger.clock import from_text
from ledger.errors import StatementError
from ledger.events import CATALOGUE, example, refs_of, sentence
from ledger.events.change import ChangeOpened, ChangeSubmitted
from ledger.events.deployment import DeploymentStarted
from ledger.events.freeze import FreezeDeclared
from ledger.events.identifiers import RecurrenceRule, Subject, fits
from ledger.statement import Admission, Statement

ADMISSION = Admission(
    origin=ORIGIN, now_us=lambda: from_text("2026-11-23T12:00:00Z"), random=lambda size: b"s" * size, pepper=b"p" * 32
)
FREEZE = {
    "actor": "person:frank",
    "freeze_id": "weekends",
    "start": "2026-11-27T17:00:00Z",
    "end": "2026-11-30T06:00:00Z",
}


def admit(event_type: str, data: dict[str, Any]) -> Statement:
    return ADMISSION.admit(cloud_event() | {"type": event_type, "data": data})


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=DAILY",
        "FREQ=WEEKLY;BYDAY=FR",
        "FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=TU,TH",
        "FREQ=MONTHLY;BYDAY=-1FR",
        "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
        "FREQ=MONTHLY;BYMONTHDAY=-1",
        "FREQ=YEARLY;BYMONTH=12;BYMONTHDAY=24,25,26",
        "FREQ=YEARLY;UNTIL=20301231T225959Z;BYMONTH=11;BYDAY=4TH",
        "FREQ=DAILY;UNTIL=20261231",
        "FREQ=DAILY;COUNT=10",
    ],
)
def test_a_freeze_recurs_by_a_rule_of_rfc_5545(rule: str) -> None:
    recurring = FREEZE | {"environments": ["prod"], "recurs": rule, "time_zone": "Europe/Berlin"}
    admit("freeze.declared", recurring | {"except_at": ["2026-12-25T17:00:00Z"]})
    assert fits(RecurrenceRule, rule)


@pytest.mark.parametrize(
    "rule",
    [
        "",
        "BYDAY=FR",
        "BYDAY=FR;FREQ=WEEKLY",
        "freq=weekly",
        "FREQ=HOURLY",
        "FREQ=SECONDLY",
        "FREQ=WEEKLY;",
        "FREQ=WEEKLY;;BYDAY=FR",
        "FREQ=WEEKLY;BYDAY=XX",
        "FREQ=WEEKLY;BYHOUR=3",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;COUNT=0",
        "FREQ=DAILY;COUNT=100000",
        "FREQ=MONTHLY;BYMONTHDAY=32",
        "FREQ=YEARLY;BYMONTH=13",
        "FREQ=DAILY;UNTIL=2026-12-31",
        "RRULE:FREQ=DAILY",
        # Twice the same, and two ends.
        "FREQ=WEEKLY;BYDAY=FR;BYDAY=SA",
        "FREQ=DAILY;COUNT=3;UNTIL=20261231",
    ],
)
def test_what_is_no_such_rule_is_refused_in_words_at_its_place(rule: str) -> None:
    with pytest.raises(StatementError, match="rule") as caught:
        admit("freeze.declared", FREEZE | {"environments": ["prod"], "recurs": rule})
    assert caught.value.place == "/data/recurs"


@pytest.mark.parametrize(
    ("selected", "said"),
    [
        ({"environments": ["prod", "prod-eu"]}, "weekends of prod, prod-eu from"),
        ({"tiers": ["production"]}, "weekends of the tier production from"),
        ({"patterns": ["prod-*"], "services": ["payments-api"]}, "weekends of names like prod-* from"),
        (
            {"tiers": ["production"], "tenants": ["acme"], "regions": ["eu-west-1"]},
            "weekends of the tier production from",
        ),
    ],
)
def test_a_freeze_names_environments_tiers_or_patterns_and_says_which(selected: dict[str, Any], said: str) -> None:
    statement = admit("freeze.declared", FREEZE | selected)
    assert said in sentence(FreezeDeclared, statement.data)
    assert {ref for ref in statement.refs if ref.startswith("tier:")} == {
        f"tier:{t}" for t in selected.get("tiers", ())
    }


@pytest.mark.parametrize("selected", [{}, {"services": ["payments-api"]}, {"environments": [], "tiers": []}])
def test_a_freeze_of_no_environment_is_refused(selected: dict[str, Any]) -> None:
    with pytest.raises(StatementError, match="at least one of environments, patterns, tiers"):
        admit("freeze.declared", FREEZE | selected)


@pytest.mark.parametrize("tier", ["prod", "Production", "qa", ""])
def test_there_are_four_tiers(tier: str) -> None:
    with pytest.raises(StatementError, match="production, staging, testing or development"):
        admit("environment.declared", {"actor": "person:root", "environment": "live", "tier": tier})


@pytest.mark.parametrize("change_type", ["standard", "normal", "emergency", "unauthorized", "hotfix", "Pre-approved"])
def test_a_change_is_of_any_type_that_a_policy_has(change_type: str) -> None:
    admit("change.opened", example(ChangeOpened) | {"change_type": change_type})


@pytest.mark.parametrize("severity", ["sev1", "P1", "critical"])
def test_an_incident_has_the_severity_that_responders_say(severity: str) -> None:
    admit("incident.opened", example(CATALOGUE["incident.opened"]) | {"severity": severity})


def test_what_was_said_before_there_were_these_fields_says_and_points_to_the_same() -> None:
    opened = {
        "actor": "person:a",
        "change_id": "CHG-7",
        "change_type": "normal",
        "services": ["pay"],
        "environment": "prod",
    }
    assert refs_of(ChangeOpened, opened) == ["change:CHG-7", "environment:prod", "service:pay"]
    submitted = {"actor": "person:a", "change_id": "CHG-7", "scope_digest": "sha256:" + "0" * 64}
    assert refs_of(ChangeSubmitted, submitted) == ["change:CHG-7"]
    declared = FREEZE | {"environments": ["prod"]}
    assert refs_of(FreezeDeclared, declared) == ["environment:prod", "freeze:weekends"]
    assert "freeze weekends of prod from 2026-11-27T17:00:00Z to" in sentence(FreezeDeclared, declared)
    started = {"deployment_id": "d-1", "service": "pay", "environment": "prod"}
    assert DeploymentStarted.model_validate(started).attempt == 1


@pytest.mark.parametrize("attempt", [0, -1, "1", 1.5, None])
def test_attempts_of_a_deployment_count_from_one(attempt: object) -> None:
    with pytest.raises(StatementError):
        CATALOGUE.validate("deployment.started", example(DeploymentStarted) | {"attempt": attempt})


def test_a_scope_says_what_it_holds(example_of_scope: dict[str, Any]) -> None:
    for event_type in ("change.submitted", "change.scope_amended"):
        statement = admit(event_type, example_of_scope)
        assert {"environment:prod-eu", "environment:prod-us", "service:payments-api"} <= set(statement.refs)
    with pytest.raises(StatementError, match="window_end"):
        admit("change.submitted", example_of_scope | {"window_end": "2026-11-23T00:00:00Z"})


@pytest.fixture
def example_of_scope() -> dict[str, Any]:
    digest = "sha256:" + "0" * 64
    return {
        "actor": "person:alice",
        "change_id": "CHG-7",
        "scope_digest": digest,
        "services": ["payments-api"],
        "environments": ["prod-eu", "prod-us"],
        "commits": ["9fceb02d0ae598e95dc970b74767f19372d61af8"],
        "artifacts": [digest],
        "template_id": "restart-cache",
        "plans": [digest],
        "window_start": "2026-11-24T00:00:00Z",
        "window_end": "2026-11-24T04:00:00Z",
        "external_digests": [{"name": "terraform-state", "digest": digest}],
    }


def test_five_hundred_findings_are_disposed_of_by_one_statement() -> None:
    said = base64.b64encode(hashlib.sha256(b"words").digest()).decode()
    findings = [{"subject": f"acme/payments-api/deploy-{number:07}", "said": said} for number in range(500)]
    assert all(fits(Subject, finding["subject"]) for finding in findings)
    data = {"actor": "person:root", "disposition": "accepted", "rule": "deployed_in_freeze", "reason": "x" * 16_000}
    statement = admit("finding.disposed", data | {"findings": findings[:480], "until": "2027-01-01T00:00:00Z"})
    assert statement.refs == ("rule:deployed_in_freeze",)
    short = [{"subject": f"payments-api-{number}", "said": said} for number in range(500)]
    admit("finding.disposed", data | {"findings": short})
    with pytest.raises(StatementError):
        admit("finding.disposed", data | {"findings": [*short, short[0]]})
