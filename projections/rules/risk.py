"""Risk: one score behind three forms of model, and the probability it stands for.

Not how new parameters are found (`fitting`), nor how good predictions were (`calibration`).

Pure: numbers in, numbers out. A number is a decimal string, as in the events; what floats compute is rounded to twelve
digits, so that a score is the same wherever it is computed again. Sums of points are exact.

- `weighted_points`: parameters are weights by feature; the score is the weighted sum. With the parameter `scale`,
  score / scale (at most 1) is taken for the probability of failure.
- `beta_binomial`: parameters `prior_a`, `prior_b`, `tolerance`, and perhaps `decay` and `least`; features `changes` and
  `failures`. The score is the probability that the rate of failure exceeds the tolerance, given the counts.
- `logistic`: parameters are `intercept` and coefficients by feature; the score is the probability of failure.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

Form = Literal["weighted_points", "beta_binomial", "logistic"]
# Parameters that are no weight of a feature.
SCALE: Final = "scale"
INTERCEPT: Final = "intercept"
# Counts of a prior that are larger say no more, and no float computes with them.
MAX_PRIOR: Final = 10**9
# Features that the ledger counts itself, from the labels before an assessment.
COUNTED: Final = ("changes", "failures")
DIGITS: Final = Decimal("1e-12")
DAYS_OF_DECAY: Final = 30


class ModelError(ValueError):
    """A model cannot score: a parameter or a feature is missing or out of its range."""


@dataclass(frozen=True, slots=True)
class Model:
    """One version of a model. `bands` are (name, lowest score), ascending; what is below all of them is in the first."""

    form: Form
    parameters: Mapping[str, str]
    bands: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Scored:
    """What a model says of one change: the score, its band, the probability of failure where it has one, and the parts."""

    score: str
    band: str
    probability: str | None
    contributions: tuple[tuple[str, str], ...]


def score(model: Model, features: Mapping[str, str]) -> Scored:
    """Score a change by its features. Raises ModelError when one that the model needs is missing, or it cannot be computed."""
    with computing("the score"):
        value, probability, parts = _FORMS[model.form](model.parameters, features)
        return Scored(text(value), band_of(model, value), None if probability is None else text(probability), parts)


@contextmanager
def computing(what: str) -> Iterator[None]:
    """Raise ModelError, saying in words what numbers do not allow: too large, not finite, divided by nothing."""
    try:
        yield
    except (ArithmeticError, ValueError, TypeError) as error:
        if isinstance(error, ModelError):
            raise
        raise ModelError(
            f"{what} cannot be computed: {type(error).__name__} with these parameters and features"
        ) from error


def check_model(model: Model) -> None:
    """Raise ModelError where a model can be known to score nothing, whatever the features are."""
    given = model.parameters
    with computing("the model"):
        if len({name for name, _ in model.bands}) < len(model.bands):
            raise ModelError("expected every band once")
        if model.form == "logistic":
            _parameter(given, INTERCEPT)
        elif model.form == "weighted_points":
            if Decimal(given.get(SCALE, "1")) <= 0:
                raise ModelError(f"expected a scale above zero; found {given[SCALE]}")
        else:
            for name in ("prior_a", "prior_b"):
                if not 0 < _parameter(given, name) <= MAX_PRIOR:
                    raise ModelError(f"expected {name} above 0 and at most {MAX_PRIOR}; found {given[name]}")
            if not 0 <= _parameter(given, "tolerance") <= 1:
                raise ModelError(f"expected a tolerance from 0 to 1; found {given['tolerance']}")
            if not 0 < Decimal(given.get("decay", "1")) <= 1:
                raise ModelError(f"expected a decay above 0 and at most 1; found {given['decay']}")
            if Decimal(given.get("least", "0")) < 0:
                raise ModelError(f"expected least to be 0 or more; found {given['least']}")


def band_of(model: Model, value: Decimal) -> str:
    """Return the band of a score: the highest whose lowest score it reaches. There is no hole between two bands."""
    if not model.bands:
        raise ModelError("expected at least one band; found none")
    ascending = sorted(model.bands, key=lambda band: Decimal(band[1]))
    reached = [name for name, lowest in ascending if Decimal(lowest) <= value]
    return reached[-1] if reached else ascending[0][0]


def text(value: Decimal) -> str:
    """Return a number in its one spelling: no exponent, no zeros at the end."""
    plain = f"{value:f}"
    return (plain.rstrip("0").rstrip(".") if "." in plain else plain) or "0"


def rounded(value: float) -> Decimal:
    """Return a number with twelve decimals. Raises ModelError for one that is not finite, or has no room for them."""
    if not math.isfinite(value) or abs(value) >= 10**15:
        raise ModelError(f"expected a number that can be written; found {value}")
    return Decimal(repr(value)).quantize(DIGITS).normalize() + 0


# -- the three forms --------------------------------------------------------------------------------------------------

Parts = tuple[Decimal, Decimal | None, tuple[tuple[str, str], ...]]


def _weighted_points(parameters: Mapping[str, str], features: Mapping[str, str]) -> Parts:
    weights = {name: Decimal(weight) for name, weight in parameters.items() if name != SCALE}
    points = {name: weight * feature(features, name) for name, weight in weights.items()}
    total = sum(points.values(), Decimal(0))
    scale = Decimal(parameters.get(SCALE, "0"))
    probability = rounded(float(min(max(total / scale, Decimal(0)), Decimal(1)))) if scale > 0 else None
    return total, probability, tuple((name, text(value)) for name, value in points.items())


def _beta_binomial(parameters: Mapping[str, str], features: Mapping[str, str]) -> Parts:
    changes, failures = (feature(features, name) for name in COUNTED)
    if not 0 <= failures <= changes:
        raise ModelError(f"expected failures between 0 and the changes; found {failures} of {changes}")
    a = _parameter(parameters, "prior_a") + failures
    b = _parameter(parameters, "prior_b") + changes - failures
    exceeds = rounded(beta_exceeds(float(a), float(b), float(_parameter(parameters, "tolerance"))))
    mean = rounded(float(a / (a + b)))
    return exceeds, mean, (("mean", text(mean)), ("a", text(a)), ("b", text(b)))


def _logistic(parameters: Mapping[str, str], features: Mapping[str, str]) -> Parts:
    weights = {name: Decimal(weight) for name, weight in parameters.items() if name != INTERCEPT}
    points = {name: weight * feature(features, name) for name, weight in weights.items()}
    logit = _parameter(parameters, INTERCEPT) + sum(points.values(), Decimal(0))
    probability = rounded(sigmoid(float(logit)))
    return probability, probability, tuple((name, text(value)) for name, value in points.items())


_FORMS: Final[Mapping[Form, Callable[[Mapping[str, str], Mapping[str, str]], Parts]]] = {
    "weighted_points": _weighted_points,
    "beta_binomial": _beta_binomial,
    "logistic": _logistic,
}


def feature(features: Mapping[str, str], name: str) -> Decimal:
    """Return a feature of a change. Raises ModelError where it is missing."""
    if name not in features:
        raise ModelError(f"expected the feature {name}; found {', '.join(features) or 'none'}")
    return Decimal(features[name])


def _parameter(parameters: Mapping[str, str], name: str) -> Decimal:
    if name not in parameters:
        raise ModelError(f"expected the parameter {name}; found {', '.join(parameters) or 'none'}")
    return Decimal(parameters[name])


def sigmoid(x: float) -> float:
    """Return the logistic function of a number."""
    # Both branches keep the exponent negative: no overflow at either end.
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def beta_exceeds(a: float, b: float, tolerance: float) -> float:
    """Return P(p > tolerance) for p ~ Beta(a, b): one minus the regularised incomplete beta function (DLMF 8.17)."""
    if a <= 0 or b <= 0:
        raise ModelError(f"expected a prior above zero; found Beta({a}, {b})")
    if tolerance <= 0 or tolerance >= 1:
        return 1.0 if tolerance <= 0 else 0.0
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(tolerance) + b * math.log1p(-tolerance)
    )
    # The continued fraction converges quickly on one side of the mean only; the other is its complement.
    if tolerance < (a + 1) / (a + b + 2):
        return 1 - front * _continued(a, b, tolerance) / a
    return front * _continued(b, a, 1 - tolerance) / b


def _continued(a: float, b: float, x: float) -> float:
    """Evaluate the continued fraction of DLMF 8.17.22 from the front, by Lentz's method."""
    tiny = 1e-300
    c, d = 1.0, 1 / ((1 - (a + b) * x / (a + 1)) or tiny)
    found = d
    for m in range(1, 500):
        for step in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / ((1 + step * d) or tiny)
            c = (1 + step / c) or tiny
            found *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return found


# -- what was counted before -------------------------------------------------------------------------------------------


def decayed(days: Iterable[tuple[float, int, int]], decay: float = 1.0) -> tuple[Decimal, Decimal]:
    """Return (changes, failures), where a day's counts weigh decay^(age / 30 days). `days` are (age in days, changes, failures).

    Raises ModelError for a decay outside (0, 1]: nothing would wane, or not be a number.
    """
    if not 0 < decay <= 1:
        raise ModelError(f"expected a decay above 0 and at most 1; found {decay}")
    changes = failures = 0.0
    for age, some, failed in days:
        weight = decay ** (max(age, 0) / DAYS_OF_DECAY)
        changes += weight * some
        failures += weight * failed
    return rounded(changes), rounded(min(failures, changes))
