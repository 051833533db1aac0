"""A made-up year: every breach that was planted is found, and nothing else is."""

import pytest
from telling import Story, document
from year import Year, stamp

from projections.findings import findings

SALTED = {"title": {"sha256": "c" * 64}}


def told(year: Year, batch: int) -> Story:
    story = Story(batch=batch)
    for position, said in enumerate(year, 1):
        data = {name: SALTED.get(name, value) for name, value in said.data.items()}
        story.add(
            document(
                position, said.type, data, time=stamp(said.time), recorded_at=stamp(said.recorded_at), by=said.principal,
                credential="token:year",
            )
        )  # fmt: skip
    story.flush()
    assert not story.folder.failures
    return story


@pytest.mark.parametrize("seed", [7, 8])
def test_every_planted_breach_is_found_and_nothing_else(seed: int) -> None:
    year = Year(seed=seed, services=20, changes=300, planted=2)
    found = {findings.load(text).finding_id for text in told(year, 300).store.texts(findings)}
    assert (sorted(year.expected - found), sorted(found - year.expected)) == ([], [])
    assert len(found) > 30
