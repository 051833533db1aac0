"""Files as their tools write them, posted to the door of each over a socket: what they show is found, or what was done against them."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from servers import Server, event, running_server
from views_processes import wait_for_views

ZERO = "sha256:" + "0" * 64
BUILT = "3" * 64
CALENDAR = "text/calendar"
XML = "application/xml"
JSON = "application/json"
YAML = "application/yaml"


class Desk:
    """A server, and people who speak there by credentials of their own."""

    def __init__(self, server: Server) -> None:
        self.server = server
        for name in ("olga", "oscar"):
            _, token = server.issue_token("reporter", "operator", principal=f"person:{name}", kind="human")
            server.tokens[name] = token

    def say(self, by: str, kind: str, **data: Any) -> None:
        """Record a fact in somebody's own name."""
        now = {"time": datetime.now(UTC).isoformat()}
        answer = self.server.post(event(kind, **data) | now, by=by)
        assert answer.status_code == 201, answer.text

    def take(
        self, door: str, kind: str, content: str | dict[str, Any] | list[Any], by: str = "all", **said: str
    ) -> None:
        """Post a file as its tool writes it, with what it cannot say beside."""
        body = content if isinstance(content, str) else json.dumps(content)
        answer = self.server.post(body.encode(), to=f"/v1/intake/{door}", by=by, kind=kind, params=said)
        assert answer.status_code == 201, answer.text

    def check_found(self, rule: str, words: str) -> None:
        """Check that one open finding of a rule says this, once the views have seen everything."""
        asked = {"rule": rule, "is_open": "true", "min_position": str(self.server.size())}
        answer = self.server.get("/v1/views/findings", params=asked)
        assert answer.status_code == 200, answer.text
        said = [row["says"] for row in answer.json()["items"]]
        assert len([says for says in said if words in says]) == 1, (rule, words, said)


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A ledger of its own, with a policy: it would hold for what other tests report, too."""
    with running_server(tmp_path_factory.mktemp("files") / "var") as server:
        wait_for_views(server)
        desk = Desk(server)
        settings = [
            {"name": "tests-settle-minutes", "applies_to": "any", "value": "0"},
            {"name": "builder", "applies_to": "any", "value": "https://builders.example.com/hosted"},
        ]
        policy = {"policy_id": "change-approval", "version": "1", "policy_digest": ZERO}
        desk.say("olga", "policy.published", actor="person:olga", **policy, settings=settings)
        desk.say("oscar", "policy.approved", actor="person:oscar", **policy)
        yield desk


def deploy(desk: Desk, name: str, environment: str, **more: Any) -> None:
    data = {"deployment_id": name, "service": "payments-api", "environment": environment, "actor": "service:all"}
    desk.say("all", "deployment.started", **data | more)


def test_a_report_of_tests_shows_which_were_not_run(desk: Desk) -> None:
    """2.2 by JUnit."""
    manifest = {
        "suite": "payments-api",
        "version": "1",
        "run_id": "4711",
        "tests": ["refunds::once", "refunds::abroad"],
    }
    desk.say("all", "test.manifest_declared", actor="service:all", **manifest)
    report = '<testsuite name="refunds"><testcase name="once" time="0.5"/></testsuite>'
    desk.take("junit", XML, report, run="4711", suite="payments-api")
    desk.check_found("tests-not-run", "did not run refunds::abroad")


def sarif(tool: str, rule: str, uri: str, **more: Any) -> dict[str, Any]:
    place = {"physicalLocation": {"artifactLocation": {"uri": uri}, "region": {"startLine": 3}}}
    result = {"ruleId": rule, "level": "error", "message": {"text": "no"}, "locations": [place]} | more
    run = {"tool": {"driver": {"name": tool}}, "invocations": [{"executionSuccessful": True}], "results": [result]}
    return {"version": "2.1.0", "runs": [run]}


def test_a_report_of_a_scan_shows_what_stands(desk: Desk) -> None:
    """2.4 by SARIF."""
    desk.take("sarif", JSON, sarif("tfsec", "AVD-AWS-0132", "queue.tf"), service="payments-api")
    desk.check_found("scan-error-stands", "tfsec found AVD-AWS-0132 in queue.tf")


def test_a_secret_that_a_scan_found_is_to_be_rotated(desk: Desk) -> None:
    """3.6 by SARIF."""
    report = sarif("gitleaks", "aws-access-token", "deploy.env")
    desk.take("sarif", JSON, report, service="payments-api", repository="acme/payments-api")
    desk.check_found("secret-not-rotated", "aws-access-token")


def test_a_policy_that_a_plan_breaks_stands(desk: Desk) -> None:
    """3.6 by the results of Conftest."""
    result = [{"filename": "plan.json", "namespace": "main", "successes": 1, "failures": [{"msg": "no key"}]}]
    desk.take("policy-results", JSON, result, service="payments-api", executed="true")
    desk.check_found("scan-error-stands", "conftest found")


def plan(**more: Any) -> dict[str, Any]:
    change = {"address": "aws_vpc.main", "mode": "managed", "change": {"actions": ["update"]}}
    return {
        "format_version": "1.2",
        "errored": False,
        "complete": True,
        "planned_values": {},
        "resource_changes": [change],
    } | more


def test_a_plan_of_a_part_is_found(desk: Desk) -> None:
    """2.1 by a plan of Terraform."""
    desk.take("terraform", JSON, plan(complete=False), environment="prod", service="payments-api")
    desk.check_found("plan-of-a-part", "for prod is not complete")


def test_what_a_plan_sees_drifted_is_found(desk: Desk) -> None:
    """3.3 by a plan of Terraform."""
    drifted = [{"address": "aws_vpc.main", "mode": "managed", "change": {"actions": ["update"]}}]
    desk.take("terraform", JSON, plan(resource_drift=drifted), environment="staging", service="payments-api")
    desk.check_found("drifted", "payments-api in staging is not as it was applied: aws_vpc.main")


def test_a_whole_plan_of_one_workspace_ends_no_drift_of_another(desk: Desk) -> None:
    drifted = [{"address": "aws_lb.edge", "mode": "managed", "change": {"actions": ["update"]}}]
    said = {"environment": "staging", "service": "edge"}
    desk.take("terraform", JSON, plan(resource_drift=drifted), **said, workspace="edge")
    desk.take("terraform", JSON, plan(resource_changes=[]), **said, workspace="network")
    desk.check_found("drifted", "edge in staging, workspace edge, is not as it was applied: aws_lb.edge")


def test_a_state_that_went_back_is_found(desk: Desk) -> None:
    """2.5 by two states of Terraform."""
    state = {"version": 4, "terraform_version": "1.9.5", "lineage": "b6c1", "outputs": {}, "resources": []}
    desk.take("terraform", JSON, state | {"serial": 5}, environment="prod", workspace="main")
    desk.take("terraform", JSON, state | {"serial": 4}, environment="prod", workspace="main")
    desk.check_found("serial-went-back", "the state of prod, workspace main, was written 4 times")


def test_what_another_builder_made_is_found_when_it_is_deployed(desk: Desk) -> None:
    """2.6 by a provenance of in-toto."""
    run = {"builder": {"id": "https://laptop.example.com/"}, "metadata": {"invocationId": "5001"}}
    provenance = {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "payments-api", "digest": {"sha256": BUILT}}],
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {"buildDefinition": {"buildType": "https://ci.example.com/v1"}, "runDetails": run},
    }
    desk.take("in-toto", JSON, provenance, by="olga")
    deploy(desk, "built-elsewhere", "prod", artifact=f"sha256:{BUILT}")
    desk.check_found("built-by-another-builder", "https://laptop.example.com/")


def test_a_budget_that_was_promised_and_measured_is_spent(desk: Desk) -> None:
    """1.6 by OpenSLO and an answer of Prometheus."""
    objective = """apiVersion: openslo/v1
kind: SLO
metadata: {name: paid}
spec:
  service: payments-api
  budgetingMethod: Occurrences
  timeWindow: [{duration: 28d, isRolling: true}]
  objectives: [{target: 0.999}]
"""
    desk.take("openslo", YAML, objective, by="olga", actor="person:olga", environment="prod")
    values = {"good": "99500", "total": "100000"}
    result = [{"metric": {"sli": name}, "value": [1_748_779_200, value]} for name, value in values.items()]
    answer = {"status": "success", "data": {"resultType": "vector", "result": result}}
    desk.take("prometheus", JSON, answer, slo="paid", window="1h")
    desk.check_found("error-budget-spent", "5.0000 times of the error budget of paid is spent")


def calendar(uid: str) -> str:
    """A calendar of yesterday until tomorrow: a freeze holds from when it is declared, and what is deployed in it is deployed now."""
    begin, end = (f"{datetime.now(UTC) + timedelta(days=days):%Y%m%dT%H%M%SZ}" for days in (-1, 1))
    lines = (f"DTSTAMP:{begin}", f"DTSTART:{begin}", f"DTEND:{end}", f"UID:{uid}")
    return "\r\n".join(("BEGIN:VCALENDAR", "VERSION:2.0", "BEGIN:VEVENT", *lines, "END:VEVENT", "END:VCALENDAR", ""))


def test_what_was_deployed_in_a_freeze_of_a_calendar_is_found(desk: Desk) -> None:
    """1.3 by iCalendar."""
    said = {"as": "freeze", "actor": "person:olga", "environment": "prod-frozen"}
    desk.take("icalendar", CALENDAR, calendar("summer"), by="olga", **said)
    deploy(desk, "in-the-freeze", "prod-frozen")
    desk.check_found("deployed-in-freeze", "in-the-freeze")


def test_what_was_deployed_in_a_window_of_compliance_without_the_board_is_found(desk: Desk) -> None:
    """1.4 by iCalendar."""
    said = {"as": "compliance-window", "actor": "person:olga", "environment": "prod-audited"}
    desk.take("icalendar", CALENDAR, calendar("audit"), by="olga", **said)
    deploy(desk, "without-the-board", "prod-audited", change_id="CHG-1")
    desk.check_found("deployed-without-the-board", "without-the-board")
