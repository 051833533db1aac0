"""Features of a change, computed from plain values: how many, how long ago, and what is not known."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import pytest

from projections.readings.risk.outcomes import Day
from projections.rules.features import FEATURES, NotKnownError, computed, differing


@dataclass
class Facts:
    """What is known of a change, as plain values."""

    at: str = "2026-06-30T10:00:00.000000Z"
    days: dict[str, tuple[Day, ...]] = field(default_factory=dict)
    freeze: str | None = None
    code: tuple[tuple[str, ...], ...] = ()

    def services(self) -> Sequence[str]:
        return ("api", "web")

    def environments(self) -> Sequence[str]:
        return ("prod",)

    def team(self) -> str:
        raise NotKnownError("no team is told")

    def commits(self) -> Collection[str]:
        return ("a3f5b21",)

    def artifacts(self) -> Collection[str]:
        return ()

    def labelled(self, scope: str) -> Sequence[Day]:
        return self.days.get(scope, ())

    def destroyed(self) -> int:
        return 3

    def shared_targets(self) -> Collection[str]:
        return ("db",)

    def next_freeze(self, days: int) -> str | None:
        return self.freeze

    def reviewers(self) -> Sequence[Collection[str]]:
        return self.code


def of(facts: Facts, name: str) -> str:
    found, missing = computed(facts, [name])
    return found.get(name) or missing[name]


def test_history_is_of_ninety_days_and_of_the_service_with_the_most() -> None:
    api = (Day("2026-03-01", 9, 9), Day("2026-05-01", 3, 1), Day("2026-06-30", 1, 0), Day("2026-07-01", 5, 5))
    facts = Facts(days={"service:api": api, "service:web": (Day("2026-06-18", 2, 2),)})
    assert (of(facts, "service_changes_90d"), of(facts, "service_failures_90d")) == ("4", "2")
    assert of(facts, "days_since_failure") == "12"
    assert of(Facts(), "days_since_failure") == "365"
    assert of(Facts(days={"service:api": (Day("0001-01-01", 1, 1),)}), "days_since_failure") == "365"


@pytest.mark.parametrize(
    ("begins", "days"),
    [
        (None, "30"),
        ("2026-07-03T15:00:00.000000Z", "3"),
        ("2026-07-01T09:59:00.000000Z", "0"),
        ("2026-01-01T00:00:00.000000Z", "0"),
    ],
)
def test_a_freeze_is_so_many_whole_days_away(begins: str | None, days: str) -> None:
    assert of(Facts(freeze=begins), "days_to_freeze") == days


def test_the_part_of_the_code_with_the_fewest_reviewers_counts() -> None:
    assert of(Facts(code=(("bob", "carol"), ("bob",))), "independent_reviewers") == "1"
    assert of(Facts(code=(("bob",), ())), "independent_reviewers") == "0"


def test_what_is_not_known_says_why_and_what_is_not_in_the_list_is_nobodys() -> None:
    found, missing = computed(Facts(), ["team_failures_90d", "scope_commits", "colour"])
    assert (found, missing) == ({"scope_commits": "1"}, {"team_failures_90d": "no team is told"})


def test_numbers_are_compared_and_not_their_spelling() -> None:
    assert differing({"a": "1.0", "b": "2.5", "c": "1"}, {"a": "1", "b": "2"}) == ["b"]


def test_every_feature_has_a_sentence() -> None:
    assert all(feature.doc.endswith(".") for feature in FEATURES.values())
