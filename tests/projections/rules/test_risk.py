"""The arithmetic of risk: published numbers, laws, and what is refused."""

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.rules.calibration import Calibration, counted
from projections.rules.fitting import fit_logistic
from projections.rules.risk import Model, ModelError, band_of, beta_exceeds, check_model, decayed, score

POINTS = Model(
    "weighted_points", {"criticality": "1", "dependents": "0.5"}, [("low", "0"), ("high", "14"), ("moderate", "7")]
)
BETA = Model("beta_binomial", {"prior_a": "1", "prior_b": "19", "tolerance": "0.10"}, [("low", "0"), ("high", "0.3")])
LOGISTIC = Model("logistic", {"intercept": "-2", "lines": "0.5"}, [("low", "0"), ("high", "0.5")])


@pytest.mark.parametrize(
    ("changes", "failures", "mean", "exceeds"), [("30", "3", "0.08", 0.265), ("2", "1", "0.090909090909", 0.365)]
)
def test_a_base_rate_is_judged_by_how_surely_it_exceeds_the_tolerance(
    changes: str, failures: str, mean: str, exceeds: float
) -> None:
    found = score(BETA, {"changes": changes, "failures": failures})
    assert found.probability == mean
    assert float(found.score) == pytest.approx(exceeds, abs=5e-4)


@given(st.floats(0.5, 60), st.floats(0.5, 60), st.floats(0.001, 0.999))
def test_the_tail_of_beta_is_what_numerical_integration_gives(a: float, b: float, tolerance: float) -> None:
    # Substituting p = sin²(u) takes away the poles at both ends; Simpson's rule does the rest.
    def density(u: float) -> float:
        s, c = math.sin(u), math.cos(u)
        return 2 * (s ** (2 * a - 1) if s else 0.0) * c ** (2 * b - 1)

    def integral(start: float, end: float, steps: int = 2000) -> float:
        width = (end - start) / steps
        weights = (1 if i in (0, steps) else 4 if i % 2 else 2 for i in range(steps + 1))
        return width / 3 * math.fsum(w * density(start + i * width) for i, w in enumerate(weights))

    whole = math.exp(math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b))
    below = integral(1e-12, math.asin(math.sqrt(tolerance))) / whole
    assert beta_exceeds(a, b, tolerance) == pytest.approx(1 - below, abs=2e-3)


@pytest.mark.parametrize(
    ("points", "band"), [("13", "moderate"), ("13.5", "moderate"), ("14", "high"), ("6.9", "low"), ("-1", "low")]
)
def test_there_is_no_hole_between_two_bands(points: str, band: str) -> None:
    assert band_of(POINTS, Decimal(points)) == band


def test_points_are_added_up_exactly_and_say_where_they_come_from() -> None:
    found = score(POINTS, {"criticality": "0.1", "dependents": "0.4"})
    assert (found.score, found.band, found.probability) == ("0.3", "low", None)
    assert found.contributions == (("criticality", "0.1"), ("dependents", "0.2"))


def test_a_scale_makes_points_a_probability() -> None:
    scaled = Model("weighted_points", {"criticality": "1", "scale": "8"}, [("low", "0")])
    assert score(scaled, {"criticality": "2"}).probability == "0.25"
    assert score(scaled, {"criticality": "9"}).probability == "1"


def test_a_logistic_model_gives_a_probability() -> None:
    assert score(LOGISTIC, {"lines": "4"}).score == "0.5"
    assert score(LOGISTIC, {"lines": "-3000"}).score == "0"


@pytest.mark.parametrize(
    ("model", "features"),
    [
        (POINTS, {"criticality": "1"}),
        (BETA, {"changes": "1"}),
        (BETA, {"changes": "1", "failures": "2"}),
        (Model("beta_binomial", {"prior_a": "1"}, [("low", "0")]), {"changes": "1", "failures": "0"}),
        (Model("weighted_points", {}, []), {}),
    ],
)
def test_a_model_without_what_it_needs_says_so(model: Model, features: dict[str, str]) -> None:
    with pytest.raises(ModelError, match="expected"):
        score(model, features)


def test_old_days_count_less() -> None:
    assert decayed([(0, 10, 1), (30, 10, 1)], 0.5) == (Decimal(15), Decimal("1.5"))
    assert decayed([(0, 10, 1), (300, 10, 1)]) == (Decimal(20), Decimal(2))


ROWS = [({"lines": str(n), "tests": str(n % 3)}, n > 6 or n == 2) for n in range(12)]


def test_fitting_again_gives_the_same_digits_and_the_right_signs() -> None:
    found = fit_logistic(ROWS, ["lines", "tests"])
    assert found == fit_logistic(list(ROWS), ["lines", "tests"])
    assert list(found) == ["intercept", "lines", "tests"]
    assert Decimal(found["lines"]) > 0
    likely = score(Model("logistic", found, [("any", "0")]), {"lines": "11", "tests": "0"})
    assert Decimal(likely.score) > Decimal("0.5")


def test_outcomes_of_one_kind_teach_nothing() -> None:
    with pytest.raises(ModelError):
        fit_logistic([({"lines": "1"}, False)], ["lines"])


@given(st.lists(st.tuples(st.integers(0, 10**12), st.booleans()), max_size=30), st.randoms())
def test_what_is_taken_back_leaves_no_trace(told: list[tuple[int, bool]], random: object) -> None:
    pairs = [(f"{n / 10**12:.12f}", failed) for n, failed in told]
    found = Calibration()
    for p, failed in pairs:
        found = counted(found, p, failed)
        found = counted(counted(found, "0.5", True), "0.5", True, -1)
    shuffled = Calibration()
    for p, failed in reversed(pairs):
        shuffled = counted(shuffled, p, failed)
    assert found == shuffled
    if pairs:
        mean = sum((float(p) - failed) ** 2 for p, failed in pairs) / len(pairs)
        assert float(found.brier or 0) == pytest.approx(mean, abs=1e-9)


# -- numbers as they may be published ----------------------------------------------------------------------------------

# What the catalogue's Decimal admits: eighteen digits before the point and eighteen after it.
NUMBERS = st.one_of(
    st.sampled_from(
        ["0", "-1", "-0.5", "1", "1.5", "0.000000000000000001", "999999999999999999", "-999999999999999999"]
    ),
    st.sampled_from(["123456789012345678.123456789012345678", "999999999999999999.999999999999999999"]),
    st.decimals(-1000, 1000, allow_nan=False, places=6).map(lambda number: f"{number:f}"),
)
NAMES = {
    "weighted_points": ("scale", "criticality", "dependents"),
    "beta_binomial": ("prior_a", "prior_b", "tolerance", "decay", "least"),
    "logistic": ("intercept", "lines", "files"),
}


@st.composite
def models(draw: st.DrawFn) -> Model:
    form = draw(st.sampled_from(sorted(NAMES)))
    parameters = {name: draw(NUMBERS) for name in NAMES[form]}
    for name in draw(st.sets(st.sampled_from(NAMES[form]), max_size=1)):
        del parameters[name]
    return Model(form, parameters, [("low", draw(NUMBERS)), ("high", draw(NUMBERS))])  # type: ignore[arg-type]


FEATURES = (*NAMES["weighted_points"], *NAMES["logistic"], "changes", "failures")


@given(models(), st.fixed_dictionaries({}, optional=dict.fromkeys(FEATURES, NUMBERS)))
def test_a_model_scores_a_number_or_says_in_words_why_it_does_not(model: Model, features: dict[str, str]) -> None:
    try:
        found = score(model, features)
    except ModelError:
        return
    assert Decimal(found.score).is_finite()
    if found.probability is not None:
        assert 0 <= Decimal(found.probability) <= 1
        counted(Calibration(), found.probability, True)


@given(models())
def test_a_model_that_can_score_nothing_is_known_when_it_is_published(model: Model) -> None:
    features = dict.fromkeys(FEATURES, "1") | {"changes": "10", "failures": "1"}
    try:
        check_model(model)
    except ModelError:
        return
    score(model, features)


@pytest.mark.parametrize("decay", [-0.5, 0.0, 1.5, 999999999999999999.0, math.inf, math.nan])
def test_counts_wane_by_a_decay_that_is_one(decay: float) -> None:
    with pytest.raises(ModelError, match="decay"):
        decayed([(400, 5, 1)], decay)
