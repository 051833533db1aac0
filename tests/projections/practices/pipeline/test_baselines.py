"""2.5 State held against baselines: given these states, this is found, and this is answered."""

from typing import Any

import pytest
from asking import against, ask, ready_to_deploy
from changes import finding, found, pass_time, publish
from telling import Story, at
from year import DAY, HOUR, START, Year

from projections.readings.infrastructure.states import KEPT, states

A, B, C = (f"sha256:{letter * 64}" for letter in "abc")
PLAN = "sha256:" + "7" * 64
RULES = {"state-unaccounted", "serial-went-back"}


def apply(story: Story, digest: str | None = A, serial: int | None = 7, **more: Any) -> int:
    data = {"actor": "service:ci", "plan": PLAN, "environment": "staging", "outcome": "success", "state_digest": digest}
    return story.tell("iac.applied", **{n: v for n, v in (data | {"serial": serial} | more).items() if v is not None})


def observe(story: Story, digest: str = A, serial: int | None = 7, **more: Any) -> int:
    data = {"environment": "staging", "state_digest": digest, "serial": serial} | more
    return story.tell("state.observed", **{name: value for name, value in data.items() if value is not None})


def baseline(story: Story, digest: str, actor: str = "person:olga", **more: Any) -> int:
    data = {"environment": "staging", "state_digest": digest}
    return story.tell("baseline.published", actor=actor, **data | more)


def of_states(story: Story) -> dict[str, list[str]]:
    return {rule: subjects for rule, subjects in found(story).items() if rule in RULES}


def test_a_state_is_what_was_applied_last_and_anything_else_is_found_until_it_is_again() -> None:
    story = Story()
    apply(story)
    observe(story)
    assert of_states(story) == {}
    observe(story, B, 8)
    assert of_states(story) == {"state-unaccounted": ["staging#default"]}
    assert f"was {B}" in finding(story, "state-unaccounted", "staging#default").says
    apply(story, C, 9)
    # Whoever looks again sees that it is over.
    assert of_states(story) == {"state-unaccounted": ["staging#default"]}
    observe(story, C, 9)
    assert of_states(story) == {}
    row = story.row(states, "staging#default")
    assert (row.digest, row.serial, row.highest.serial) == (C, 9, 9)


def test_a_state_is_one_under_all_names_of_its_environment() -> None:
    story = Story()
    story.tell("environment.declared", actor="person:olga", environment="staging", tier="staging", aliases=["green"])
    apply(story)
    observe(story, B, 8, environment="Green")
    assert of_states(story) == {"state-unaccounted": ["staging#default"]}
    apply(story, C, 9, environment="green")
    observe(story, C, 9)
    assert of_states(story) == {}


def test_an_application_that_is_told_afterwards_accounts_for_nothing_that_was_seen_before() -> None:
    story = Story()
    apply(story)
    observe(story, B, 8)
    apply(story, B, 8, time=at(1.5))
    assert of_states(story) == {"state-unaccounted": ["staging#default"]}


def test_an_application_that_says_nothing_of_the_state_it_left_leaves_what_was_attested_before() -> None:
    story = Story()
    apply(story)
    apply(story, None, None)
    observe(story, B, 8)
    assert of_states(story) == {"state-unaccounted": ["staging#default"]}


def test_a_state_of_which_nothing_was_attested_is_neither_right_nor_wrong() -> None:
    story = Story()
    observe(story, B, 8)
    assert of_states(story) == {}
    # Nor by what is attested of another workspace or environment.
    apply(story, workspace="payments")
    apply(story, environment="prod")
    observe(story, C, 9)
    assert of_states(story) == {}
    observe(story, C, 9, environment="PROD")
    assert of_states(story) == {"state-unaccounted": ["prod#default"]}


def test_an_older_state_in_the_place_of_a_newer_one_is_found() -> None:
    story = Story()
    apply(story)
    observe(story)
    apply(story, B, 9)
    observe(story, A, 7)
    assert set(of_states(story)) == RULES
    assert "was written 7 times" in finding(story, "serial-went-back", "staging#default").says
    # As often, and otherwise, is no better.
    observe(story, C, 9)
    assert set(of_states(story)) == RULES
    observe(story, B, 9)
    assert of_states(story) == {}


def test_another_lineage_counts_for_itself() -> None:
    story = Story()
    apply(story, A, 90, lineage="old")
    apply(story, B, 1, lineage="new")
    observe(story, B, 1, lineage="new")
    assert of_states(story) == {}


def test_somebody_who_may_says_what_the_state_is_to_be_and_serials_count_from_there_on() -> None:
    story = Story()
    apply(story)
    observe(story, B, 3)
    assert set(of_states(story)) == RULES
    baseline(story, B, "person:paul", by="person:paul")
    assert set(of_states(story)) == RULES
    baseline(story, B)
    assert of_states(story) == {}
    observe(story, B, 3)
    assert of_states(story) == {}
    observe(story, A, 7)
    assert of_states(story) == {"state-unaccounted": ["staging#default"]}
    apply(story, C, 8)
    observe(story, C, 8)
    assert of_states(story) == {}


def test_of_very_many_observations_the_last_are_kept_and_the_highest_serial_of_all() -> None:
    story = Story()
    observe(story, C, 1000)
    for _ in range(KEPT + 2):
        observe(story, A, 7)
    row = story.row(states, "staging#default")
    assert (len(row.observed), row.highest.serial) == (KEPT, 1000)
    assert of_states(story) == {"serial-went-back": ["staging#default"]}


def test_what_an_import_brings_is_history() -> None:
    story = Story()
    story.tell("ledger.import_opened", actor="person:olga", import_id="I", reason="x", credential="token:old", sources=["*"],
        until=at(0), by="service:ledger", token="key:story")  # fmt: skip
    apply(story, time=at(-9), by="service:ci", token="token:old")
    observe(story, B, 8, time=at(-8), by="service:desk", token="token:old")
    assert of_states(story) == {}


# -- the gate ------------------------------------------------------------------------------------------------------------


def answer(story: Story, hours: float, **more: Any) -> tuple[str, str] | None:
    return against(ask(story, "apply", hours=hours, **{"plan": PLAN, "environment": "staging"} | more)).get(
        "state-is-accounted"
    )


def test_a_plan_is_applied_to_a_state_that_was_looked_at_lately_and_is_accounted_for() -> None:
    story = ready_to_deploy("normal", ("state-account", "staging", "required"))
    assert answer(story, 20) == ("insufficient_evidence", "not-observed")
    pass_time(story, 8)
    observe(story)
    seen = len(story.log)
    assert answer(story, seen) == ("insufficient_evidence", "not-attested")
    apply(story)
    observe(story)
    assert answer(story, seen + 2) is None
    assert answer(story, seen + 4) == ("insufficient_evidence", "stale")
    observe(story, B, 8)
    assert answer(story, seen + 3) == ("deny", "unaccounted")
    observe(story, A, 6)
    assert answer(story, seen + 4) == ("deny", "went-back")
    baseline(story, A)
    assert answer(story, seen + 4) is None
    assert answer(story, seen + 4, plan=None) == ("insufficient_evidence", "not-said")


@pytest.mark.parametrize("environment", ["prod", "staging"])
def test_a_policy_that_says_nothing_asks_nothing_of_the_state(environment: str) -> None:
    story = ready_to_deploy()
    observe(story, B, environment=environment)
    assert answer(story, 40, environment=environment) is None
    publish(story, ("state-account", environment, "optional"), version="2")
    assert answer(story, 40, environment=environment) is None


def test_what_others_say_in_somebodys_name_accounts_for_no_state() -> None:
    story = Story()
    apply(story)
    observe(story, B, 8)
    observe(story, A, 8, actor="service:inspector", by="service:ci")
    assert of_states(story) == {"state-unaccounted": ["staging#default"]}
    assert "spoken-for-another" in found(story)
    # However often.
    for _ in range(KEPT + 1):
        observe(story, A, 8, actor="service:inspector", by="service:ci")
    assert of_states(story) == {"state-unaccounted": ["staging#default"]}
    # And in its own name neither: it was another who found the state to be wrong.
    observe(story, A, 8, actor="service:inspector")
    assert of_states(story) == {"state-unaccounted": ["staging#default"]}
    observe(story, A, 8)
    assert of_states(story) == {}


def test_an_application_in_anothers_name_attests_nothing() -> None:
    story = Story()
    apply(story)
    apply(story, B, 8, by="service:stranger")
    observe(story, B, 8)
    assert of_states(story) == {"state-unaccounted": ["staging#default"]}
    assert "spoken-for-another" in found(story)


# -- planted in the year -------------------------------------------------------------------------------------------------


def plant_a_state_that_nobody_accounts_for(year: Year) -> set[str]:
    """Three workspaces of one environment: as it was applied, written by something else, and gone back to."""
    begin = START + 30 * DAY
    for workspace, seen, serial in (("kept", A, 5), ("written", B, 6), ("back", A, 4)):
        where: dict[str, Any] = {"environment": "qa-states", "workspace": workspace}
        year.say(begin, "iac.plan_produced", plan=PLAN[:-2] + f"{serial:02}", environment="qa-states", format_version="1.2",
            creates=1, updates=0, destroys=0)  # fmt: skip
        year.say(begin + HOUR, "iac.applied", actor="person:dan", plan=PLAN[:-2] + f"{serial:02}", outcome="success",
            state_digest=A, serial=5, **where)  # fmt: skip
        year.say(begin + 2 * HOUR, "state.observed", state_digest=seen, serial=serial, **where)
    return {"state-unaccounted/qa-states#written", "serial-went-back/qa-states#back"}
