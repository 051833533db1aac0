"""Duties are told in words wherever their codes are shown to people."""

import pytest

from projections.rules.duties import DUTIES, explained


def test_every_duty_says_what_it_asks_for() -> None:
    assert list(DUTIES) == [f"S{number}" for number in range(1, 13)]
    assert DUTIES["S7"] == "nobody reviews their own access"


@pytest.mark.parametrize(
    ("said", "read"),
    [
        ("S7: person:bob holds the grant", "S7 (nobody reviews their own access): person:bob holds the grant"),
        (
            "not so (ann: S1: ann is the author)",
            "not so (ann: S1 (nobody approves what they wrote): ann is the author)",
        ),
        # Where no fault begins, it is somebody's own word.
        ("copied to S3: 4 objects", "copied to S3: 4 objects"),
        ("S13: unknown", "S13: unknown"),
    ],
)
def test_a_code_is_explained_where_a_fault_begins(said: str, read: str) -> None:
    assert explained(said) == read
