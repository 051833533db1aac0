"""1.6 Release frequency against service level objectives: given these facts, this is found, and this is answered."""

import random
from collections import defaultdict
from typing import Any

import pytest
from asking import against, ask, ready_to_deploy
from changes import ARTIFACT, deploy, finding, found, give, pass_time
from telling import Story, at
from year import DAY, HOUR, START, Change, Year, stamp

from projections import VIEWS
from projections.readings.delivery import budgets
from projections.readings.delivery.budgets import TOGETHER, Believed, error_budgets, slo_days, slos
from projections.rules.budgets import once, stretches

SLO = {"slo_id": "S"}
ENFORCED = ("error-budget", "production", "enforced")


def with_objective(*settings: tuple[str, str, str], kind: str = "normal", **more: Any) -> Story:
    """A change that may be deployed, of a service with an objective, where the policy enforces budgets."""
    story = ready_to_deploy(kind, *(settings or (ENFORCED,)))
    promise(story, **more)
    return story


def promise(story: Story, **more: Any) -> None:
    told = {"actor": "person:sam", "service": "api", "method": "occurrences", "target": "0.99", "window_days": 7} | more
    story.tell("slo.published", **SLO, **told)


def measure(story: Story, good: int, start: float, total: int = 100, **more: Any) -> int:
    told = {"start": at(start), "end": at(start + 1), "unit": "events", "good": str(good), "total": str(total)} | more
    return story.tell("error_budget.measured", **SLO, **told)


def apply(story: Story, action: str, until: float = 90, **more: Any) -> None:
    story.tell("release_policy.applied", **{"actor": "person:olga"} | more, **SLO, action=action, until=at(until))


def answer(story: Story, hours: float = 20, **more: Any) -> tuple[str, str] | None:
    return against(ask(story, hours=hours, **more)).get("error-budget-is-left")


def out(story: Story) -> dict[str, list[str]]:
    deploy(story, artifact=ARTIFACT)
    return found(story)


def test_what_has_budget_left_goes_out() -> None:
    story = with_objective()
    measure(story, 100, 2)
    assert ask(story).verdict == "allow"
    assert out(story) == {}
    assert story.row(slos, "S").target == "0.99"
    assert len(story.row(slo_days, f"S/{at(3)[:10]}").measurements) == 1


def test_a_spent_budget_lets_only_out_what_mends() -> None:
    story = with_objective()
    measure(story, 98, 2)
    assert answer(story) == ("deny", "spent")
    assert found(story) == {"error-budget-spent": ["S"]}
    assert out(story) == {"error-budget-spent": ["S"], "deployed-over-budget": ["d-1"]}
    # What is good again afterwards excuses nothing, and ends the state.
    measure(story, 900, 4, total=900)
    assert found(story) == {"deployed-over-budget": ["d-1"]}
    story = with_objective(kind="emergency")
    measure(story, 98, 2)
    assert answer(story) is None
    assert "deployed-over-budget" not in out(story)


def test_a_policy_that_only_watches_holds_nobody() -> None:
    story = with_objective(("quorum", "any", "1"))
    measure(story, 98, 2)
    assert answer(story) is None
    assert out(story) == {"error-budget-spent": ["S"]}


def test_no_data_is_no_verdict() -> None:
    story = with_objective()
    assert answer(story) == ("insufficient_evidence", "not-measured")
    assert out(story) == {}
    measure(story, 100, 2)
    assert answer(story) is None
    assert answer(story, 40) == ("insufficient_evidence", "not-measured")
    assert answer(story, service="web") == ("insufficient_evidence", "no-objective")


@pytest.mark.parametrize(
    "how",
    [
        "measured again by another", "measured again", "over a wide time", "of other times", "over and over", "reported when it was over",
        "a softer promise",
    ],
)  # fmt: skip
def test_nobody_thins_what_was_bad(how: str) -> None:
    story = with_objective()
    measure(story, 98, 2, by="service:monitoring")
    if how == "measured again by another":
        measure(story, 100, 2, by="service:ci")
    elif how == "measured again":
        measure(story, 100, 2, by="service:monitoring")
    elif how == "over a wide time":
        measure(story, 10**6, 1, total=10**6, end=at(5), by="service:ci")
    elif how == "of other times":
        # Also as the first who measured anything.
        for start in (-30, 0, 4):
            measure(story, 10**6, start, total=10**6, by="service:ci")
    elif how == "over and over":
        for number in range(40):
            measure(story, 100, -number, by=f"service:{number}")
    elif how == "a softer promise":
        promise(story, target="0.5", by="service:ci")
    assert answer(story) == ("deny", "spent")
    found_then = out(story)
    if how == "reported when it was over":
        measure(story, 10**6, 4, total=10**6, by="service:monitoring")
    assert found_then["deployed-over-budget"] == found(story)["deployed-over-budget"] == ["d-1"]


def test_whoever_has_the_power_may_measure_again_and_what_is_older_than_the_window_is_over() -> None:
    role = ("role-for", "error_budget.measured", "monitor")
    story = with_objective(("error-budget", "any", "enforced"), ("measured-within-hours", "any", "9999"), role)
    for name in ("one", "two"):
        give(story, grant_id=f"G-{name}", principal=f"service:{name}", role="monitor", environment=None)
    measure(story, 98, 2, by="service:one")
    assert answer(story) == ("deny", "spent")
    assert answer(story, 24 * 8) == ("insufficient_evidence", "not-measured")
    measure(story, 100, 2, by="service:two")
    assert answer(story) is None


def test_what_several_measure_who_have_the_power_is_one_budget_and_of_others_each_has_their_own() -> None:
    role = ("role-for", "error_budget.measured", "monitor")
    for settings in ((ENFORCED,), (ENFORCED, role)):
        story = with_objective(*settings)
        for name, good, start in (("one", 98, 2), ("two", 10**6, 3)):
            give(story, grant_id=f"G-{name}", principal=f"service:{name}", role="monitor", environment=None)
            measure(story, good, start, total=max(good, 100), by=f"service:{name}")
        assert answer(story) == (None if role in settings else ("deny", "spent"))


def test_where_somebody_with_the_power_measures_nobody_else_keeps_that_going() -> None:
    story = with_objective()
    story.tell(
        "ledger.source_enrolled", source="test", door="events", principal="service:monitoring", must_sign=False,
        actor="person:olga", types=["error_budget.measured"],
    )  # fmt: skip
    measure(story, 100, 2, by="service:monitoring")
    measure(story, 100, 30, by="service:ci")
    assert answer(story, 20) is None
    assert answer(story, 40) == ("insufficient_evidence", "not-measured")
    # What is bad by anybody's measure is bad.
    measure(story, 98, 31, by="service:ci")
    assert answer(story, 40) == ("deny", "spent")


def test_releases_are_halted_and_let_through_by_who_may_and_until_a_time() -> None:
    story = with_objective()
    measure(story, 100, 2)
    apply(story, "halt")
    assert answer(story) == ("deny", "halted")
    assert answer(story, 91)[1] != "halted"  # type: ignore[index]
    apply(story, "resume")
    measure(story, 0, 3)
    assert answer(story) is None
    assert "deployed-over-budget" not in out(story)
    story = with_objective()
    measure(story, 0, 2)
    apply(story, "resume", actor="person:zoe", by="person:zoe", token="token:zoe")
    assert answer(story) == ("deny", "spent")


def test_a_budget_tells_after_which_deployment_it_was_spent() -> None:
    story = with_objective(("quorum", "any", "1"))
    measure(story, 100, 1)
    for name, good in (("d-1", 99), ("d-2", 97)):
        deploy(story, name, artifact=ARTIFACT)
        pass_time(story, 2)
        measure(story, good, len(story.log) - 1)
    row = story.row(error_budgets, "S")
    assert [(burn.deployment_id, burn.spent) for burn in row.burns] == [("d-1", "0.3333"), ("d-2", "1.0000")]
    assert (row.spent, row.is_spent, row.measurements) == ("1.3333", True, 3)


@pytest.mark.parametrize("hours", [1, 0.05])
def test_one_more_measurement_has_few_of_the_window_asked_about_again(
    hours: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[None] = []
    inner = budgets.fault_of_speaker
    monkeypatch.setattr(budgets, "fault_of_speaker", lambda *args: asked.append(None) or inner(*args))  # type: ignore[func-returns-value]
    story = Story(VIEWS)
    promise(story)
    for number in range(160):
        measure(story, 100, hours * number, end=at(hours * (number + 1)))
    story.flush()
    asked.clear()
    measure(story, 99, hours * 160, end=at(hours * 161))
    assert story.row(error_budgets, "S").measurements == 161
    # Those of its day that are not weighed together yet; and once whether the promise itself counts.
    assert len(asked) <= TOGETHER + 1
    # What nothing new was said of is not asked about at all.
    asked.clear()
    deploy(story, artifact=ARTIFACT)
    assert story.row(error_budgets, "S").deployments == 1
    assert len(asked) <= TOGETHER + 1


@pytest.mark.parametrize("seed", range(2))
def test_a_budget_that_is_kept_is_the_one_that_is_counted_anew(seed: int) -> None:
    """Over times that meet, of which some were told late, and over what was taken back, or told by who is not believed any more."""
    chance = random.Random(seed)
    story = Story(VIEWS)
    promise(story)
    told = story.row(slos, "S").objectives[0].promise
    said: dict[int, str] = {}
    # Of one of them, what was told before.
    believed = 10**6
    for number in range(3 * TOGETHER):
        start, length, by = chance.uniform(-40, 90), chance.choice((0.1, 0.5, 1, 30)), chance.choice("abc")
        position = measure(story, chance.randint(0, 100), start, end=at(start + length), by=f"service:{by}")
        said[position] = by
        if number % 8 == 7:
            gone = chance.choice([*said])
            by = said.pop(gone)
            story.tell("statement.withdrawn", actor=f"service:{by}", position=gone, reason="x")
        if number == 2 * TOGETHER:
            leaked = {"credential": "token:c", "reason": "leaked", "from_position": TOGETHER}
            story.tell("ledger.credential_revoked", actor="person:root", **leaked)
            believed = TOGETHER
            said = {place: by for place, by in said.items() if by != "c" or place < TOGETHER}
        if number % 16 != 15:
            continue
        row, until = story.row(error_budgets, "S"), story.row(slos, "S").measured_until
        days = (story.row(slo_days, f"S/2026-{day}") for day in ("02-28", *(f"03-{day:02}" for day in range(1, 10))))
        on_record = {one.position: one for day in days if day is not None for one in day.measurements}
        told_by: dict[str, list[Believed]] = defaultdict(list)
        for place, by in sorted(said.items()):
            if (by != "c" or place < believed) and (one := on_record[place]).end <= until:
                told_by[by].append(Believed(**vars(one)))
        counted = {by: once(some) for by, some in told_by.items()}
        shares = {by: budgets.spent(told, stretches(told, [[one] for one in some])) for by, some in counted.items()}
        worst = max(shares.values(), key=lambda share: -1 if share is None else share)
        assert row.spent == f"{worst:f}"
        assert row.measurements in {len(counted[by]) for by, share in shares.items() if share == worst}
    # Whoever goes on elsewhere knows none of what was kept.
    before = story.row(error_budgets, "S")
    story.begin()
    measure(story, 1, 95, end=at(95))
    assert story.row(error_budgets, "S") == before


def test_an_objective_that_nobody_can_hold_is_found() -> None:
    story = with_objective(target="99.9")
    assert finding(story, "objective-cannot-be-held", "S").says.startswith("S: its target is 99.9")
    promise(story)
    assert found(story) == {}


def test_an_objective_of_another_environment_holds_nobody_here() -> None:
    story = with_objective(environment="staging")
    measure(story, 0, 2)
    assert answer(story) == ("insufficient_evidence", "no-objective")
    promise(story, environment="PROD")
    assert answer(story) == ("deny", "spent")


# -- planted in the year -------------------------------------------------------------------------------------------------


def plant_an_environment_for_which_the_policy_enforces_budgets(year: Year) -> set[str]:
    """And an objective that nobody can hold, of a service that nobody deploys."""
    year.settings.append(("error-budget", "prod-steady", "enforced"))
    promised(year, START + HOUR, "steady", "idle", target="1")
    return {"objective-cannot-be-held/steady"}


def promised(year: Year, when: Any, slo: str, service: str, **more: Any) -> None:
    told = {
        "actor": "person:frank",
        "service": service,
        "method": "occurrences",
        "target": "0.999",
        "window_days": 28,
    } | more
    year.say(when, "slo.published", slo_id=slo, **told)


def steady(year: Year, change: Change, good: int) -> str:
    """Where the policy enforces it, something is deployed whose budget was measured the hour before."""
    change.environment, slo = "prod-steady", f"S-{change.id}"
    promised(year, change.begins - 10 * DAY, slo, change.service, environment="prod-steady")
    year.say(change.begins - HOUR / 2, "error_budget.measured", slo_id=slo, start=stamp(change.begins - HOUR),
        end=stamp(change.begins - HOUR / 2), unit="events", good=str(good), total="1000")  # fmt: skip
    return slo


def plant_a_deployment_when_the_budget_is_spent(year: Year, change: Change) -> set[str]:
    slo = steady(year, change, 900)
    return {f"deployed-over-budget/{change.deployment}", f"error-budget-spent/{slo}", *elsewhere(change)}


def plant_nothing_more_where_budget_is_left(year: Year, change: Change) -> set[str]:
    """The honest neighbour; but that what was approved was for another environment."""
    steady(year, change, 1000)
    return elsewhere(change)


def elsewhere(change: Change) -> set[str]:
    return {f"{rule}/{change.deployment}" for rule in ("artifact-not-approved", "deployer-without-grant")}


@pytest.mark.parametrize(
    "more", [{"target": "0.5"}, {"service": "web"}, {"environment": "staging"}, {"window_days": 0}]
)
def test_another_human_softens_no_promise(more: dict[str, Any]) -> None:
    story = with_objective()
    measure(story, 98, 2)
    promise(story, actor="person:mallory", **more)
    assert answer(story) == ("deny", "spent")
    assert story.row(error_budgets, "S").is_spent
    assert out(story)["deployed-over-budget"] == ["d-1"]
    # Whoever promised it may.
    story = with_objective()
    measure(story, 98, 2)
    promise(story, target="0.5")
    assert answer(story) is None


def test_what_is_said_by_who_may_not_pushes_no_halt_out() -> None:
    story = with_objective()
    measure(story, 100, 2)
    apply(story, "halt", 9000)
    for _ in range(501):
        apply(story, "resume", 9000, actor="service:ci", by="service:ci")
    assert answer(story) == ("deny", "halted")
    assert len(story.row(slos, "S").applied) == 1
