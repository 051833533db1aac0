"""4.4 State that can be gone back to: given these facts, this is found, and this is answered."""

from typing import Any

import pytest
from asking import against, ask, ready_to_deploy
from changes import finding, found, pass_time, publish
from people import enrol
from telling import Story, at
from year import DAY, HOUR, START, Year

from ledger.authority import LEDGER_PRINCIPAL
from projections.readings.environments.backups import backups, stateful_resources, stateful_services

DB = "db.orders"
DIGEST, OTHER = "sha256:" + "4" * 64, "sha256:" + "5" * 64
RPO, RTO = ("rpo-minutes", "production", "600"), ("rto-minutes", "api", "30")
TESTED = ("restore-test-days", "any", "2")
GATE = ("backup-gate", "production", "required")


def provision(story: Story, stateful: bool = True, **more: Any) -> int:
    held = {"resources": [DB]} if stateful else {}
    where = {"actor": "service:platform", "service": "api", "environment": "prod"}
    return story.tell("service.provisioned", **where | {"stateful": stateful} | held | more)


def back_up(story: Story, name: str = "b-1", **more: Any) -> int:
    return story.tell("backup.completed", **{"actor": "service:backup", "backup_id": name, "resource": DB, "environment": "prod",
        "outcome": "success", "digest": DIGEST} | more)  # fmt: skip


def restore(story: Story, name: str = "b-1", seconds: int = 60, passed: bool = True, **more: Any) -> int:
    checks = [{"name": "rows", "passed": True}, {"name": "checksum", "passed": passed}]
    return story.tell("restore.verified", **{"actor": "service:backup", "backup_id": name, "resource": DB,
        "duration_s": seconds, "checks": checks} | more)  # fmt: skip


def stateful(*settings: tuple[str, str, str]) -> Story:
    """A service whose state is to be backed up every ten hours."""
    story = Story()
    publish(story, *(settings or (RPO,)))
    provision(story)
    return story


def test_what_holds_state_is_backed_up_within_the_rpo() -> None:
    story = stateful()
    back_up(story)
    assert found(story) == {}
    pass_time(story, 10)
    assert found(story) == {"backup-older-than-rpo": ["db.orders#prod"]}
    assert finding(story, "backup-older-than-rpo", "db.orders#prod").says == (
        f"db.orders of api in prod was backed up last as of {at(4)}; that was due at {at(14)}"
    )
    back_up(story, "b-2", environment="PROD")
    assert found(story) == {}
    assert story.row(stateful_resources, "db.orders#prod").backups == 2


@pytest.mark.parametrize(
    "more",
    [
        {"outcome": "partial"}, {"outcome": "failure"}, {"size_bytes": 0}, {"taken_at": at(1)}, {"environment": "staging"},
        {"resource": "db.other"}, {"by": "service:ci"}, {"backup_id": "b-1"},
    ],
)  # fmt: skip
def test_what_is_no_whole_young_backup_of_it_by_whom_may_say_so_does_not_help(more: dict[str, Any]) -> None:
    story = stateful()
    back_up(story)
    pass_time(story, 10)
    back_up(story, **{"backup_id": "b-2"} | more)
    assert found(story)["backup-older-than-rpo"] == ["db.orders#prod"]


def test_to_say_again_that_it_is_there_gives_no_more_time() -> None:
    story = stateful()
    for _ in range(11):
        provision(story)
    assert found(story) == {"backup-older-than-rpo": ["db.orders#prod"]}
    provision(story, stateful=False)
    assert found(story) == {}
    assert story.row(stateful_services, "api#prod").stateful is False


def test_what_was_torn_down_needs_no_backup_and_without_a_policy_nothing_does() -> None:
    story = Story()
    story.tell("environment.created", environment="prod")
    provision(story)
    pass_time(story, 1000)
    assert found(story) == {}
    publish(story, RPO)
    assert "backup-older-than-rpo" in found(story)
    story.tell("environment.deleted", environment="Prod")
    assert found(story) == {}


@pytest.mark.parametrize("who", ["service:ci", "service:platform", "service:janitor"])
def test_nobody_says_that_what_another_set_up_was_torn_down_with_its_environment_unless_they_have_the_power(
    who: str,
) -> None:
    story = stateful()
    enrol(story, "service:janitor", types=("environment.deleted",))
    pass_time(story, 10)
    # That the environment is set up is said afterwards, by whoever says that it is torn down.
    for event in ("created", "deleted"):
        story.tell(f"environment.{event}", actor="service:ci", environment="prod")
    assert found(story) == {"backup-older-than-rpo": ["db.orders#prod"]}
    story.tell("environment.deleted", actor=who, environment="prod")
    assert found(story) == ({"backup-older-than-rpo": ["db.orders#prod"]} if who == "service:ci" else {})
    if who == "service:platform":
        # It is there again: what it was before is not what it is now.
        story.tell("environment.created", actor=who, environment="prod")
        assert "backup-older-than-rpo" in found(story)


def test_backups_are_of_an_environment_under_all_its_names() -> None:
    story = stateful()
    story.tell("environment.declared", actor="person:olga", environment="prod", tier="production", aliases=["blue"])
    pass_time(story, 10)
    assert found(story) == {"backup-older-than-rpo": ["db.orders#prod"]}
    back_up(story, environment="blue")
    assert found(story) == {}


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"passed": False}, "checksum did not pass"),
        ({"seconds": 3600}, "it took 3600 seconds, the policy allows 1800"),
        ({"digest": OTHER}, f"{OTHER} was restored, and the backup is {DIGEST}"),
        ({"resource": "db.other"}, "db.other was restored, and it is of db.orders"),
        ({"time": at(1)}, "it was restored before it was taken"),
    ],
)
def test_a_backup_that_does_not_come_back_is_found_and_tests_nothing(more: dict[str, Any], why: str) -> None:
    story = stateful(RTO, TESTED)
    back_up(story)
    restore(story, **more)
    assert found(story) == {"restore-failed": ["b-1"]}
    assert finding(story, "restore-failed", "b-1").says == f"backup b-1 of db.orders did not come back: {why}"
    pass_time(story, 48)
    assert found(story) == {"restore-failed": ["b-1"], "restore-not-tested": ["db.orders#prod"]}
    restore(story)
    assert found(story) == {}
    assert story.row(backups, "b-1").is_restored


def test_a_restore_that_is_told_before_the_backup_counts_and_one_by_a_stranger_does_not() -> None:
    for by, is_found in ((None, False), ("service:ci", True)):
        story = stateful(TESTED)
        taken = at(4)
        pass_time(story, 2)
        restore(story, by=by)
        back_up(story, taken_at=taken)
        pass_time(story, 44)
        assert ("restore-not-tested" in found(story)) is is_found


def test_backups_of_what_nobody_uses_are_orphans_until_one_is_restored() -> None:
    story = Story()
    publish(story, TESTED)
    back_up(story)
    pass_time(story, 48)
    assert found(story) == {"orphan-backups": ["db.orders#prod"]}
    restore(story)
    assert found(story) == {}
    pass_time(story, 48)
    assert found(story) == {"orphan-backups": ["db.orders#prod"]}
    provision(story)
    assert found(story) == {}


def test_a_stranger_takes_no_id_of_a_backup_away() -> None:
    story = stateful()
    back_up(story, by="service:ci")
    back_up(story)
    pass_time(story, 9)
    assert found(story) == {"spoken-for-another": ["4"]}


def test_a_role_that_is_held_where_a_backup_is_gives_the_power_to_report_it() -> None:
    story = stateful(RPO, ("role-for", "backup.completed", "keeper"))
    story.tell("access.granted", actor="person:olga", grant_id="G", principal="service:backup", principal_kind="service",
        role="keeper", environment="prod", owner="person:olga")  # fmt: skip
    back_up(story)
    pass_time(story, 7)
    assert found(story) == {}


def test_only_who_said_that_there_is_state_or_has_the_power_says_that_there_is_none_any_more() -> None:
    story = stateful()
    pass_time(story, 11)
    assert found(story) == {"backup-older-than-rpo": ["db.orders#prod"]}
    for more in ({"stateful": False}, {"resources": ["db.new"]}):
        provision(story, actor="service:ci", **more)
        assert found(story)["backup-older-than-rpo"][0] == "db.orders#prod"
        assert found(story)["state-denied-by-another"] == ["api#prod"]
    assert "service:ci" in finding(story, "state-denied-by-another", "api#prod").says
    provision(story, by=LEDGER_PRINCIPAL, token="key:story", stateful=False)
    assert found(story) == {"state-denied-by-another": ["api#prod"]}


def test_nobody_dates_back_that_there_is_state_to_say_afterwards_that_there_is_none() -> None:
    story = stateful()
    pass_time(story, 11)
    provision(story, actor="service:mallory", time=at(-1000))
    provision(story, actor="service:mallory", stateful=False)
    assert found(story)["backup-older-than-rpo"] == ["db.orders#prod"]
    assert found(story)["state-denied-by-another"] == ["api#prod"]


def test_an_authority_for_who_says_so_says_that_there_is_no_state_any_more() -> None:
    story = stateful()
    pass_time(story, 11)
    enrol(story, "service:inventory", "service:ci")
    provision(story, actor="service:ci", by="service:inventory", stateful=False)
    assert found(story) == {}


# -- the gate --------------------------------------------------------------------------------------------------------------


def answered(story: Story, hours: float = 20) -> tuple[str, str]:
    said = next(a for a in ask(story, hours=hours).answers if a.rule == "state-is-backed-up")
    return said.verdict, said.reason


def test_the_gate_asks_for_backups_only_where_the_policy_does() -> None:
    story = ready_to_deploy()
    assert against(ask(story)) == {}
    assert answered(story) == ("allow", "not-asked-for")


def test_state_is_backed_up_before_it_is_changed() -> None:
    story = ready_to_deploy("normal", GATE, RPO, TESTED)
    assert answered(story) == ("insufficient_evidence", "not-known")
    provision(story)
    assert answered(story) == ("deny", "not-backed-up")
    back_up(story)
    assert answered(story) == ("deny", "not-backed-up")
    restore(story)
    assert answered(story) == ("allow", "backed-up")
    assert answered(story, hours=40) == ("deny", "not-backed-up")


def test_whoever_deploys_or_wrote_the_change_does_not_say_that_there_is_no_state() -> None:
    for who, answer in (
        ("service:platform", "allow"),
        ("service:ci", "insufficient_evidence"),
        ("person:alice", "insufficient_evidence"),
    ):
        story = ready_to_deploy("normal", GATE)
        provision(story, stateful=False, actor=who)
        assert answered(story)[0] == answer, who


# -- planted in the year -------------------------------------------------------------------------------------------------


def plant_state_that_is_not_backed_up(year: Year) -> set[str]:
    """Beside state that is, every five days, and restored every thirty."""
    year.settings += [("rpo-minutes", "service-1", "10080"), ("restore-test-days", "prod", "60")]
    for name, ends in (("db.one", 366), ("db.two", 100)):
        where = {"resource": name, "environment": "prod"}
        year.say(START + 2 * DAY, "service.provisioned", actor="service:platform", service="service-1", environment="prod",
            stateful=True, resources=["db.one", "db.two"])  # fmt: skip
        for day in range(3, ends, 5):
            backup = {"backup_id": f"{name}-{day}"}
            year.say(
                START + day * DAY, "backup.completed", actor="service:backup", **backup, **where, outcome="success"
            )
            if day % 6 == 0:
                year.say(START + day * DAY + HOUR, "restore.verified", actor="service:backup", **backup, resource=name,
                    duration_s=60, checks=[{"name": "rows", "passed": True}])  # fmt: skip
    return {"backup-older-than-rpo/db.two#prod", "restore-not-tested/db.two#prod"}


def plant_state_that_somebody_else_denies(year: Year) -> set[str]:
    where = {"service": "service-2", "environment": "staging"}
    year.say(
        START + 6 * DAY, "service.provisioned", actor="service:platform", **where, stateful=True, resources=["db.six"]
    )
    year.say(START + 7 * DAY, "service.provisioned", actor="service:team-2-ci", **where, stateful=False)
    return {"state-denied-by-another/service-2#staging"}


def plant_backups_that_nobody_needs_and_one_that_does_not_come_back(year: Year) -> set[str]:
    about = {"actor": "service:backup", "backup_id": "old-1", "resource": "db.old"}
    year.say(START + 4 * DAY, "backup.completed", **about, environment="prod", outcome="success")
    year.say(START + 5 * DAY, "restore.verified", **about, duration_s=9, checks=[{"name": "rows", "passed": False}])
    return {"orphan-backups/db.old#prod", "restore-failed/old-1"}


def test_nobody_takes_back_that_a_backup_did_not_come_back() -> None:
    story = stateful()
    back_up(story)
    restore(story, passed=False)
    restore(story, actor="service:ci")
    assert found(story) == {"restore-failed": ["b-1"]}
    restore(story)
    assert found(story) == {}
