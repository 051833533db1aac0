"""What may have caused an incident: label overlap times decay, against the hypothesis that nothing which was deployed did it.

Pure, over plain values; not which deployments are asked about, and no verdict: a person confirms. Method `ledger:label-overlap`, version 1:

    overlap   of the labels that the incident names, how many the deployment has, as a share of all different ones (Jaccard)
    decay     exp(-dt/tau), dt the seconds from the beginning of the deployment to the incident; before it began: no candidate
    share     overlap * decay of one, divided by the sum of all and the weight of *none*

With tau = 2 h and a weight of none of 0.1, an incident of api in prod, at 06:00:

    00:00 api in prod   1   * exp(-3.00) = 0.0498      with it alone: 0.3324, and none 0.6676: none wins
    05:00 api in prod   1   * exp(-0.50) = 0.6065      with the two below: 0.6153
    05:55 web in prod   1/3 * exp(-0.04) = 0.3197      0.3243; it came last, and it is another service: 0.6153 wins

Exponentials are decimals, rounded correctly, so that a share is the same wherever it is computed again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Final

METHOD: Final = "ledger:label-overlap"
VERSION: Final = "1"
_DIGITS: Final = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Possible:
    """Something that may be the cause: its name, its labels, and how many seconds before the incident it began."""

    name: str
    labels: Mapping[str, str]
    seconds: int


@dataclass(frozen=True, slots=True)
class Shares:
    """The share of each candidate, the likeliest first, and of the hypothesis that it was none of them; they sum up to 1."""

    candidates: tuple[tuple[str, str], ...]
    none: str

    @property
    def named(self) -> str | None:
        """Return the likeliest candidate; None where *none* is as likely."""
        first = self.candidates[0] if self.candidates else None
        return first[0] if first is not None and Decimal(first[1]) > Decimal(self.none) else None


def attributed(labels: Mapping[str, str], possible: Iterable[Possible], tau_s: int, none_percent: int) -> Shares:
    """Return the shares of what may have caused an incident with some labels.

    `tau_s` is at least a second, and the weight of none between 1 and 100 percent, whatever is asked for.
    """
    with localcontext() as context:
        context.prec = 28
        none = Decimal(min(max(none_percent, 1), 100)) / 100
        scores = {one.name: _score(labels, one, max(tau_s, 1)) for one in possible}
        whole = none + sum(scores.values())
        shares = {name: (score / whole).quantize(_DIGITS) for name, score in scores.items()}
        kept = sorted(((-share, name) for name, share in shares.items() if share > 0))
        return Shares(tuple((name, f"{-share}") for share, name in kept), f"{(none / whole).quantize(_DIGITS)}")


def _score(labels: Mapping[str, str], one: Possible, tau_s: int) -> Decimal:
    if one.seconds < 0 or not labels:
        return Decimal(0)
    same = sum(one.labels.get(name) == value for name, value in labels.items())
    # Of a label that the deployment does not have, there is only the incident's; of one that differs, there are two.
    different = sum(one.labels.get(name) not in (None, value) for name, value in labels.items())
    return Decimal(same) / (len(labels) + different) * (Decimal(-one.seconds) / tau_s).exp()
