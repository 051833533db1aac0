"""Whether a version takes another's place, over plain outcomes."""

from decimal import Decimal

import pytest

from projections.rules.calibration import Calibration, counted
from projections.rules.promotion import Limits, Outcome, not_better, trial_of

FEW = Limits(outcomes=4, reliability=Decimal("0.2"), group=Decimal("0.1"), group_outcomes=2)


def outcomes(*told: tuple[str, str, bool], group: str | None = None) -> list[Outcome]:
    return [Outcome(group, failed, champion, challenger) for champion, challenger, failed in told]


SAME = [("0.5", "0.5", True), ("0.5", "0.5", False)] * 2
BETTER = [("0.5", "0.9", True), ("0.5", "0.1", False)] * 2
WORSE = [("0.5", "0.4", True), ("0.5", "0.6", False)] * 2


@pytest.mark.parametrize(
    ("told", "faults"),
    [
        (SAME, ()),
        (BETTER, ()),
        (
            WORSE,
            (
                "reliability error 0.6; expected at most 0.2",
                "Brier score 0.36; expected at most the champion's 0.25",
            ),
        ),
        (SAME[:3], ("3 outcomes; expected at least 4",)),
        (
            [],
            ("0 outcomes; expected at least 4",),
        ),
        ([("0.9", "0.6", False)] * 4, ("reliability error 0.6; expected at most 0.2",)),
    ],
)
def test_a_challenger_has_to_predict_enough_outcomes_no_worse(
    told: list[tuple[str, str, bool]], faults: tuple[str, ...]
) -> None:
    assert trial_of(outcomes(*told), FEW, has_champion=True).faults == faults


def test_what_only_one_of_them_predicted_says_nothing_of_the_other() -> None:
    told = [*outcomes(*SAME), Outcome(None, True, None, "0"), Outcome(None, True, "0", None)]
    found = trial_of(told, FEW, has_champion=True)
    assert (found.faults, found.challenger.changes) == ((), 4)
    assert trial_of(told, FEW, has_champion=False).challenger.changes == 5


def test_no_group_may_be_predicted_much_worse_unless_it_is_too_small_to_tell() -> None:
    told = outcomes(*BETTER * 3, group="web") + outcomes(("0.1", "0.6", False), ("0.1", "0.6", False), group="api")
    limits = Limits(outcomes=4, reliability=Decimal("0.5"), group=Decimal("0.1"), group_outcomes=2)
    assert trial_of(told, limits, has_champion=True).faults == (
        "Brier score of api 0.36; expected at most 0.1 above 0.01",
    )
    assert trial_of(told[:-1], limits, has_champion=True).faults == ()


def test_two_calibrations_are_compared_by_the_same_limits() -> None:
    def calibration(*pairs: tuple[str, bool]) -> Calibration:
        found = Calibration()
        for probability, failed in pairs:
            found = counted(found, probability, failed)
        return found

    champion = calibration(*[("0.5", True), ("0.5", False)] * 30)
    good = calibration(*[("1", True), ("0", False)] * 30)
    assert not_better(champion, good, Limits()) == []
    assert not_better(good, champion, Limits()) == ["Brier score 0.25; expected at most the champion's 0"]
    assert not_better(champion, calibration(("1", True)), Limits())[0] == "1 outcome; expected at least 50"
    assert not_better(champion, Calibration(), Limits())
