"""4.2 What each environment is for, how like production it is, and what data it has: given these facts, this is found."""

from typing import Any

import pytest
from asking import ask
from changes import deploy, finding, found, pass_time, publish
from telling import Story, at, document
from year import DAY, START, Change, Year

from ledger.authority import LEDGER_PRINCIPAL
from projections.readings.environments.datasets import data_loads, datasets
from projections.readings.environments.environments import environments
from projections.readings.environments.parity import parity

ONE, TWO, JOB = ("sha256:" + digit * 64 for digit in "123")


def test_an_environment_that_nobody_knows_is_found_once_a_name_and_judged_as_production() -> None:
    story = Story()
    deploy(story, change=None, environment="Blue")
    deploy(story, name="d-2", change=None, environment="blue")
    assert found(story) == {"environment-not-declared": ["blue"], "deployment-without-change": ["d-1", "d-2"]}
    assert finding(story, "environment-not-declared", "blue").says.startswith(
        "nobody declared what the environment Blue, blue is for"
    )
    story.tell("environment.declared", actor="person:olga", environment="BLUE", tier="testing")
    assert found(story) == {}
    assert story.row(environments, "blue").tier == "testing"


def test_a_deployment_of_which_nobody_says_where_is_found_until_whoever_told_of_it_does() -> None:
    for told in ({"by": "service:mallory"}, {"by": "service:ci"}, {"by": LEDGER_PRINCIPAL, "token": "key:story"}):
        story = Story()
        story.tell("deployment.finished", by="service:ci", deployment_id="d-1", service="api", outcome="success")
        # It may be said within the time that evidence may take.
        assert found(story) == {}
        pass_time(story, 1)
        row = finding(story, "environment-not-said", "d-1")
        assert (row.is_open, row.known_then) == (True, True)
        assert row.says == "service:ci told of d-1, and not where that was"
        story.tell("deployment.started", **told, deployment_id="d-1", service="api", environment="staging")
        assert ("environment-not-said" in found(story)) is (told["by"] == "service:mallory")


def test_where_something_is_promoted_to_says_not_where_it_was() -> None:
    story = Story()
    where = {"deployment_id": "d-1", "service": "api"}
    story.tell("deployment.finished", by="service:ci", **where, outcome="success")
    story.tell("deployment.promoted", actor="service:ci", **where, environment="qa", to_environment="staging")
    assert found(story)["environment-not-said"] == ["d-1"]


def test_where_something_was_may_be_said_by_another_door_in_time() -> None:
    story = Story()
    where = {"deployment_id": "d-1", "service": "api"}
    where |= {"outcome": "success"}
    story.tell("deployment.finished", by="service:ci", **where)
    told = document(
        2, "deployment.finished", where | {"environment": "staging"}, time=at(1), recorded_at=at(1.1),
        by="service:forge", credential="token:forge",
    )  # fmt: skip
    story.add(told)
    pass_time(story, 2)
    assert found(story) == {}


def test_whoever_deployed_there_does_not_declare_their_own_deployments_away() -> None:
    story = Story()
    deploy(story, change=None, environment="blue", actor="person:dave")
    story.tell("environment.declared", actor="person:dave", environment="blue", tier="testing")
    assert found(story) == {"deployment-without-change": ["d-1"]}
    deploy(story, name="d-2", change=None, environment="blue", actor="person:dave")
    assert found(story) == {"deployment-without-change": ["d-1"]}


def test_a_tier_that_changes_counts_for_later_acts_only() -> None:
    for before, after in (("prod", "testing"), ("qa", "production")):
        story = Story()
        deploy(story, change=None, environment=before)
        was = found(story)
        story.tell("environment.declared", actor="person:olga", environment=before, tier=after)
        assert found(story) == was
        deploy(story, name="d-2", change=None, environment=before)
        assert found(story) == {"deployment-without-change": ["d-1"] if before == "prod" else ["d-2"]}


def test_the_policy_says_which_names_say_what() -> None:
    story = Story()
    publish(story, ("production-names", "any", "blue"), ("not-production-names", "any", "prod*"))
    deploy(story, change=None, environment="prod")
    deploy(story, name="d-2", change=None, environment="eu-blue-1")
    assert found(story) == {"deployment-without-change": ["d-2"]}


def test_nobody_without_the_power_says_what_an_environment_is_for() -> None:
    story = Story()
    story.tell("environment.declared", by="service:ci", actor="person:olga", environment="live-eu", tier="testing")
    deploy(story, change=None, environment="live-eu")
    assert "deployment-without-change" in found(story)


# -- staging as production -----------------------------------------------------------------------------------------------


def compare(
    story: Story, *differing: str, one: str = "staging", other: str = "prod", equal: int = 9, **more: Any
) -> int:
    differences = [{"key": key, "here": ONE, "there": TWO} for key in differing]
    return story.tell("environment.config_compared", **{"actor": "service:inspector", "environment": one, "other": other,
        "equal": equal, "differences": differences} | more)  # fmt: skip


def test_what_differs_between_staging_and_production_is_found_until_it_does_not_or_has_a_reason() -> None:
    story = Story()
    compare(story, "replicas", "log_level")
    keys = ["staging#prod#log_level", "staging#prod#replicas"]
    assert sorted(found(story)["difference-unexplained"]) == keys
    told = finding(story, "difference-unexplained", keys[1])
    assert told.says == "replicas is another in staging than in prod"
    story.tell("finding.disposed", actor="person:olga", rule="difference_unexplained", disposition="accepted",
        findings=[{"subject": keys[1], "said": told.said}], reason={"sha256": "0" * 64})  # fmt: skip
    assert found(story) == {"difference-unexplained": keys[:1]}
    # In whichever spelling, and with another value: the reason is for the key.
    compare(story, "replicas", one="Staging", other="PROD")
    assert found(story) == {}
    assert story.row(parity, "staging#prod").percent == 90


def test_a_key_that_only_one_has_is_said_to_be_there() -> None:
    story = Story()
    for environment, other, says in (
        ("staging", "prod", "debug is only in staging, and not in prod"),
        ("prod", "staging", "debug is only in prod, and not in staging"),
    ):
        compare(story, one=environment, other=other, differences=[{"key": "debug", "here": ONE}])
        assert finding(story, "difference-unexplained", f"{environment}#{other}#debug").says == says


@pytest.mark.parametrize(
    ("one", "other"), [("dev", "prod"), ("staging", "uat"), ("prod", "live"), ("staging", "STAGING")]
)
def test_only_staging_is_to_be_like_production(one: str, other: str) -> None:
    story = Story()
    publish(story, ("parity-percent", "any", "99"))
    compare(story, "replicas", one=one, other=other)
    assert found(story) == {}


@pytest.mark.parametrize("more", [{"time": at(0)}, {"by": "service:ci"}])
def test_an_older_or_a_strangers_comparison_takes_no_newer_ones_place(more: dict[str, Any]) -> None:
    story = Story()
    compare(story, "replicas", time=at(0.5))
    compare(story, **more)
    assert "difference-unexplained" in found(story)


def test_staging_has_as_much_in_common_as_the_policy_asks_for_whatever_it_goes_by() -> None:
    story = Story()
    story.tell("environment.declared", actor="person:olga", environment="uat", tier="staging", aliases=["blue"])
    publish(story, ("parity-percent", "staging", "95"))
    compare(story, one="blue", equal=90, unlisted=10)
    assert found(story) == {"parity-too-low": ["blue#prod"]}
    compare(story, one="uat", equal=95, unlisted=5)
    assert found(story) == {}
    compare(story, one="uat", equal=0)
    assert found(story) == {"parity-too-low": ["uat#prod"]}


def test_staging_that_was_declared_is_compared_as_often_as_the_policy_asks_for() -> None:
    story = Story()
    story.tell("environment.declared", actor="person:olga", environment="uat", tier="staging", aliases=["blue"])
    publish(story, ("parity-days", "staging", "1"))
    pass_time(story, 30)
    assert found(story) == {"parity-not-compared": ["uat"]}
    compare(story, one="blue", other="dev")
    assert found(story) == {"parity-not-compared": ["uat"]}
    compare(story, one="blue")
    assert found(story) == {}
    pass_time(story, 30)
    assert found(story) == {"parity-not-compared": ["uat"]}


# -- data ----------------------------------------------------------------------------------------------------------------


def classify(story: Story, word: str = "confidential", who: str = "person:dora", **more: Any) -> None:
    story.tell("dataset.classified", actor=who, dataset_id="orders", classification=word, **more)


def clear(story: Story, word: str = "public", **more: Any) -> None:
    """Say that data is not sensitive, as an operator."""
    classify(story, word, by=LEDGER_PRINCIPAL, token="key:story", **more)


def verify(story: Story, who: str = "person:vera", **more: Any) -> None:
    story.tell(
        "dataset.masking_verified", **{"actor": who, "dataset_id": "orders", "job_digest": JOB, "digest": ONE} | more
    )


def let(story: Story, who: str = "person:bob", **more: Any) -> None:
    story.tell("dataset.load_approved", **{"actor": who, "dataset_id": "orders", "environment": "staging",
        "requester": "person:alice"} | more)  # fmt: skip


def load(story: Story, environment: str = "staging", **more: Any) -> None:
    story.tell("dataset.loaded", **{"actor": "person:alice", "load_id": "L", "dataset_id": "orders", "environment": environment,
        "job_digest": JOB, "digest": ONE} | more)  # fmt: skip


def test_sensitive_data_is_masked_and_let_by_others_than_whoever_loads_it() -> None:
    story = Story()
    classify(story)
    verify(story)
    let(story)
    load(story, "STAGING")
    assert found(story) == {}
    assert story.row(datasets, "orders").classification == "confidential"


@pytest.mark.parametrize(
    ("masked", "approved", "loaded", "why"),
    [
        ({"who": "person:alice"}, {}, {}, "nobody else had verified that it is masked"),
        ({"by": "service:ci"}, {}, {}, "nobody else had verified that it is masked"),
        ({"digest": TWO}, {}, {}, "nobody else had verified that it is masked"),
        ({"job_digest": TWO}, {}, {}, "nobody else had verified that it is masked"),
        ({}, {}, {"job_digest": TWO}, "nobody else had verified that it is masked"),
        ({}, {"who": "person:alice"}, {}, "nobody else had let it be loaded there"),
        ({}, {"requester": "person:bob"}, {}, "nobody else had let it be loaded there"),
        ({}, {"environment": "qa"}, {}, "nobody else had let it be loaded there"),
        ({}, {"expires_at": at(3)}, {}, "nobody else had let it be loaded there"),
    ],
)
def test_what_is_not_masked_or_not_let_is_found(
    masked: dict[str, Any], approved: dict[str, Any], loaded: dict[str, Any], why: str
) -> None:
    story = Story()
    classify(story)
    verify(story, **masked)
    let(story, **approved)
    load(story, **loaded)
    assert found(story)["sensitive-data-loaded"] == ["L"]
    assert finding(story, "sensitive-data-loaded", "L").says == f"orders was loaded into staging at {at(4)}, and {why}"


def test_what_is_said_afterwards_excuses_no_load_and_a_stricter_class_accuses_it() -> None:
    story = Story()
    clear(story)
    load(story)
    assert found(story) == {}
    classify(story, time=at(1.5))
    verify(story, time=at(1.6))
    let(story, time=at(1.7))
    assert found(story) == {"sensitive-data-loaded": ["L"]}
    clear(story, time=at(1.8))
    assert found(story) == {"sensitive-data-loaded": ["L"]}


@pytest.mark.parametrize(
    ("told", "loaded", "is_found"),
    [
        (None, {}, False),
        (None, {"classification": "restricted"}, True),
        (None, {"source": "prod"}, True),
        (None, {"source": "prod", "classification": "public"}, True),
        ("internal", {"source": "prod"}, False),
        ("internal", {"classification": "restricted"}, True),
        ("secret", {}, True),
        ("restricted", {"environment": "production"}, False),
        ("restricted", {"environment": "dev"}, True),
    ],
)
def test_data_is_as_sensitive_as_the_strictest_word_of_it(
    told: str | None, loaded: dict[str, Any], is_found: bool
) -> None:
    story = Story()
    if told is not None:
        clear(story, told)
    # A word of one's own makes it no less so.
    classify(story, "public", who="person:alice")
    load(story, **loaded)
    assert ("sensitive-data-loaded" in found(story)) is is_found


@pytest.mark.parametrize("who", ["service:catalogue", "person:mallory"])
def test_that_data_is_not_sensitive_says_who_has_the_power_and_nobody_else(who: str) -> None:
    story = Story()
    classify(story, "public", who=who)
    load(story, source="prod")
    assert found(story) == {"sensitive-data-loaded": ["L"]}
    story = Story()
    publish(story, ("role-for", "dataset.classified", "steward"))
    kind = "service" if who.startswith("service") else "human"
    story.tell("access.granted", actor="person:olga", grant_id="G", principal=who, principal_kind=kind, role="steward")
    classify(story, "public", who=who)
    load(story, source="prod")
    assert "sensitive-data-loaded" not in found(story)


def test_an_id_that_was_used_before_hides_no_load() -> None:
    story = Story()
    classify(story)
    load(story, "prod", time=at(2))
    load(story, "prod", time=at(2))
    assert found(story) == {}
    load(story)
    assert found(story) == {"sensitive-data-loaded": ["L"]}
    assert len(story.row(data_loads, "L").loads) == 2


def test_the_policy_says_what_is_sensitive_where() -> None:
    story = Story()
    publish(story, ("data-classes", "any", "green"), ("data-classes", "any", "red"), ("masked-from", "staging", "red"),
        ("masked-from", "any", "green"))  # fmt: skip
    clear(story, "green")
    load(story)
    assert found(story) == {}
    load(story, "dev", load_id="L-2")
    assert found(story) == {"sensitive-data-loaded": ["L-2"]}


def test_the_gate_lets_data_be_loaded_that_others_classified_masked_and_let() -> None:
    story = Story()
    publish(story)

    def answer(environment: str = "staging", **more: Any) -> tuple[str, str]:
        asked = {"dataset_id": "orders", "environment": environment, "actor": "person:alice"} | more
        said = next(a for a in ask(story, "load_data", **asked).answers if a.rule == "data-may-be-loaded")
        return said.verdict, said.reason

    assert answer("live") == ("allow", "production")
    assert answer(dataset_id=None) == ("insufficient_evidence", "not-said")
    assert answer() == ("insufficient_evidence", "not-classified")
    classify(story, "public", who="person:alice")
    assert answer() == ("insufficient_evidence", "not-classified")
    classify(story, "public", who="person:mallory")
    assert answer() == ("insufficient_evidence", "not-classified")
    clear(story)
    assert answer() == ("allow", "not-sensitive")
    classify(story)
    assert answer() == ("deny", "not-let")
    # Nobody takes back what another said of it.
    classify(story, "public", who="person:mallory")
    assert answer() == ("deny", "not-let")
    verify(story)
    assert answer() == ("deny", "not-let")
    let(story)
    assert answer() == ("allow", "let")
    assert answer(actor="person:bob") == ("deny", "not-let")


# -- planted in the year -------------------------------------------------------------------------------------------------


def plant_a_deployment_to_a_name_that_nobody_declared(year: Year, change: Change) -> set[str]:
    """It is judged as production: by nobody's leave."""
    change.environment, change.is_opened = f"green-{change.deployment}", False
    return {f"environment-not-declared/green-{change.deployment}", *_without_leave(change)}


def plant_a_deployment_to_nowhere(year: Year) -> set[str]:
    year.say(START + 30 * DAY, "deployment.finished", deployment_id="d-nowhere", service="platform", outcome="success")
    return {"environment-not-said/d-nowhere"}


def plant_production_under_another_name(year: Year, change: Change) -> set[str]:
    change.environment, change.is_opened = "PRD", False
    return _without_leave(change)


def _without_leave(change: Change) -> set[str]:
    return {f"{rule}/{change.deployment}" for rule in ("deployment-without-change", "deployer-without-grant")}


def plant_staging_that_is_not_like_production(year: Year) -> set[str]:
    """And another that is, and is looked at every month."""
    year.settings += [("parity-percent", "staging", "90"), ("parity-days", "staging", "40")]
    for name in ("uat-1", "uat-2"):
        year.say(START, "environment.declared", actor="person:olga", environment=name, tier="staging")
        for day in range(10, 20 if name == "uat-1" else 366, 30):
            differences = [{"key": "debug", "here": ONE}] if name == "uat-1" else []
            year.say(START + day * DAY, "environment.config_compared", actor="service:inspector", environment=name, other="prod",
                equal=8, differences=differences)  # fmt: skip
    return {"difference-unexplained/uat-1#prod#debug", "parity-too-low/uat-1#prod", "parity-not-compared/uat-1"}


def plant_sensitive_data_that_nobody_let_be_loaded(year: Year) -> set[str]:
    """And a load that others verified and let."""
    at, job = START + 30 * DAY, {"job_digest": JOB}
    for name in ("orders", "people"):
        about = {"dataset_id": name}
        year.say(at, "dataset.classified", actor="person:erin", **about, classification="restricted")
        if name == "orders":
            year.say(at, "dataset.masking_verified", actor="person:frank", **about, **job)
            year.say(
                at, "dataset.load_approved", actor="person:frank", **about, environment="uat-2", requester="person:dan"
            )
        year.say(
            at + DAY, "dataset.loaded", actor="person:dan", **about, **job, load_id=f"{name}-1", environment="uat-2"
        )
    return {"sensitive-data-loaded/people-1"}


def test_nobody_compares_a_difference_away() -> None:
    story = Story()
    compare(story, "replicas")
    compare(story, actor="service:ci")
    assert found(story) == {"difference-unexplained": ["staging#prod#replicas"]}
    compare(story)
    assert found(story) == {}
