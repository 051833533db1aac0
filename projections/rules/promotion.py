"""Promotion: whether a version of a risk model may take another's place, by how both predicted the same outcomes. Pure.

Not how the predictions were made, nor whose outcomes they are held against. With fifty outcomes asked for:

    champion                         challenger                  counts
    none                             60 outcomes, reliable       yes
    none, or with 12 outcomes        12 outcomes                 provisionally: there is nothing to hold it against
    60 outcomes, Brier 0.09          60 outcomes, Brier 0.08     yes
    60 outcomes, Brier 0.09          20 outcomes                 no, and neither with a greater Brier score
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from ledger.words import number_of
from projections.rules.calibration import Calibration, counted


@dataclass(frozen=True, slots=True)
class Limits:
    """What is asked of a challenger: how many outcomes, how far its bins may be off, and how much worse a group may be predicted.

    A group with fewer than `group_outcomes` says nothing.
    """

    outcomes: int = 50
    reliability: Decimal = Decimal("0.05")
    group: Decimal = Decimal("0.02")
    group_outcomes: int = 10


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one change, its group, and what each of two versions had predicted; None where one predicts nothing of it."""

    group: str | None
    failed: bool
    champion: str | None
    challenger: str | None


@dataclass(slots=True)
class _Pair:
    champion: Calibration = field(default_factory=Calibration)
    challenger: Calibration = field(default_factory=Calibration)

    def count(self, outcome: Outcome) -> None:
        self.champion = counted(self.champion, outcome.champion or "0", outcome.failed)
        self.challenger = counted(self.challenger, outcome.challenger or "0", outcome.failed)


@dataclass(frozen=True, slots=True)
class Trial:
    """How a challenger did: over the outcomes that both predicted, or where it has no rival over its own; and all that is against it."""

    challenger: Calibration
    champion: Calibration | None
    faults: tuple[str, ...]


def trial_of(outcomes: Iterable[Outcome], limits: Limits, *, has_champion: bool) -> Trial:
    """Hold a challenger against a champion over the outcomes that both predicted; or, without one, against what is asked of any version."""
    whole, groups = _Pair(), dict[str, _Pair]()
    for outcome in outcomes:
        if outcome.challenger is None or (has_champion and outcome.champion is None):
            continue
        whole.count(outcome)
        if outcome.group is not None:
            groups.setdefault(outcome.group, _Pair()).count(outcome)
    faults = not_reliable(whole.challenger, limits)
    if has_champion:
        faults += _worse(whole.champion, whole.challenger)
        faults += [
            f"Brier score of {name} {pair.challenger.brier}; expected at most {limits.group} above {pair.champion.brier}"
            for name, pair in sorted(groups.items())
            if pair.challenger.changes >= limits.group_outcomes
            and _brier(pair.challenger) - _brier(pair.champion) > limits.group
        ]
    return Trial(whole.challenger, whole.champion if has_champion else None, tuple(faults))


def not_better(champion: Calibration, challenger: Calibration, limits: Limits) -> list[str]:
    """Say what keeps a challenger from taking the champion's place: too few outcomes, unreliable bins, a worse score."""
    return not_reliable(challenger, limits) + _worse(champion, challenger)


def not_reliable(found: Calibration, limits: Limits) -> list[str]:
    """Say what keeps a version from being relied on, whatever others there are."""
    # Without any outcome there is no error to speak of, and nothing to rely on.
    least = max(limits.outcomes, 1)
    faults = [f"{number_of(found.changes, 'outcome')}; expected at least {least}"] if found.changes < least else []
    if found.reliability_error is not None and Decimal(found.reliability_error) > limits.reliability:
        faults.append(f"reliability error {found.reliability_error}; expected at most {limits.reliability}")
    return faults


def _worse(champion: Calibration, challenger: Calibration) -> list[str]:
    if champion.changes and challenger.changes and _brier(challenger) <= _brier(champion):
        return []
    return (
        [f"Brier score {challenger.brier}; expected at most the champion's {champion.brier}"]
        if challenger.changes
        else []
    )


def _brier(found: Calibration) -> Decimal:
    return Decimal(found.brier or "1")
