"""Versions and constraints, as Terraform and OpenTofu read them."""

import pytest

from projections.rules.versions import is_major_step, is_within, may_meet, range_of, version_of


@pytest.mark.parametrize(
    ("constraint", "allowed", "expected"),
    [
        ("1.2.3", ">= 1.0, < 2.0", True),
        ("= 1.2.3", "~> 1.2", True),
        ("v1.2.3", "1.2.3", True),
        ("~> 1.2", ">= 1.0, < 2.0", True),
        ("~> 1.2", ">= 1.0, < 1.9", False),
        ("~> 1.2.3", "~> 1.2", True),
        ("~> 1.2", "~> 1.2.3", False),
        (">= 1.0", "< 2.0", False),
        (None, None, True),
        ("", ">= 1.0", False),
        (None, ">= 1.0", False),
        ("2.0.0", None, True),
        ("< 2.0", "< 2.0, != 1.5", False),
        ("1.5", "< 2.0, != 1.5", False),
        ("> 1.0", ">= 1.0", True),
        ("1.2", "1.2.0", True),
        ("2.0.0-rc1", "< 2.0", False),
        ("1.2.3+build.5", "~> 1.2", True),
        ("~> 1", "< 2.0", None),
        ("latest", None, None),
        ("1.0.0-snapshot", None, None),
        (">= 2.0, < 1.0", None, None),
        ("1.0 2.0", None, None),
        (",", None, None),
    ],
)
def test_a_constraint_is_within_a_range_when_all_that_it_admits_is(
    constraint: str | None, allowed: str | None, expected: bool | None
) -> None:
    assert is_within(constraint, allowed) is expected


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [("~> 1.2", "< 1.3", True), ("~> 1.2", "< 1.2", False), (None, "< 1", True), ("~> 1", "< 1", None)],
)
def test_two_constraints_meet_where_one_version_is_in_both(one: str | None, two: str, expected: bool | None) -> None:
    assert may_meet(one, two) is expected


@pytest.mark.parametrize(
    ("older", "newer", "expected"),
    [
        ("4.67.0", "5.0.0", True),
        ("5.0.0", "5.31.0", False),
        ("5.0.0", "4.67.0", False),
        ("0.3.0", "0.4.0", True),
        ("0.3.0", "0.3.9", False),
        ("0.9.0", "1.0.0", True),
        ("v1.0.0", "v2.0.0-rc.1", True),
        ("4", "5", None),
        ("4.0.0", "next", None),
    ],
)
def test_a_major_step_is_one_that_may_break_what_worked(older: str, newer: str, expected: bool | None) -> None:
    assert is_major_step(older, newer) is expected


def test_only_three_numbers_are_a_semantic_version() -> None:
    assert [version_of(text) is None for text in ("1.2.3", "v1.2.3-rc.1+x", "1.2", "1.2.3.4", "01.2.3", None)] == [
        False, False, True, True, True, True,
    ]  # fmt: skip
    assert range_of("1" * 128) is not None
