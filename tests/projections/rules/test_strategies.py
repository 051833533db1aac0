"""Strategies: the first cell that fits a service holds, and what was seen is held against what was chosen."""

import pytest

from projections.rules.strategies import Cell, Profile, Strategy, allowed, not_as_chosen

CELLS = (
    Cell(("canary",), ("high",), stateful=True),
    Cell(("blue_green", "canary"), ("high",), bears_at_most_s=60),
    Cell(("canary", "rolling"), ("high", "medium")),
)


@pytest.mark.parametrize(
    ("profile", "expected"),
    [
        (Profile("high", 30, True), ("canary",)), (Profile("high", 30, False), ("blue_green", "canary")),
        (Profile("high", 60, False), ("blue_green", "canary")), (Profile("high", 61, False), ("canary", "rolling")),
        (Profile("medium", 0, True), ("canary", "rolling")), (Profile("low", 0, True), None),
    ],
)  # fmt: skip
def test_the_first_cell_that_fits_a_service_holds(profile: Profile, expected: tuple[str, ...] | None) -> None:
    assert allowed(CELLS, profile) == expected


@pytest.mark.parametrize(
    ("chosen", "weights", "words"),
    [
        ("canary", [5, 50, 100], ""), ("canary", [100], "at once"), ("canary", [0, 100], "at once"), ("canary", [100, 50, 100], "at once"),
        ("canary", [], ""), ("canary", [5, 0], ""), ("rolling", [100], "at once"), ("rolling", [33, 66, 100], ""),
        ("blue_green", [0, 100], ""), ("blue_green", [0, 50, 100], "50 percent"), ("recreate", [100], ""), ("recreate", [1], "1 percent"),
        ("blue_green", [100, 50], ""),
    ],
)  # fmt: skip
def test_what_was_seen_is_held_against_what_was_chosen(chosen: Strategy, weights: list[int], words: str) -> None:
    said = not_as_chosen(chosen, weights)
    assert words in said
    assert bool(words) == bool(said)
