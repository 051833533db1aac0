"""2.3 Least-privilege permissions of pipelines: given these facts, this is found, and this is answered."""

import pytest
from asking import against, ask, ready_to_deploy
from changes import CI, deploy, finding, found, found_by_any_process, give, limit, pass_time, publish, ready
from people import enrol
from telling import Story, at
from year import DAY, DESK, START, Change, Year, stamp

from ledger.authority import LEDGER_PRINCIPAL
from projections.readings.changes.branch_protections import branch_protections
from projections.readings.people.permission_use import UNUSED_AFTER_DAYS, permission_use
from projections.rules.protection import weaker
from projections.rules.words import listed


def test_a_service_whose_grant_nobody_owns_is_found_until_the_grant_ends() -> None:
    story = Story()
    give(story, owner=None, expires_at=at(6))
    assert found(story) == {"ownerless-credential": ["G"]}
    pass_time(story, 5)
    assert found(story) == {}
    give(story, owner="service:ci")
    assert found(story) == {"ownerless-credential": ["G"]}
    give(story)
    assert found(story) == {}


@pytest.mark.parametrize("first", ["the grant", "the policy"])
def test_a_service_that_does_not_use_its_grant_is_found_when_the_policy_says_so(first: str) -> None:
    story = Story()
    if first == "the grant":
        give(story)
        limit(story, "dormant-after-days", 1)
    else:
        limit(story, "dormant-after-days", 1)
        give(story)
    pass_time(story, 21)
    assert found(story) == {}
    pass_time(story, 4)
    assert found(story) == {"dormant-credential": ["G"]}
    story.tell("access.used", by="service:ci", **CI, purpose="deployment")
    assert found(story) == {}
    pass_time(story, 23)
    assert found(story) == {}
    pass_time(story, 2)
    assert "has not used G (deployer) since" in finding(story, "dormant-credential", "G").says


def test_a_secret_that_is_not_rotated_in_time_is_found_until_it_is() -> None:
    story = Story()
    give(story)
    limit(story, "rotate-within-days", 1)
    story.tell("access.used", by="service:ci", **CI, purpose="deployment")
    pass_time(story, 24)
    assert found(story) == {"unrotated-credential": ["G"]}
    story.tell("access.rotated", actor="person:olga", **CI)
    assert found(story) == {}
    pass_time(story, 24)
    assert found(story) == {"unrotated-credential": ["G"]}


def test_a_human_needs_no_owner_and_no_use() -> None:
    story = Story()
    give(story, owner=None, kind="human", principal="person:ann")
    limit(story, "dormant-after-days", 1)
    pass_time(story, 30)
    assert found(story) == {}


def test_a_limit_counts_from_when_the_policy_comes_into_effect() -> None:
    story = Story()
    give(story)
    limit(story, "dormant-after-days", 1, effective_from=at(40))
    pass_time(story, 36)
    assert found(story) == {}
    pass_time(story, 2)
    assert found(story) == {"dormant-credential": ["G"]}


def test_what_a_policy_makes_due_is_found_whoever_folds_and_from_wherever() -> None:
    story = Story()
    give(story)
    limit(story, "dormant-after-days", 1)
    limit(story, "access-review-days", 1, version="2", effective_from=at(12))
    pass_time(story, 34)
    assert found(story) != {}
    found_by_any_process(story)


def test_a_limit_that_no_calendar_has_a_day_for_is_none() -> None:
    story = Story()
    give(story)
    for number, name in enumerate(("dormant-after-days", "rotate-within-days", "access-review-days")):
        limit(story, name, 99_999_999, version=str(number))
    pass_time(story, 3)
    assert not story.folder.failures
    assert found(story) == {}


def test_a_deployer_without_the_role_that_the_policy_asks_for_is_found() -> None:
    story = ready()
    publish(story, ("deployer-role", "prod", "deployer"))
    deploy(story)
    assert found(story) == {"deployer-without-grant": ["d-1"]}
    # A grant that is recorded afterwards excuses nothing, whatever its date.
    give(story, time=at(0))
    assert found(story) == {"deployer-without-grant": ["d-1"]}
    deploy(story, "d-2")
    assert found(story) == {"deployer-without-grant": ["d-1"]}


def test_a_deployer_is_known_by_the_end_alone_and_by_a_promotion() -> None:
    where = {"deployment_id": "d-1", "service": "api", "change_id": "CHG-7"}
    for how in ("finished", "promoted"):
        story = ready()
        publish(story, ("deployer-role", "prod", "deployer"))
        if how == "finished":
            story.tell("deployment.finished", actor="service:ci", **where, environment="prod", outcome="success")
        else:
            story.tell("deployment.promoted", actor="service:ci", **where, environment="staging", to_environment="prod")
        assert found(story)["deployer-without-grant"] == ["d-1"], how


def test_who_reports_late_needs_the_grant_when_they_report_too() -> None:
    story = ready()
    publish(story, ("deployer-role", "prod", "deployer"))
    give(story, expires_at=at(14))
    pass_time(story, 10)
    deploy(story, time=at(13))
    assert found(story)["deployer-without-grant"] == ["d-1"]


def test_the_policy_asks_nothing_of_what_was_deployed_before_it_was_recorded() -> None:
    story = ready()
    deploy(story)
    publish(story, ("deployer-role", "prod", "deployer"))
    pass_time(story, 1)
    assert found(story) == {}
    # Nor by claiming to have been approved earlier: it counts from when that was recorded.
    digest = {"policy_id": "change-approval", "version": "2", "policy_digest": "sha256:" + "9" * 64}
    settings = [{"name": "deployer-role", "applies_to": "prod", "value": "deployer"}]
    story.tell("policy.published", actor="person:olga", **digest, settings=settings)
    story.tell("policy.approved", actor="person:oscar", **digest, time=at(0))
    assert found(story) == {}


def test_a_policy_that_is_approved_again_was_in_force_all_the_while() -> None:
    story = ready()
    publish(story, ("deployer-role", "prod", "deployer"))
    deploy(story)
    assert found(story) == {"deployer-without-grant": ["d-1"]}
    digest = {"policy_id": "change-approval", "version": "1", "policy_digest": "sha256:" + "9" * 64}
    story.tell("policy.approved", actor="person:oscar", **digest)
    assert found(story) == {"deployer-without-grant": ["d-1"]}


@pytest.mark.parametrize(
    ("by", "actor", "expected"),
    [
        # Whoever tells of it names nobody.
        ("service:mallory", None, "service:mallory told of"),
        ("service:ci", None, ""),
        # Or names somebody who holds the role, for whom they may not speak.
        ("service:mallory", "service:ci", "service:mallory told, as service:ci's, of"),
        ("service:forge", "github:ann", ""),
        ("service:ci", "github:ann", ""),
        ("service:ci", "github:eve", "github:eve deployed"),
    ],
)
def test_whoever_tells_of_a_deployment_answers_for_it_where_nobody_else_does(
    by: str, actor: str | None, expected: str
) -> None:
    story = ready()
    publish(story, ("deployer-role", "prod", "deployer"))
    give(story)
    give(story, grant_id="GA", principal="github:ann", kind="human")
    enrol(story, "service:forge", "github:*")
    where = {"deployment_id": "d-1", "service": "api", "environment": "prod", "change_id": "CHG-7"}
    named = {"actor": actor} if actor else {}
    story.tell("deployment.finished", by=by, **where, **named, outcome="success")
    assert ("deployer-without-grant" in found(story)) is bool(expected)
    if expected:
        assert finding(story, "deployer-without-grant", "d-1").says.startswith(expected)


def test_a_grant_to_another_login_of_the_deployer_is_theirs_too() -> None:
    story = ready()
    publish(story, ("deployer-role", "prod", "deployer"))
    story.tell("access.granted", actor="person:olga", grant_id="G", principal="person:dora", principal_kind="human",
        role="deployer", environment="prod")  # fmt: skip
    deploy(story, actor="gitlab:7")
    assert found(story) == {"deployer-without-grant": ["d-1"]}
    story.tell("identity.linked", actor="person:olga", identities=["gitlab:7", "person:dora"], evidence="hr")
    assert found(story) == {}


def test_who_approved_does_not_deploy() -> None:
    assert against(ask(ready_to_deploy(), actor="person:bob")) == {"deployer-is-allowed": ("deny", "S2")}


def test_a_deployer_holds_the_role_that_the_policy_asks_for() -> None:
    story = ready_to_deploy("normal", ("deployer-role", "prod", "deployer"))
    assert against(ask(story)) == {"deployer-is-allowed": ("deny", "no-grant")}
    story.tell("access.granted", actor="person:olga", grant_id="GR-9", principal="service:ci", principal_kind="service",
        role="deployer", environment="prod", expires_at=at(22))  # fmt: skip
    assert ask(story).verdict == "allow"
    assert against(ask(story, hours=22)) == {"deployer-is-allowed": ("deny", "no-grant")}


# -- who speaks, and who may ---------------------------------------------------------------------------------------------


def test_who_speaks_for_another_or_without_power_is_found_and_lets_nobody_do_anything() -> None:
    story = Story()
    where = {"environments": ["prod"], "start": at(0), "end": at(99), "time_zone": "UTC"}
    story.tell("freeze.declared", actor="person:frank", by="service:ci", freeze_id="F", **where)
    story.tell("freeze.declared", actor="person:paul", by="person:paul", freeze_id="F", **where)
    assert found(story) == {"spoken-for-another": ["1"], "without-power": ["2"]}
    assert finding(story, "spoken-for-another", "1").says == (
        "freeze.declared does not count: S12: service:ci may not speak for person:frank"
    )
    assert finding(story, "without-power", "2").says == (
        "freeze.declared does not count: without power: person:paul is no operator, and no policy names a role for freeze.declared"
    )
    story.tell("statement.withdrawn", position=1, reason="x")
    # Whoever said it took it back, and that is found in its place.
    assert found(story) == {"without-power": ["2"], "withdrawn-by-who-acted": ["spoken-for-another/1"]}


def test_who_grants_themselves_a_role_is_found_and_does_not_hold_it() -> None:
    story = ready()
    publish(story, ("deployer-role", "prod", "deployer"))
    story.tell(
        "access.granted",
        actor="person:dora",
        grant_id="G",
        principal="person:dora",
        principal_kind="human",
        role="deployer",
    )
    deploy(story, actor="person:dora")
    assert found(story) == {"deployer-without-grant": ["d-1"], "power-given-to-oneself": ["G"]}
    assert finding(story, "power-given-to-oneself", "G").says == "G: person:dora gave deployer to themselves"


# -- what is used, and what is too much ----------------------------------------------------------------------------------


def test_a_policy_says_after_how_long_a_permission_is_unused() -> None:
    story = Story()
    give(story)
    assert (UNUSED_AFTER_DAYS.default, story.row(permission_use, "G").state) == (90, "new")
    limit(story, "unused-after-days", 1)
    pass_time(story, 30)
    assert story.row(permission_use, "G").state == "unused"
    story.tell("access.used", by="service:ci", **CI, purpose="deployment")
    assert (story.row(permission_use, "G").state, story.row(permission_use, "G").uses) == ("used", 1)
    pass_time(story, 30)
    assert story.row(permission_use, "G").state == "unused"
    story.tell("access.revoked", actor="person:olga", **CI)
    assert story.row(permission_use, "G").state == "over"


@pytest.mark.parametrize(
    ("kind", "where", "is_found"),
    [
        ("service", {"environment": None}, True),
        ("service", {"environment": "%2A"}, True),
        ("human", {"environment": "prod", "resource": "repo/%2A"}, True),
        ("human", {"environment": None}, False),
        ("service", {"environment": None, "resource": "db.payments"}, False),
        ("service", {"environment": "prod"}, False),
    ],
)
def test_a_grant_for_anything_is_found_until_it_ends(kind: str, where: dict[str, str | None], is_found: bool) -> None:
    story = Story()
    data = {
        "grant_id": "G",
        "principal": "service:ci",
        "principal_kind": kind,
        "role": "deployer",
        "owner": "person:olga",
    }
    told = {name: value for name, value in where.items() if value is not None}
    story.tell("access.granted", actor="person:olga", **data, **told)
    assert found(story) == ({"wildcard-grant": ["G"]} if is_found else {})
    story.tell("access.revoked", actor="person:olga", **CI)
    assert found(story) == {}


def protect(story: Story, action: str = "edited", before: dict[str, str] | None = None, **rules: str) -> int:
    told = {
        name: [{"name": rule, "value": value} for rule, value in said.items()]
        for name, said in (("rules", rules), ("before", before or {}))
    }
    return story.tell(
        "code.branch_protection_changed", actor="github:7", repository="acme/api", branch="main", action=action, **told
    )


def test_who_lets_less_be_asked_of_a_branch_is_found_and_asking_again_undoes_nothing() -> None:
    story = Story()
    protect(story, "created", required_approvals="2", force_pushes="off", admins_enforced="true")
    protect(story, required_approvals="3")
    assert found(story) == {}
    protect(story, required_approvals="1", force_pushes="everyone")
    protect(story, required_approvals="3", force_pushes="off")
    assert found(story) == {"branch-rules-weakened": ["acme/api#main"]}
    says = finding(story, "branch-rules-weakened", "acme/api#main").says
    assert "github:7" in says
    assert "required_approvals from 3 to 1" in says
    assert "force_pushes from off to everyone" in says
    assert story.row(branch_protections, "acme/api#main").state == "protected"


def test_what_was_never_told_counts_as_its_sender_says_that_it_was_and_a_deletion_takes_all_away() -> None:
    story = Story()
    protect(story, before={"required_approvals": "2"}, required_approvals="0")
    assert found(story) == {"branch-rules-weakened": ["acme/api#main"]}
    story = Story()
    protect(story, "deleted")
    assert "taken away" in finding(story, "branch-rules-weakened", "acme/api#main").says
    assert story.row(branch_protections, "acme/api#main").state == "unprotected"


def test_admins_who_may_pass_by_are_found_where_the_policy_forbids_it_until_they_may_not() -> None:
    story = Story()
    protect(story, "created", admins_enforced="false", reviews="non_admins")
    assert found(story) == {}
    publish(story, ("admin-bypass", "acme/api", "forbidden"))
    assert found(story) == {"admins-may-bypass": ["acme/api#main"]}
    assert "reviews" in finding(story, "admins-may-bypass", "acme/api#main").says
    protect(story, admins_enforced="true")
    assert found(story) == {}


def test_nobody_says_that_more_is_asked_of_a_branch_than_another_told_unless_they_have_the_power() -> None:
    def asked(story: Story) -> dict[str, str]:
        row = story.row(branch_protections, "acme/api#main")
        return {rule.name: rule.value for rule in row.rules} | {"state": row.state}

    story = Story()
    publish(story, ("admin-bypass", "acme/api", "forbidden"))
    about = {"actor": "service:ci", "repository": "acme/api", "branch": "main", "action": "edited"}
    more = [{"name": "admins_enforced", "value": "true"}, {"name": "required_approvals", "value": "2"}]
    protect(story, admins_enforced="false")
    assert found(story)["admins-may-bypass"] == ["acme/api#main"]
    # What nobody told of before is told; what the code host told stands, however often another says otherwise.
    for _ in range(2):
        story.tell("code.branch_protection_changed", **about, rules=more)
        assert asked(story) == {"admins_enforced": "false", "required_approvals": "2", "state": "protected"}
        assert found(story)["admins-may-bypass"] == ["acme/api#main"]
    story.tell("code.branch_protection_changed", **about | {"action": "deleted"}, rules=[])
    story.tell("code.branch_protection_changed", **about, rules=more)
    assert asked(story) == {"state": "unprotected"}
    protect(story, admins_enforced="true")
    assert asked(story) == {"admins_enforced": "true", "state": "protected"}
    # One that is enrolled for it.
    enrol(story, "service:inventory", types=("code.branch_protection_changed",))
    protect(story, admins_enforced="false")
    story.tell("code.branch_protection_changed", **about | {"actor": "service:inventory"}, rules=more)
    assert "admins-may-bypass" not in found(story)


def test_a_policy_that_rests_on_what_anybody_may_say_is_found() -> None:
    story = Story()
    publish(story, ("builder", "any", "https://b.example.com/*"), ("secret-gate", "prod", "optional"))
    assert found(story, ()) == {"policy-believes-anybody": ["change-approval"]}
    says = finding(story, "policy-believes-anybody", "change-approval").says
    assert says == "change-approval 1 rests builder on pipeline_run.finished, and names no role for it"
    for number, name in enumerate(("secret.rotated", "any"), 2):
        settings = (("verifier", "any", "https://v.example.com/*"), ("secret-gate", "prod", "required"))
        publish(story, *settings, ("role-for", name, "teller"), version=str(number))
        assert ("policy-believes-anybody" in found(story, ())) is (name != "any")


@pytest.mark.parametrize(
    ("setting", "value", "event"),
    [
        ("test-suite", "api", "test.shard_finished test.manifest_accepted"),
        ("board-band", "high", "risk.assessed"),
        ("scan-tool", "tfsec", "scan.completed"),
        ("plan-validation", "required", "iac.validated"),
        ("readiness-gate", "required", "environment.ready_attested"),
        ("rpo-minutes", "60", "backup.completed"),
        ("restore-test-days", "7", "restore.verified"),
        ("parity-days", "7", "environment.config_compared"),
        ("parity-percent", "90", "environment.config_compared"),
        ("required-tag", "owner", "resource.tagged"),
        ("error-budget", "enforced", "error_budget.measured"),
        ("state-account", "required", "state.observed"),
        ("provider-upgrades", "tested", "compatibility.tested"),
        ("impact-assessment", "when-shared", "change.impact_assessed"),
        ("release-strategy", "required", "strategy.selected"),
        ("verification", "required", "deployment.verified"),
        ("access-review-days", "90", "access_review.item_decided"),
        ("environment-lifetime-hours", "24", "environment.ttl_extended"),
    ],
)
def test_so_is_one_that_rests_on_what_anybody_says_was_tested_scanned_checked_attested_or_backed_up(
    setting: str, value: str, event: str
) -> None:
    story = Story()
    publish(story, (setting, "prod", value))
    says = finding(story, "policy-believes-anybody", "change-approval").says
    told = listed(f"{setting} on {name}" for name in event.split())
    assert says == f"change-approval 1 rests {told}, and names no role for it"
    publish(story, (setting, "prod", value), *(("role-for", name, "teller") for name in event.split()), version="2")
    assert "policy-believes-anybody" not in found(story, ())


@pytest.mark.parametrize("name", ["quorum", "required-role", "board-decision"])
def test_so_is_one_that_asks_for_more_by_the_band_which_whoever_scores_first_says(name: str) -> None:
    story = Story()
    value = {"quorum": "2", "required-role": "lead", "board-decision": "required"}[name]
    publish(story, (name, "normal", value))
    assert "policy-believes-anybody" not in found(story, ())
    publish(story, (name, "high", value), version="2")
    says = finding(story, "policy-believes-anybody", "change-approval").says
    assert says == f"change-approval 2 rests {name} of high on risk.assessed, and names no role for it"
    publish(story, (name, "high", value), ("role-for", "risk.assessed", "scorer"), version="3")
    assert "policy-believes-anybody" not in found(story, ())


def test_so_is_one_that_asks_for_triggers_which_whoever_deploys_may_define_and_answer() -> None:
    story = Story()
    for version, (named, left) in enumerate((
        ((), "rollback-triggers on rollback.decided, rollback-triggers on rollback.trigger_defined"),
        (("rollback.decided",), "rollback-triggers on rollback.trigger_defined"),
        (("rollback.decided", "rollback.trigger_defined"), ""),
    )):  # fmt: skip
        roles = [("role-for", name, "teller") for name in named]
        publish(story, ("rollback-triggers", "prod", "1"), *roles, version=str(version))
        row = finding(story, "policy-believes-anybody", "change-approval")
        assert row.is_open is bool(left)
        assert left in row.says


def test_so_is_one_where_a_model_scores_a_change_lower_because_of_who_reviews_its_code() -> None:
    story = Story()
    publish(story)
    model = {"model_id": "m", "version": "1", "model_digest": "sha256:" + "7" * 64}
    story.tell(
        "risk.model_published", actor="person:dan", **model, form="weighted_points", features_version="1",
        parameters=[{"name": "independent_reviewers", "value": "-1"}], bands=[{"name": "low", "value": "0"}],
    )  # fmt: skip
    assert found(story, ()) == {}
    story.tell("risk.model_approved", actor="person:erin", **model)
    says = finding(story, "policy-believes-anybody", "change-approval").says
    assert says == "change-approval 1 rests risk model m/1 on code_review.submitted, and names no role for it"
    publish(story, ("role-for", "code_review.submitted", "reviewer"), version="2")
    assert found(story, ()) == {}


def test_which_of_two_values_is_weaker() -> None:
    assert weaker({"a": "2", "b": "true"}, {"a": "2", "b": "true", "c": "off"}) == []
    assert weaker({"a": "1"}, {"a": "0"}) == ["a from 1 to 0"]
    assert weaker({"deletions": "false"}, {"deletions": "true"}) == ["deletions from false to true"]
    assert weaker({"a": "everyone"}, {"a": "non_admins"}) == ["a from everyone to non_admins"]
    assert weaker({"a": "everyone"}, {"a": "unheard"}) == []


# -- planted in the year -------------------------------------------------------------------------------------------------


def plant_a_deployer_without_a_grant(year: Year, change: Change) -> set[str]:
    change.deployer = "person:somebody"
    return {f"deployer-without-grant/{change.deployment}"}


def plant_services_that_do_not_use_renew_or_own_what_they_hold(year: Year) -> set[str]:
    grants = {
        rule: year.grant(START, f"service:{rule}", "reader", is_owned=rule != "ownerless-credential")
        for rule in ("dormant-credential", "unrotated-credential", "ownerless-credential")
    }
    for rule, grant in grants.items():
        year.employ(grant, uses=rule != "dormant-credential", rotates=rule != "unrotated-credential")
    return {f"{rule}/{grant}" for rule, grant in grants.items()}


def plant_statements_in_the_name_of_others_and_without_power(year: Year) -> set[str]:
    at = START + 60 * DAY
    about = {
        "principal": "person:mallory",
        "principal_kind": "human",
        "role": "release-approver",
        "environment": "staging",
    }
    declared = {"environments": ["staging"], "start": stamp(at), "end": stamp(at + DAY), "time_zone": "UTC"}
    # A grant for mallory in olga's name, by a pipeline and by mallory; another by mallory for a friend; and one for herself.
    for by in ("service:team-0-ci", "person:mallory"):
        said = year.say(at, "access.granted", by=by, actor="person:olga", grant_id=f"GR-by-{by[-2:]}", **about)
        year.doubt("spoken-for-another", said)
    friend = about | {"principal": "person:friend"}
    year.doubt("without-power", year.say(at, "access.granted", actor="person:mallory", grant_id="GR-friend", **friend))
    year.doubt("without-power", year.say(at, "access.granted", actor="person:mallory", grant_id="GR-own", **about))
    # An engineer declares a freeze, and the desk lifts it for frank; a machine reviews what was done.
    year.doubt("without-power", year.say(at, "freeze.declared", actor="person:t0-1", freeze_id="own", **declared))
    lifted = year.say(at + DAY / 2, "freeze.lifted", by=DESK, actor="person:frank", freeze_id="own")
    year.doubt("spoken-for-another", lifted)
    return {"power-given-to-oneself/GR-own"}


def plant_two_who_give_each_other_power(year: Year) -> set[str]:
    """The one whom an operator made a granter makes another one, who makes the first an approver."""
    year.settings.append(("role-for", "access.granted", "granter"))
    at = START + 70 * DAY
    year.grant(at, "person:gina", "granter", environment=None)
    year.grant(at + DAY, "person:gus", "granter", environment=None, by="person:gina")
    year.say(at + 2 * DAY, "access.granted", actor="person:gus", grant_id="GR-back", principal="person:gina",
        principal_kind="human", role="release-approver", environment="staging")  # fmt: skip
    return {"power-given-to-oneself/GR-back"}


def plant_honest_statements_that_an_authority_reports(year: Year) -> set[str]:
    """The directory was enrolled for people and for grants, and reports one by somebody who has no credential at all."""
    source = {"source": "test", "door": "events", "principal": "service:directory", "authority_for": ["person:*"]}
    year.say(
        START,
        "ledger.source_enrolled",
        by=LEDGER_PRINCIPAL,
        actor="person:olga",
        must_sign=False,
        types=["access.granted"],
        **source,
    )
    year.say(START + 75 * DAY, "access.granted", by="service:directory", actor="person:head-of-hr", grant_id="GR-hr",
        principal="person:new", principal_kind="human", role="reader", environment="staging")  # fmt: skip
    return set()


def plant_what_is_good_for_anything_and_less_that_is_asked_of_branches(year: Year) -> set[str]:
    """A service may do anything anywhere; a lead lets a branch ask for less, and one who administers may pass by another."""
    year.settings.append(("admin-bypass", "acme/locked", "forbidden"))
    grant = year.grant(START + 40 * DAY, "service:anything", "reader", environment=None)
    for repository, enforced in (("acme/open", "false"), ("acme/locked", "false"), ("acme/kept", "true")):
        about = {"actor": "person:t0-lead-0", "repository": repository, "branch": "main"}
        rules = [{"name": "required_approvals", "value": "2"}, {"name": "admins_enforced", "value": enforced}]
        year.say(START + 40 * DAY, "code.branch_protection_changed", **about, action="created", rules=rules)
    less = [{"name": "required_approvals", "value": "1"}]
    year.say(
        START + 41 * DAY,
        "code.branch_protection_changed",
        **about | {"repository": "acme/open"},
        action="edited",
        rules=less,
    )
    return {f"wildcard-grant/{grant}", "branch-rules-weakened/acme/open#main", "admins-may-bypass/acme/locked#main"}


# -- nobody acquits a grant of another -----------------------------------------------------------------------------------


def granted_long_ago() -> Story:
    """A grant that is to be used, renewed and owned, and nobody did for three days."""
    story = ready()
    publish(story, ("dormant-after-days", "prod", "1"), ("rotate-within-days", "prod", "1"))
    give(story, owner=None)
    pass_time(story, 72)
    assert set(found(story)) == {"dormant-credential", "unrotated-credential", "ownerless-credential"}
    return story


@pytest.mark.parametrize("by", ["service:mallory", "person:eve", "service:ci"])
def test_a_stranger_uses_renews_revokes_and_owns_no_grant_of_another(by: str) -> None:
    story = granted_long_ago()
    granted = {"principal_kind": "service", "role": "deployer", "environment": "prod", "owner": by}
    for actor in (by, "person:olga"):
        for event_type, more in (
            ("access.used", {"purpose": "x"}),
            ("access.rotated", {}),
            ("access.revoked", {}),
            ("access.granted", granted),
            ("access.granted", granted | {"principal": "service:other", "principal_kind": "human"}),
        ):
            story.tell(event_type, **CI | {"actor": actor, "by": by, "token": f"token:{by}"[:20]} | more)
    left = {"unrotated-credential", "ownerless-credential"} | ({"dormant-credential"} if by != "service:ci" else set())
    assert left <= set(found(story))


def test_who_owns_or_gave_a_grant_renews_it_and_who_holds_it_uses_it() -> None:
    story = granted_long_ago()
    story.tell("access.rotated", actor="person:olga", **CI)
    story.tell("access.used", actor="service:ci", **CI, purpose="x")
    assert set(found(story)) == {"ownerless-credential"}
    enrol(story, "service:vault", types=("access.rotated", "access.used"))
    pass_time(story, 48)
    assert set(found(story)) == {"dormant-credential", "unrotated-credential", "ownerless-credential"}
    story.tell("access.rotated", actor="service:vault", **CI)
    story.tell("access.used", actor="service:vault", **CI, purpose="x")
    assert set(found(story)) == {"ownerless-credential"}
