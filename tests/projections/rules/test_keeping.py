"""Keeping: whoever adds one too many loses their own oldest."""

import pytest

from projections.rules.keeping import ends_of_each, kept, last_of_each


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


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ("a1 b1 a2", "a1 b1 a2"),
        ("a1 a2 a3 a4", "a1 a4"),
        ("a1 b1 b2 b3 a2", "a1 b1 b3 a2"),
        # Of very many people, those in the middle are left out.
        ("a1 b1 c1 d1 e1", "a1 b1 d1 e1"),
        ("a1 b1 c1 d1 e1 a2", "a1 b1 e1 a2"),
    ],
)
def test_of_everybody_the_first_and_the_last_are_kept(items: str, expected: str) -> None:
    found: tuple[str, ...] = ()
    for item in items.split():
        found = ends_of_each(found, item, lambda one: one[0], 4)
    assert found == tuple(expected.split())
