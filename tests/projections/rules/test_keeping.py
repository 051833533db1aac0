"""Keeping: whoever adds one too many loses their own oldest."""

import pytest

from projections.rules.keeping import kept, last_of_each


@pytest.mark.parametrize(
    ("items", "added", "expected"),
    [
        ("a1 b1", "b1", "a1 b1"),
        ("a1 b1 b2 b3", "b3", "a1 b2 b3"),
        # Of whoever was not there before, no other is theirs to lose.
        ("a1 b1 b2 c1", "c1", "a1 b2 c1"),
        ("a1 b1 c1 d1", "d1", "b1 c1 d1"),
        # What is told late stands where it belongs, and may be the oldest itself.
        ("b0 a1 b1 b2", "b0", "a1 b1 b2"),
    ],
)
def test_whoever_adds_one_too_many_loses_their_own_oldest(items: str, added: str, expected: str) -> None:
    assert kept(items.split(), added, lambda item: item[0], 3) == tuple(expected.split())


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ("a1 b1 b2 b3", "a1 b1 b2 b3"),
        ("a1 b1 b2 b3 b4", "a1 b2 b3 b4"),
        ("a1 b1 b2 b3 b4 a2 b5", "a1 b4 a2 b5"),
        ("a1 b1 a2 b2 a3 b3 c1", "a3 b3 c1"),
        ("a1 b1 c1 d1 e1", "b1 c1 d1 e1"),
    ],
)
def test_of_whoever_says_very_much_the_last_is_looked_at(items: str, expected: str) -> None:
    assert last_of_each(items.split(), lambda item: item[0], 4) == expected.split()
