"""What the made-up quarter tells of the first four modules of the curriculum: releases, pipelines, infrastructure and environments.

A few facts of each, most of them by the book, and in each module a breach or two that an auditor is to find. They lean on the changes and
deployments that `history.py` has told by then; no random number is spent, so that those stay what they are.
"""

import hashlib
from collections.abc import Iterator, Mapping
from typing import Any, Final, Protocol

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


class Quarter(Protocol):
    """What this needs of the story that it adds to."""

    def say(
        self, minute: int, sender: str, kind: str, name: str, /, positions: Mapping[str, str] | None = None, **data: Any
    ) -> None: ...

    def stamp(self, minute: int) -> str: ...

    def told(self, kind: str, service: str = "") -> Iterator[tuple[int, Facts]]:
        """Yield when each statement of a type was told, and its data, which may still be added to; of one service, or of any."""
        ...


def tell(quarter: Quarter) -> None:
    """Tell the four modules of a quarter whose changes are told."""
    _releases(quarter)
    _pipelines(quarter)
    _infrastructure(quarter)
    _environments(quarter)


def _digest(name: str) -> str:
    return "sha256:" + hashlib.sha256(name.encode()).hexdigest()


# -- 1 Release strategy ----------------------------------------------------------------------------------------------------


def _releases(quarter: Quarter) -> None:
    """A matrix and a canary kept, then one that everybody had at once; a release signed off; a budget kept, and one spent; the board."""
    _board(quarter)
    say, stamp = quarter.say, quarter.stamp
    say(2 * _DAY, "olga", "strategy.matrix_published", "strategies/1", actor="person:olga", matrix_id="release-strategies",
        version="1", cells=[{"stateful": True, "strategies": ["canary"]}, {"strategies": ["canary", "rolling"]}])  # fmt: skip
    say(2 * _DAY + 9, "olga", "strategy.service_profiled", "strategies/profile", actor="person:olga", service="fraud-scoring",
        criticality="high", max_rollback_s=300, stateful=True)  # fmt: skip
    say(2 * _DAY + 10, "olga", "strategy.selected", "strategies/chosen", actor="person:olga", service="fraud-scoring",
        strategy="canary")  # fmt: skip
    out = [(at, data) for at, data in quarter.told("deployment.started", "fraud-scoring") if at > 3 * _DAY]
    for (at, data), weights in zip(out, ((10, 100), (5, 50, 100), (100,)), strict=False):
        for number, weight in enumerate(weights):
            say(at + number, "monitoring", "rollout.observed", f"{data['deployment_id']}/{weight}", weight=weight,
                deployment_id=data["deployment_id"], service="fraud-scoring", **_PROD)  # fmt: skip
    parts: list[Facts] = []
    for owner, service in (("alice", "payments-api"), ("carol", "identity-api")):
        say(82 * _DAY, "access", "access.granted", f"GR-owner-{owner}/granted", actor="person:olga", grant_id=f"GR-owner-{owner}",
            principal=f"person:{owner}", principal_kind="human", role="owner", resource=service)  # fmt: skip
        parts.append({"service": service, "artifact": _digest(f"{service} of 2026.9")})
    say(84 * _DAY, "olga", "release.scope_defined", "2026.9/defined", actor="person:olga", release_id="2026.9",
        components=parts, edges=[{"consumer": "payments-api", "provider": "identity-api"}])  # fmt: skip
    for owner, part in zip(("alice", "carol"), parts, strict=True):
        say(85 * _DAY, owner, "team.signed_off", f"2026.9/{owner}", actor=f"person:{owner}", release_id="2026.9",
            **part)  # fmt: skip
    for service, good in (("identity-api", 99_990), ("search-index", 99_600)):
        slo = f"{service}-availability"
        say(3 * _DAY, "olga", "slo.published", slo, actor="person:olga", slo_id=slo, service=service, method="occurrences",
            target="0.999", window_days=28, **_PROD)  # fmt: skip
        for week in range(1, 13):
            at = week * _WEEK
            say(at, "monitoring", "error_budget.measured", f"{slo}/{week}", slo_id=slo, start=stamp(at - _DAY), end=stamp(at),
                unit="events", good=str(good if week == 6 else 100_000), total="100000")  # fmt: skip


def _board(quarter: Quarter) -> None:
    """Two days on which the board is asked about everything that goes out: it decided about the first change, and not about the second."""
    say, stamp = quarter.say, quarter.stamp
    for who in ("alice", "bob", "carol"):
        say(_DAY, "access", "access.granted", f"GR-cab-{who}/granted", actor="person:olga", grant_id=f"GR-cab-{who}",
            principal=f"person:{who}", principal_kind="human", role="cab")  # fmt: skip
    submitted = {data["change_id"]: at for at, data in quarter.told("change.submitted")}
    asked = [(change, at) for change, at in _deployed_changes(quarter) if at > 5 * _WEEK and change in submitted][:2]
    for number, (change, at) in enumerate(asked):
        say(2 * _DAY, "olga", "compliance_window.declared", f"close/{number}", actor="person:olga", window_id=f"close-{number}",
            start=stamp(at - 5), end=stamp(at + 5), services=["edge-proxy"], framework="soc2", **_IN_PROD)  # fmt: skip
        if number == 0:
            met: Facts = {"meeting_id": "CAB-5"}
            begin = submitted[change] + 4
            say(begin - 3, "olga", "cab.meeting_scheduled", "CAB-5", actor="person:olga", **met, start=stamp(begin),
                end=stamp(begin + 4))  # fmt: skip
            say(begin - 1, "olga", "cab.agenda_fixed", "CAB-5/agenda", actor="person:olga", **met, changes=[change])
            for place, who in enumerate(("bob", "carol")):
                say(begin + place, who, "cab.vote_cast", f"CAB-5/{who}", actor=f"person:{who}", **met, change_id=change,
                    vote="for")  # fmt: skip
            say(begin + 3, "olga", "cab.decision_recorded", "CAB-5/decision", actor="person:olga", **met, change_id=change,
                verdict="approved")  # fmt: skip


# -- 2 Pipeline architecture -----------------------------------------------------------------------------------------------


def _pipelines(quarter: Quarter) -> None:
    """Runs of a suite on two shards, one of which never comes once; scans, provenance, bills, and two tenants on one runner."""
    say = quarter.say
    suite: Facts = {"suite": "payments-api", "version": "1"}
    tests = ["refunds::paid_once", "refunds::paid_abroad"]
    say(4 * _DAY, "infrastructure", "test.manifest_declared", "suite/1", actor="service:infrastructure-ci", **suite,
        tests=tests)  # fmt: skip
    say(4 * _DAY + 30, "oscar", "test.manifest_accepted", "suite/1/accepted", actor="person:oscar", **suite)
    out = [
        (at, data)
        for at, data in quarter.told("deployment.started", "payments-api")
        if at > 5 * _DAY and "commit" in data
    ]
    for number, (at, data) in enumerate(out[:6]):
        # What goes out is named by a digest, or by a package URL that ends in one.
        run, commit, made = f"payments-{number}", data["commit"], "sha256:" + data["artifact"][-64:]
        builds: Facts = {"run_id": run, "runner_id": f"runner-{number}", "tenant": "payments"}
        say(at - 190, "infrastructure", "pipeline_run.started", f"{run}/started", **builds)
        for shard, test in enumerate(tests, 1):
            # Of the fourth run, the second shard never came.
            if (number, shard) != (3, 2):
                say(at - 180 + shard, "infrastructure", "test.shard_finished", f"{run}/shard-{shard}", report=f"{run}-{shard}",
                    run_id=run, suite="payments-api", shard=shard, shards=2, outcome="passed", tests=1, passed=[test],
                    commit=commit)  # fmt: skip
        say(at - 170, "infrastructure", "scan.completed", f"{run}/scan", scan=f"{run}-scan", series="payments-api:semgrep",
            tool="semgrep", commit=commit, service="payments-api", executed=True, errors=0, warnings=1, notes=0)  # fmt: skip
        say(at - 160, "infrastructure", "pipeline_run.finished", f"{run}/finished", **builds, outcome="success",
            builder_id="https://builders.example.com/hosted", service="payments-api", commit=commit,
            artifacts=[made])  # fmt: skip
        say(at - 159, "infrastructure", "attestation.received", f"{run}/provenance", attestation=_digest(f"{run} provenance"),
            predicate_type="https://slsa.dev/provenance/v1", signature="not_checked", subjects=1, artifacts=[made],
            commit=commit)  # fmt: skip
        say(at - 158, "infrastructure", "sbom.recorded", f"{run}/bill", sbom=f"{run}-bill", format="cyclonedx", format_version="1.6",
            artifact=made, service="payments-api", commit=commit, run_id=run, components=214, identified=211, dependencies=208,
            components_digest=_digest(f"{run} components"), complete=True)  # fmt: skip
    for number, tenant in enumerate(("payments", "data")):
        about: Facts = {"run_id": f"shared-{number}", "tenant": tenant, "runner_id": "runner-shared"}
        say(50 * _DAY + number * 20, "infrastructure", "pipeline_run.started", f"shared-{number}/started", **about)
        say(50 * _DAY + number * 20 + 50, "infrastructure", "pipeline_run.finished", f"shared-{number}/finished", **about,
            outcome="success")  # fmt: skip


# -- 3 Governance of infrastructure as code ---------------------------------------------------------------------------------


def _infrastructure(quarter: Quarter) -> None:
    """A plan each week that finds nothing to do but once; one applied by the book, and one that nobody had looked at."""
    say = quarter.say
    say(3 * _DAY, "olga", "module.approved", f"{_MODULE}/approved", actor="person:olga", module=_MODULE,
        versions="~> 5.0")  # fmt: skip
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
    say(planned + 5, "infrastructure", "iac.validated", "planned/checked", plan=_digest("planned"), tool="conftest",
        verdict="passed", **_PROD)  # fmt: skip
    _apply(quarter, at - 5, "planned", change_id=change, serial=7)
    hurried = 60 * _DAY + 17 * _HOUR
    _plan(quarter, hurried, "hurried", uses="somebody/lambda/aws", updates=1)
    _apply(quarter, hurried + 5, "hurried", serial=8)
    for serial, when in ((7, at + _HOUR), (8, hurried + _HOUR)):
        say(when, "infrastructure", "state.observed", f"state/{serial}", state_digest=_digest(f"state {serial}"), serial=serial,
            lineage="b6c1", **_PROD)  # fmt: skip
    say(9 * _HOUR - 30, "olga", "template.ownership_assigned", "routine-release/owner", actor="person:olga",
        template_id="routine-release", owner="person:erin", review_by=quarter.stamp(400 * _DAY))  # fmt: skip
    for number, is_rotated in enumerate((True, False)):
        about: Facts = {"secret": _digest(f"secret {number}"), "tool": "gitleaks", "rule": "private-key", "service": "edge-proxy",
            "path": f"keys/{number}.pem", "by_place": True}  # fmt: skip
        say(70 * _DAY + number, "infrastructure", "secret.detected", f"secret/{number}", **about)
        if is_rotated:
            say(70 * _DAY + _HOUR, "oscar", "secret.rotated", f"secret/{number}/rotated", actor="person:oscar",
                secret=about["secret"])  # fmt: skip


def _deployed_changes(quarter: Quarter) -> Iterator[tuple[str, int]]:
    """Yield the normal changes of a service that were deployed, and when."""
    normal = {
        data["change_id"] for _, data in quarter.told("change.opened", "edge-proxy") if data["change_type"] == "normal"
    }
    for at, data in quarter.told("deployment.started", "edge-proxy"):
        if data.get("change_id") in normal:
            yield data["change_id"], at


def _plan(quarter: Quarter, minute: int, name: str, *, uses: str = "", **more: Any) -> None:
    made: Facts = {
        "format_version": "1.2",
        "complete": True,
        "errored": False,
        "creates": 0,
        "updates": 0,
        "destroys": 0,
    } | more
    quarter.say(minute, "infrastructure", "iac.plan_produced", f"{name}/plan", plan=_digest(name), **made, **_EDGE)
    if uses:
        quarter.say(minute, "infrastructure", "module.used", f"{name}/modules", plan=_digest(name),
            uses=[{"module": uses, "constraint": "~> 5.1"}], **_EDGE)  # fmt: skip


def _apply(quarter: Quarter, minute: int, name: str, *, serial: int, **more: Any) -> None:
    quarter.say(minute, "infrastructure", "iac.applied", f"{name}/applied", actor="service:infrastructure-ci",
        plan=_digest(name), outcome="success", state_digest=_digest(f"state {serial}"), serial=serial, lineage="b6c1", **_EDGE,
        **more)  # fmt: skip


# -- 4 Environments --------------------------------------------------------------------------------------------------------


def _environments(quarter: Quarter) -> None:
    """Previews torn down in time, but one; two who reserved one environment; backups; tags; one that is late for a release; and staging,
    how like production it is, and what data it holds.
    """
    _staging(quarter)
    say, stamp = quarter.say, quarter.stamp
    for number, hours in ((1, 20), (2, 70), (3, 200)):
        at, about = number * _WEEK, Facts(environment=f"pr-{number}")
        say(at, "platform", "environment.created", f"pr-{number}/created", **about, owner="person:paul")
        say(at + hours * _HOUR, "platform", "environment.deleted", f"pr-{number}/deleted", **about)
    for number, (who, begin) in enumerate((("alice", 30), ("bob", 31), ("alice", 40))):
        say(25 * _DAY + number, who, "environment.reserved", f"perf/{number}", actor=f"person:{who}", environment="qa-perf",
            reservation_id=f"RES-{number}", start=stamp(begin * _DAY), end=stamp((begin + 2) * _DAY), purpose="load")  # fmt: skip
    say(42 * _DAY - _HOUR, "platform", "perf_test.executed", "perf/test", test_id="PT-1", service="payments-api",
        environment="qa-perf", started_at=stamp(41 * _DAY), finished_at=stamp(41 * _DAY + _HOUR), outcome="passed",
        reservation_id="RES-2")  # fmt: skip
    say(3 * _DAY, "platform", "service.provisioned", "identity-api/provisioned", service="identity-api", **_PROD, stateful=True,
        resources=["db.identity"])  # fmt: skip
    for week in range(1, 13):
        backup: Facts = {"backup_id": f"identity-{week}", "resource": "db.identity", **_PROD}
        # Two weeks' backups were lost.
        if week in (8, 9):
            continue
        say(week * _WEEK, "platform", "backup.completed", f"identity-{week}/backup", **backup, outcome="success")
        if week in (2, 7, 11):
            say(week * _WEEK + _HOUR, "platform", "restore.verified", f"identity-{week}/restore", **backup, duration_s=900,
                checks=[{"name": "rows", "passed": True}])  # fmt: skip
    for resource, tags in (("db.identity", [{"key": "owner", "value": "platform"}]), ("aws_s3.exports", [])):
        say(5 * _DAY, "platform", "resource.tagged", f"{resource}/tags", resource=resource, **_PROD, tags=tags)
    late = Facts(release_id="2026.8", environment="staging")
    say(60 * _DAY, "olga", "release.scheduled", "2026.8/scheduled", actor="person:olga", release_id="2026.8",
        environments=["staging"], start=stamp(80 * _DAY))  # fmt: skip
    say(61 * _DAY, "carol", "environment.readiness_promised", "2026.8/promised", actor="person:carol", **late,
        ready_by=stamp(75 * _DAY))  # fmt: skip
    say(77 * _DAY, "platform", "environment.ready_attested", "2026.8/ready", **late,
        checks=[{"name": "smoke", "passed": True}])  # fmt: skip


def _staging(quarter: Quarter) -> None:
    """Compared with production each month, with a key that nobody explained; masked data loaded as somebody else let it, and once not."""
    say, staging = quarter.say, Facts(environment="staging")
    for month, equal in ((1, 96), (2, 97), (3, 97)):
        differs = [{"key": "replicas", "here": _digest("2"), "there": _digest("6")}] if month > 1 else []
        say(month * 28 * _DAY, "platform", "environment.config_compared", f"staging/compared-{month}", **staging, other="prod",
            equal=equal, differences=differs)  # fmt: skip
    data, job = Facts(dataset_id="customers"), _digest("masking job")
    say(20 * _DAY, "oscar", "dataset.classified", "customers/class", actor="person:oscar", **data,
        classification="confidential")  # fmt: skip
    say(
        21 * _DAY, "oscar", "dataset.masking_verified", "customers/masked", actor="person:oscar", **data, job_digest=job
    )
    say(21 * _DAY + _HOUR, "olga", "dataset.load_approved", "customers/let", actor="person:olga", **data, **staging,
        requester="person:paul")  # fmt: skip
    for number, more in enumerate((Facts(job_digest=job), Facts())):
        say((22 + 30 * number) * _DAY, "platform", "dataset.loaded", f"customers/load-{number}", actor="service:platform", **data,
            **staging, load_id=f"LOAD-{number}", source="prod", **more)  # fmt: skip
