"""Results of policies as code: what Conftest, `opa eval` and PolicyReports say, and nothing that they quote.

The files are made up here, in the shapes that Conftest, OPA, Kyverno and Trivy's adapter write.
"""

import json
from typing import Any

import pytest
from files import facts_of, mutations

from api.intake.policy_results import FORMAT
from api.intake.translation import Fact, ForeignError, Mapped, Unmapped

SAID = {"service": "api", "environment": "prod"}
PLAN = "sha256:" + "7" * 64


def data_of(document: Any, **said: str) -> dict[str, Any]:
    [fact] = facts_of(FORMAT, json.dumps(document), SAID | said)
    assert (fact.type, fact.left_out) == ("scan.completed", ())
    return fact.data


def listed(data: dict[str, Any]) -> list[tuple[str, str | None, str, bool]]:
    return [(one["rule"], one.get("path"), one["level"], one["suppressed"]) for one in data.get("results", [])]


def said(**metadata: Any) -> dict[str, Any]:
    return {"msg": "s3cret", "metadata": metadata}


def of_file(filename: str = "web.yaml", **lists: Any) -> dict[str, Any]:
    return {"filename": filename, "namespace": "main"} | lists


def evaluated(text: str, value: Any) -> dict[str, Any]:
    return {"result": [{"expressions": [{"text": text, "value": value, "location": {"row": 1, "col": 1}}]}]}


def decided(path: str | None = None, result: Any = None, **more: Any) -> dict[str, Any]:
    """A decision of a server of OPA, as its log has it."""
    made = {
        "decision_id": "4ca636c1", "labels": {"id": "1780d507", "version": "1.0.0"}, "path": path, "input": {"token": "s3cret"},
        "requested_by": "10.0.0.9", "timestamp": "2026-03-02T09:00:00.123456789Z", "metrics": {"timer_server_handler_ns": 1},
    }  # fmt: skip
    return made | ({"result": result} if result is not None else {}) | more


def report(*results: dict[str, Any], **more: Any) -> dict[str, Any]:
    made = {"apiVersion": "wgpolicyk8s.io/v1alpha2", "kind": "PolicyReport", "source": "kyverno"}
    scope = {"kind": "Pod", "namespace": "shop", "name": "web", "uid": "961887ae"}
    return made | {"metadata": {"name": "polr-web"}, "scope": scope, "results": list(results)} | more


def held(result: str | None = "fail", **more: Any) -> dict[str, Any]:
    made = {"policy": "labels", "rule": "check-owner", "message": "s3cret", "properties": {"x": "s3cret"}}
    return made | ({"result": result} if result is not None else {}) | more


# What a file is like, the file, whether anything was evaluated, and what was found.
FILES: list[tuple[str, Any, bool | None, list[tuple[str, str | None, str, bool]]]] = [
    ("Conftest, passed", [of_file(successes=3)], True, []),
    ("Conftest, no test was run", [of_file(successes=0)], False, []),
    ("Conftest, no file was looked at", [], False, []),
    ("Conftest, older", [of_file(successes=[{"msg": ""}])], True, []),
    ("Conftest, failed", [of_file(successes=1, failures=[said()])], True, [("main.failures", "web.yaml", "error", False)]),
    ("Conftest, by name of the rule", [of_file(successes=1, failures=[said(query="data.main.deny_root")])], True,
        [("main.deny_root", "web.yaml", "error", False)]),
    ("Conftest, a warning", [of_file(successes=1, warnings=[said(query="data.main.warn")])], True,
        [("main.warn", "web.yaml", "warning", False)]),
    ("Conftest, an exception", [of_file(successes=0, exceptions=[said()])], True,
        [("main.exceptions", "web.yaml", "error", True)]),
    ("Conftest, from its input", [of_file("", failures=[said()])], True, [("main.failures", None, "error", False)]),
    ("opa, nothing to deny", evaluated("data.main.deny", []), True, []),
    ("opa, two to deny", evaluated("data.main.deny", ["s3cret", "s3cret 2"]), True, [("data.main.deny", None, "error", False)] * 2),
    ("opa, a package", evaluated("data.main", {"deny": ["s3cret"], "warn_x": {"s3cret": True}, "allow": True}), True,
        [("data.main.deny", None, "error", False), ("data.main.warn_x", None, "warning", False)]),
    ("opa, a truth", evaluated("data.main.violation", True), True, [("data.main.violation", None, "error", False)]),
    ("opa, a decision", decided("main/deny", ["s3cret"]), True, [("data.main.deny", None, "error", False)]),
    ("opa, decisions", [decided("/main/deny/", []), decided("main", {"warn": ["s3cret"]}), decided("app/allow", True)], True,
     [("data.main.warn", None, "warning", False)]),
    ("opa, one that failed", [decided("main/deny", []), decided("main/deny", error={"code": "s3cret"})], False, []),
    ("opa, a question of somebody", decided(query="data.main.deny", result=["s3cret"]) | {"path": None}, True,
     [("data.main.deny", None, "error", False)]),
    ("opa, no answer", {"result": []}, False, []),
    ("opa, an error", {"errors": [{"message": "s3cret"}]}, False, []),
    ("report, passed", report(held("pass")), True, []),
    ("report, failed", report(held()), True, [("labels/check-owner", "shop/Pod/web", "error", False)]),
    ("report, a warning", report(held("warn")), True, [("labels/check-owner", "shop/Pod/web", "warning", False)]),
    ("report, an error is neither", report(held("error")), True,
        [("not-evaluated:labels/check-owner", "shop/Pod/web", "error", False)]),
    ("report, skipped", report(held("skip")), True, []),
    ("report, not scored", report(held(scored=False)), True, []),
    ("report, of two things", report(held(resources=[{"kind": "Pod", "name": "a"}, {"kind": "Pod", "name": "b"}])), True,
        [("labels/check-owner", "Pod/a", "error", False), ("labels/check-owner", "Pod/b", "error", False)]),
    ("report, nothing was looked at", report(), None, []),
    ("report, no result is said", report(held(None)), None, []),
    ("report, a result that nobody knows", report(held("shrug"), held("fail")), None,
        [("labels/check-owner", "shop/Pod/web", "error", False)]),
    ("report, of OpenReports", report(held(), apiVersion="openreports.io/v1alpha1", kind="ClusterReport", scope=None), True,
        [("labels/check-owner", "ClusterReport/polr-web", "error", False)]),
    ("report, of a cluster", report(held(), kind="ClusterPolicyReport", scope=None), True,
        [("labels/check-owner", "ClusterPolicyReport/polr-web", "error", False)]),
]  # fmt: skip


@pytest.mark.parametrize(("made", "executed", "expected"), [pytest.param(*row[1:], id=row[0]) for row in FILES])
def test_a_file_says_what_was_broken_and_whether_anything_was_evaluated(
    made: Any, executed: bool | None, expected: Any
) -> None:
    data = data_of(made)
    assert (listed(data), data.get("executed")) == (expected, executed)
    assert len({one["fingerprint"] for one in data.get("results", [])}) == len(expected)
    assert (data["errors"], data["warnings"]) == tuple(
        sum(1 for one in expected if one[2] == level) for level in ("error", "warning")
    )
    assert "s3cret" not in json.dumps(data)
    assert FORMAT.redactor is not None
    assert b"s3cret" not in FORMAT.redactor.cut(json.dumps(made).encode())


def test_a_report_that_counts_more_than_it_lists_was_cut() -> None:
    data = data_of(report(held(), summary={"pass": 9, "fail": 3, "error": 1, "warn": 2, "skip": 0}))
    assert (data["errors"], data["warnings"], len(data["results"])) == (4, 2, 1)
    assert data_of(report(summary={"pass": 9}))["executed"] is True
    # What is not scored is in the summary, too, and does not count.
    assert data_of(report(held(scored=False), summary={"fail": 1}))["errors"] == 0
    assert data_of(report(held(scored=False), summary={"fail": 2}))["errors"] == 1


def test_reports_come_in_as_yaml_too_several_in_a_file() -> None:
    body = """apiVersion: reports.x-k8s.io/v1beta1
kind: PolicyReport
metadata: {name: polr-web, namespace: shop}
source: kyverno
summary: {pass: 1, fail: 2}
results:
  - {policy: labels, rule: check-owner, result: fail, message: s3cret, timestamp: {seconds: 1679565894, nanos: 0}}
  - {policy: labels, rule: check-team, result: fail, scored: false}
---
kind: ClusterPolicyReport
metadata: {name: polr-web}
results: [{policy: no, result: pass}]
"""
    first, second = facts_of(FORMAT, body, SAID)
    assert (listed(first.data), first.data["errors"]) == (
        [("labels/check-owner", "shop/PolicyReport/polr-web", "error", False)],
        1,
    )
    assert (first.time, second.data["executed"]) == ("2023-03-23T10:04:54.000000Z", True)
    assert FORMAT.redactor is not None
    assert b"s3cret" not in FORMAT.redactor.cut(body.encode())


def test_scans_of_one_thing_by_one_tool_are_a_series_and_each_report_is_of_its_thing() -> None:
    assert data_of([of_file(successes=1)])["series"] == "api:prod:conftest"
    listing = {"kind": "List", "items": [report(held("pass")), report(held(), scope={"kind": "Pod", "name": "db"})]}
    first, second = facts_of(FORMAT, json.dumps(listing), SAID)
    assert [fact.data["series"] for fact in (first, second)] == [
        "api:prod:kyverno:shop/Pod/web",
        "api:prod:kyverno:Pod/db",
    ]
    assert first.data["scan"] != second.data["scan"]


def test_a_report_says_when_its_last_result_is_of() -> None:
    results = [held(timestamp={"seconds": seconds, "nanos": -1}) for seconds in (1_679_565_894, 1_679_565_000, -1)]
    [fact] = facts_of(FORMAT, json.dumps(report(*results)), SAID)
    assert fact.time == "2023-03-23T10:04:54.000000Z"


@pytest.mark.parametrize(
    ("made", "said", "verdict"),
    [
        ([of_file(successes=2)], {}, "passed"),
        ([of_file(successes=2, warnings=[said()])], {}, "passed"),
        ([of_file(successes=2, failures=[said()])], {}, "failed"),
        ([of_file(exceptions=[said()])], {}, "failed"),
        ([of_file(successes=0)], {}, None),
        ([of_file(successes=2)], {"executed": "false"}, None),
        (evaluated("data.terraform.deny", []), {}, "passed"),
    ],
)
def test_a_plan_that_is_named_was_checked_if_anything_was_evaluated(
    made: Any, said: dict[str, str], verdict: str | None
) -> None:
    scan, *checked = facts_of(FORMAT, json.dumps(made), SAID | said | {"plan": PLAN})
    assert scan.type == "scan.completed"
    assert [(fact.type, fact.data["plan"], fact.data["verdict"]) for fact in checked] == (
        [("iac.validated", PLAN, verdict)] if verdict else []
    )


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not-json"),
        (b"3", "not-a-policy-result"),
        (b"{}", "not-a-policy-result"),
        (b'{"kind": "Pod"}', "not-a-policy-result"),
        (b'[{"filename": "a"}]', "not-a-policy-result"),
        (b"[3]", "not-a-policy-result"),
        (b'{"result": [{"expressions": [{"text": "data.main.allow", "value": true}]}]}', "no-rule-that-denies"),
        (json.dumps([decided("app/allow", True)]).encode(), "no-rule-that-denies"),
        (json.dumps([decided("main/deny", []), 3]).encode(), "not-a-policy-result"),
        (b'{"result": [], "result": []}', "key-twice"),
    ],
)
def test_what_is_no_result_of_policies_is_none(body: bytes, reason: str) -> None:
    assert FORMAT.redactor is not None
    with pytest.raises(ForeignError, match=reason):
        FORMAT.redactor.cut(body)


def test_no_mutation_of_a_file_is_worse_than_not_understood() -> None:
    assert FORMAT.redactor is not None
    whole = [row[1] for row in FILES if row[3]]
    bodies = [json.dumps(made).encode() for made in (*whole, {"kind": "List", "items": [report(held())]})]
    for body in bodies:
        for changed in mutations(body, 40):
            try:
                kept = FORMAT.redactor.cut(changed)
            except ForeignError:
                continue
            found = FORMAT.translate(FORMAT.context(SAID | {"plan": PLAN}).beside(changed), kept)
            assert isinstance(found, Mapped | Unmapped)
            assert not isinstance(found, Mapped) or all(isinstance(fact, Fact) for fact in found.facts)


def test_a_server_of_opa_prints_decisions_one_a_line_among_other_lines() -> None:
    lines = [
        {"level": "info", "msg": "Server initialized."},
        decided("main/deny", ["s3cret"]),
        decided("main/deny", []),
    ]
    body = b"\n".join(json.dumps(line).encode() for line in lines)
    [fact] = facts_of(FORMAT, body, SAID)
    assert (fact.data["executed"], fact.data["errors"], fact.time) == (True, 1, "2026-03-02T09:00:00.123456789Z")
    assert FORMAT.redactor is not None
    kept = FORMAT.redactor.cut(body)
    assert [word for word in (b"s3cret", b"10.0.0.9", b"token") if word in kept] == []
