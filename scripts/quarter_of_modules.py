"""What the made-up quarter tells of the first four modules of the curriculum: releases, pipelines, infrastructure and environments.

A few facts of each, most of them by the book, and in each module a breach or two that an auditor is to find. They lean on the changes and
deployments that `history.py` has told by then; no random number is spent, so that those stay what they are.
"""

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from history import Quarter

Facts = dict[str, Any]
_HOUR: Final = 60
_DAY: Final = 24 * _HOUR
_WEEK: Final = 7 * _DAY
# What the policy of the quarter asks for beside its quorum.
SETTINGS: Final = (
    ("environment-lifetime-hours", "pr-*", "72"),
    ("module-approval", "edge-proxy", "apply"),
    ("required-tag", "prod", "owner"),
    ("rpo-minutes", "identity-api", "20160"),
)
_PROD: Final[Facts] = {"environment": "prod"}
_IN_PROD: Final[Facts] = {"environments": ["prod"]}
_EDGE: Final[Facts] = {"service": "edge-proxy", **_PROD}
_MODULE: Final = "acme/network/aws"


def tell(quarter: "Quarter") -> None:
    """Tell the four modules of a quarter whose changes are told."""
    _releases(quarter)
    _pipelines(quarter)
    _infrastructure(quarter)
    _environments(quarter)


def _digest(name: str) -> str:
    return "sha256:" + hashlib.sha256(name.encode()).hexdigest()


# -- 1 Release strategy ----------------------------------------------------------------------------------------------------


def _releases(quarter: "Quarter") -> None:
    """A matrix and a canary kept, then one that everybody had at once; a release signed off; a budget kept, and one spent; the board."""
    _board(quarter)
    say, stamp = quarter.say, quarter.stamp
    say(2 * _DAY, "strategy.matrix_published", actor="person:olga", matrix_id="release-strategies", version="1",
        cells=[{"stateful": True, "strategies": ["canary"]}, {"strategies": ["canary", "rolling"]}])  # fmt: skip
    say(2 * _DAY + 9, "strategy.service_profiled", actor="person:olga", service="fraud-scoring", criticality="high",
        max_rollback_s=300, stateful=True)  # fmt: skip
    say(2 * _DAY + 10, "strategy.selected", actor="person:olga", service="fraud-scoring", strategy="canary")
    out = [(at, data) for at, data in quarter.told("deployment.started", "fraud-scoring") if at > 3 * _DAY]
    for (at, data), weights in zip(out, ((10, 100), (5, 50, 100), (100,)), strict=False):
        for number, weight in enumerate(weights):
            say(at + number, "rollout.observed", weight=weight, deployment_id=data["deployment_id"], service="fraud-scoring",
                **_PROD)  # fmt: skip
    parts: list[Facts] = []
    for owner, service in (("alice", "payments-api"), ("carol", "identity-api")):
        quarter.give(82 * _DAY, f"GR-owner-{owner}", f"person:{owner}", "owner", resource=service)
        parts.append({"service": service, "artifact": _digest(f"{service} of 2026.9")})
    say(84 * _DAY, "release.scope_defined", actor="person:olga", release_id="2026.9", components=parts,
        edges=[{"consumer": "payments-api", "provider": "identity-api"}])  # fmt: skip
    for owner, part in zip(("alice", "carol"), parts, strict=True):
        say(85 * _DAY, "team.signed_off", actor=f"person:{owner}", release_id="2026.9", **part)
    for service, good in (("identity-api", 99_990), ("search-index", 99_600)):
        slo = f"{service}-availability"
        say(3 * _DAY, "slo.published", actor="person:olga", slo_id=slo, service=service, method="occurrences",
            target="0.999", window_days=28, **_PROD)  # fmt: skip
        for week in range(1, 13):
            at = week * _WEEK
            say(at, "error_budget.measured", slo_id=slo, start=stamp(at - _DAY), end=stamp(at), unit="events",
                good=str(good if week == 6 else 100_000), total="100000")  # fmt: skip


def _board(quarter: "Quarter") -> None:
    """Two days on which the board is asked about everything that goes out: it decided about the first change, and not about the second."""
    say, stamp = quarter.say, quarter.stamp
    for who in ("alice", "bob", "carol"):
        quarter.give(_DAY, f"GR-cab-{who}", f"person:{who}", "cab")
    submitted = {data["change_id"]: at for at, data in quarter.told("change.submitted")}
    asked = [(change, at) for change, at in _deployed_changes(quarter) if at > 5 * _WEEK and change in submitted][:2]
    for number, (change, at) in enumerate(asked):
        say(2 * _DAY, "compliance_window.declared", actor="person:olga", window_id=f"close-{number}", start=stamp(at - 5),
            end=stamp(at + 5), services=["edge-proxy"], framework="soc2", **_IN_PROD)  # fmt: skip
        if number == 0:
            met: Facts = {"meeting_id": "CAB-5"}
            begin = submitted[change] + 4
            say(begin - 3, "cab.meeting_scheduled", actor="person:olga", **met, start=stamp(begin),
                end=stamp(begin + 4))  # fmt: skip
            say(begin - 1, "cab.agenda_fixed", actor="person:olga", **met, changes=[change])
            for place, who in enumerate(("bob", "carol")):
                say(begin + place, "cab.vote_cast", actor=f"person:{who}", **met, change_id=change, vote="for")
            say(begin + 3, "cab.decision_recorded", actor="person:carol", **met, change_id=change, verdict="approved")


# -- 2 Pipeline architecture -----------------------------------------------------------------------------------------------


def _pipelines(quarter: "Quarter") -> None:
    """Runs of a suite on two shards, one of which never comes once; scans, provenance, bills, and two tenants on one runner."""
    say = quarter.say
    suite: Facts = {"suite": "payments-api", "version": "1"}
    tests = ["refunds::paid_once", "refunds::paid_abroad"]
    say(4 * _DAY, "test.manifest_declared", actor="service:infrastructure-ci", **suite, tests=tests)
    say(4 * _DAY + 30, "test.manifest_accepted", actor="person:oscar", **suite)
    out = [
        (at, data)
        for at, data in quarter.told("deployment.started", "payments-api")
        if at > 5 * _DAY and "commit" in data
    ]
    for number, (at, data) in enumerate(out[:6]):
        # What goes out is named by a digest, or by a package URL that ends in one.
        run, commit, made = f"payments-{number}", data["commit"], "sha256:" + data["artifact"][-64:]
        builds: Facts = {"run_id": run, "runner_id": f"runner-{number}", "tenant": "payments"}
        say(at - 190, "pipeline_run.started", **builds)
        for shard, test in enumerate(tests, 1):
            # Of the fourth run, the second shard never came.
            if (number, shard) != (3, 2):
                say(at - 180 + shard, "test.shard_finished", report=f"{run}-{shard}", run_id=run, suite="payments-api",
                    shard=shard, shards=2, outcome="passed", tests=1, passed=[test], commit=commit)  # fmt: skip
        say(at - 170, "scan.completed", scan=f"{run}-scan", series="payments-api:semgrep", tool="semgrep", commit=commit,
            service="payments-api", executed=True, errors=0, warnings=1, notes=0)  # fmt: skip
        say(at - 160, "pipeline_run.finished", **builds, outcome="success", builder_id="https://builders.example.com/hosted",
            service="payments-api", commit=commit, artifacts=[made])  # fmt: skip
        say(at - 159, "attestation.received", attestation=_digest(f"{run} provenance"),
            predicate_type="https://slsa.dev/provenance/v1", signature="not_checked", subjects=1, artifacts=[made],
            commit=commit)  # fmt: skip
        say(at - 158, "sbom.recorded", sbom=f"{run}-bill", format="cyclonedx", format_version="1.6", artifact=made,
            service="payments-api", commit=commit, run_id=run, components=214, identified=211, dependencies=208,
            components_digest=_digest(f"{run} components"), complete=True)  # fmt: skip
    for number, tenant in enumerate(("payments", "data")):
        about: Facts = {"run_id": f"shared-{number}", "tenant": tenant, "runner_id": "runner-shared"}
        say(50 * _DAY + number * 20, "pipeline_run.started", **about)
        say(50 * _DAY + number * 20 + 50, "pipeline_run.finished", **about, outcome="success")


# -- 3 Governance of infrastructure as code ---------------------------------------------------------------------------------


def _infrastructure(quarter: "Quarter") -> None:
    """A plan each week that finds nothing to do but once; one applied by the book, and one that nobody had looked at."""
    say = quarter.say
    say(3 * _DAY, "module.approved", actor="person:olga", module=_MODULE, versions="~> 5.0")
    for week in range(1, 13):
        drifted = week == 6
        _plan(quarter, week * _WEEK + _HOUR, f"weekly-{week}", drifted=int(drifted),
            changes=[{"address": "aws_lb.edge", "drifted": True}] if drifted else [])  # fmt: skip
    # The first normal change of the service that was deployed: its scope names the plan, so its approval is that of the plan, too.
    change, at = next((one, at) for one, at in _deployed_changes(quarter) if at > 2 * _WEEK)
    submitted = [(when, data) for when, data in quarter.told("change.submitted") if data["change_id"] == change]
    for _, data in submitted:
        data["plans"] = [_digest("planned")]
    planned = submitted[0][0] - _HOUR
    _plan(quarter, planned, "planned", uses=_MODULE, creates=1)
    say(planned + 5, "iac.validated", plan=_digest("planned"), tool="conftest", verdict="passed", **_PROD)
    _apply(quarter, at - 5, "planned", change_id=change, serial=7)
    hurried = 60 * _DAY + 17 * _HOUR
    _plan(quarter, hurried, "hurried", uses="somebody/lambda/aws", updates=1)
    _apply(quarter, hurried + 5, "hurried", serial=8)
    for serial, when in ((7, at + _HOUR), (8, hurried + _HOUR)):
        say(when, "state.observed", state_digest=_digest(f"state {serial}"), serial=serial, lineage="b6c1", **_PROD)
    say(9 * _HOUR - 30, "template.ownership_assigned", actor="person:olga", template_id="routine-release",
        owner="person:erin", review_by=quarter.stamp(400 * _DAY))  # fmt: skip
    for number, is_rotated in enumerate((True, False)):
        about: Facts = {"secret": _digest(f"secret {number}"), "tool": "gitleaks", "rule": "private-key", "service": "edge-proxy",
            "path": f"keys/{number}.pem", "by_place": True}  # fmt: skip
        say(70 * _DAY + number, "secret.detected", **about)
        if is_rotated:
            say(70 * _DAY + _HOUR, "secret.rotated", actor="person:oscar", secret=about["secret"])


def _deployed_changes(quarter: "Quarter") -> Iterator[tuple[str, int]]:
    """Yield the normal changes of a service that were deployed, and when."""
    normal = {
        data["change_id"] for _, data in quarter.told("change.opened", "edge-proxy") if data["change_type"] == "normal"
    }
    for at, data in quarter.told("deployment.started", "edge-proxy"):
        if data.get("change_id") in normal:
            yield data["change_id"], at


def _plan(quarter: "Quarter", minute: int, name: str, *, uses: str = "", **more: Any) -> None:
    made: Facts = {
        "format_version": "1.2",
        "complete": True,
        "errored": False,
        "creates": 0,
        "updates": 0,
        "destroys": 0,
    } | more
    quarter.say(minute, "iac.plan_produced", plan=_digest(name), **made, **_EDGE)
    if uses:
        quarter.say(minute, "module.used", plan=_digest(name), uses=[{"module": uses, "constraint": "~> 5.1"}], **_EDGE)


def _apply(quarter: "Quarter", minute: int, name: str, *, serial: int, **more: Any) -> None:
    quarter.say(minute, "iac.applied", actor="service:infrastructure-ci", plan=_digest(name), outcome="success",
        state_digest=_digest(f"state {serial}"), serial=serial, lineage="b6c1", **_EDGE, **more)  # fmt: skip


# -- 4 Environments --------------------------------------------------------------------------------------------------------


def _environments(quarter: "Quarter") -> None:
    """Previews torn down in time, but one; two who reserved one environment; backups; tags; one that is late for a release; and staging,
    how like production it is, and what data it holds.
    """
    _staging(quarter)
    say, stamp = quarter.say, quarter.stamp
    for number, hours in ((1, 20), (2, 70), (3, 200)):
        at, about = number * _WEEK, Facts(environment=f"pr-{number}")
        say(at, "environment.created", **about, owner="person:paul")
        say(at + hours * _HOUR, "environment.deleted", **about)
    for number, (who, begin) in enumerate((("alice", 30), ("bob", 31), ("alice", 40))):
        say(25 * _DAY + number, "environment.reserved", actor=f"person:{who}", environment="qa-perf",
            reservation_id=f"RES-{number}", start=stamp(begin * _DAY), end=stamp((begin + 2) * _DAY),
            purpose="load")  # fmt: skip
    say(42 * _DAY - _HOUR, "perf_test.executed", test_id="PT-1", service="payments-api", environment="qa-perf",
        started_at=stamp(41 * _DAY), finished_at=stamp(41 * _DAY + _HOUR), outcome="passed",
        reservation_id="RES-2")  # fmt: skip
    say(3 * _DAY, "service.provisioned", service="identity-api", **_PROD, stateful=True, resources=["db.identity"])
    for week in range(1, 13):
        backup: Facts = {"backup_id": f"identity-{week}", "resource": "db.identity", **_PROD}
        # Two weeks' backups were lost.
        if week in (8, 9):
            continue
        say(week * _WEEK, "backup.completed", **backup, outcome="success")
        if week in (2, 7, 11):
            say(week * _WEEK + _HOUR, "restore.verified", **backup, duration_s=900,
                checks=[{"name": "rows", "passed": True}])  # fmt: skip
    for resource, tags in (("db.identity", [{"key": "owner", "value": "platform"}]), ("aws_s3.exports", [])):
        say(5 * _DAY, "resource.tagged", resource=resource, **_PROD, tags=tags)
    late = Facts(release_id="2026.8", environment="staging")
    say(60 * _DAY, "release.scheduled", actor="person:olga", release_id="2026.8", environments=["staging"],
        start=stamp(80 * _DAY))  # fmt: skip
    say(61 * _DAY, "environment.readiness_promised", actor="person:carol", **late, ready_by=stamp(75 * _DAY))
    say(77 * _DAY, "environment.ready_attested", **late, checks=[{"name": "smoke", "passed": True}])


def _staging(quarter: "Quarter") -> None:
    """Compared with production each month, with a key that nobody explained; masked data loaded as somebody else let it, and once not."""
    say, staging = quarter.say, Facts(environment="staging")
    for month, equal in ((1, 96), (2, 97), (3, 97)):
        differs = [{"key": "replicas", "here": _digest("2"), "there": _digest("6")}] if month > 1 else []
        say(month * 28 * _DAY, "environment.config_compared", **staging, other="prod", equal=equal, differences=differs)
    data, job = Facts(dataset_id="customers"), _digest("masking job")
    say(20 * _DAY, "dataset.classified", actor="person:oscar", **data, classification="confidential")
    say(21 * _DAY, "dataset.masking_verified", actor="person:oscar", **data, job_digest=job)
    say(21 * _DAY + _HOUR, "dataset.load_approved", actor="person:olga", **data, **staging, requester="person:paul")
    for number, more in enumerate((Facts(job_digest=job), Facts())):
        say((22 + 30 * number) * _DAY, "dataset.loaded", actor="service:platform", **data, **staging,
            load_id=f"LOAD-{number}", source="prod", **more)  # fmt: skip
