"""Later statements do not excuse: what was found of an act stays found, whatever is said afterwards about the same things.

But for what may: a withdrawal, a disposition, who turns out to be whom, and what a name that nobody knew turns out to be.
"""

import itertools

import pytest
from histories import random_history
from telling import Story

from ledger.clock import from_text
from projections.engine.finding import Finding
from projections.judging.findings import findings

HISTORIES = 20
ALL_HISTORIES = 5_000
LENGTH, LATER = 40, 80
ABOUT_ACTS = {
    "artifact-not-approved", "branch-rules-weakened", "built-by-another-builder", "deployed-in-freeze", "deployer-without-grant",
    "deployment-without-change", "isolation-violated", "outside-window", "reported-late", "started-without-approval",
    "unapproved-plan-applied", "unchecked-plan-applied", "unfit-plan-applied",
}  # fmt: skip
MAY_EXCUSE = {
    "environment.declared", "finding.disposed", "identity.linked", "ledger.clock_corrected", "ledger.import_opened",
    "statement.withdrawn",
}  # fmt: skip
# By then nothing can come within the lag, nor within the hours that a policy gives an emergency.
AFTERWARDS = 25 * 3600 * 1_000_000


def open_of_acts(story: Story) -> dict[str, Finding]:
    story.flush()
    rows = (findings.load(text) for text in story.store.texts(findings))
    return {row.finding_id: row for row in rows if row.is_open and row.rule in ABOUT_ACTS}


def acts_early(seed: int) -> bool:
    """Say whether there is anything in the beginning of a history that could be excused later."""
    told = [one["statement"]["type"] for one in random_history(seed, LENGTH)]
    return sum(name.startswith("deployment.") for name in told) > 1


def excused(seed: int) -> tuple[int, list[str]]:
    """Tell a history, and more of it a day later; return how many findings of acts there were, and those that are gone."""
    drawn = random_history(seed, LATER)
    kept = {n for n, told in enumerate(drawn) if n < LENGTH or told["statement"]["type"] not in MAY_EXCUSE}
    documents = random_history(seed, LATER, kept)
    times = [told["recorded_at"] for told in documents]
    if any(later < earlier for earlier, later in itertools.pairwise(times)) or times[LENGTH - 1] == times[LENGTH]:
        return 0, []
    story = Story(batch=LATER)
    for told in documents[:LENGTH]:
        story.add(told)
    before = {
        name: row
        for name, row in open_of_acts(story).items()
        if from_text(times[LENGTH]) - from_text(times[max(row.positions) - 1]) > AFTERWARDS
    }
    for told in documents[LENGTH:]:
        story.add(told)
    after = open_of_acts(story)
    return len(before), sorted(set(before) - set(after))


@pytest.mark.parametrize("part", range(2))
def test_what_is_said_afterwards_excuses_nothing(part: int, request: pytest.FixtureRequest) -> None:
    many, found = ALL_HISTORIES if request.config.getoption("--all") else HISTORIES, 0
    acted = (seed for seed in itertools.count(part, 2) if acts_early(seed))
    for seed in itertools.islice(acted, many // 2):
        count, gone = excused(seed)
        assert not gone, f"seed {seed}"
        found += count
    assert found > 2
