"""Fitting: parameters of a logistic model from changes whose outcomes are known. The same rows give the same digits.

Not the choice of the rows: whoever asks says which, and from when.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Final

from projections.rules.risk import INTERCEPT, ModelError, computing, feature, rounded, sigmoid, text

_ITERATIONS: Final = 25


def fit_logistic(
    rows: Sequence[tuple[Mapping[str, str], bool]], names: Sequence[str], l2: float = 1.0
) -> dict[str, str]:
    """Fit a logistic regression of failure on features; returns parameters by name, rounded to twelve digits.

    Newton's method, always the same number of steps from zero, features in the order of `names`: the same rows give the
    same parameters. The intercept is not shrunk. Raises ModelError without rows of both outcomes, and for features that are too large.
    """
    with computing("the fit"):
        return _fit_logistic(rows, names, l2)


def _fit_logistic(rows: Sequence[tuple[Mapping[str, str], bool]], names: Sequence[str], l2: float) -> dict[str, str]:
    if len({failed for _, failed in rows}) < 2:
        raise ModelError("expected outcomes of both kinds to fit on; found one kind or none")
    points = [[1.0, *(float(feature(features, name)) for name in names)] for features, _ in rows]
    labels = [1.0 if failed else 0.0 for _, failed in rows]
    size = len(names) + 1
    found = [0.0] * size
    for _ in range(_ITERATIONS):
        gradient = [0.0] * size
        hessian = [[0.0] * size for _ in range(size)]
        for x, label in zip(points, labels, strict=True):
            p = sigmoid(math.fsum(w * v for w, v in zip(found, x, strict=True)))
            for i in range(size):
                gradient[i] += (label - p) * x[i]
                for j in range(size):
                    hessian[i][j] += p * (1 - p) * x[i] * x[j]
        for i in range(1, size):
            gradient[i] -= l2 * found[i]
            hessian[i][i] += l2
        hessian[0][0] += 1e-9
        found = [w + step for w, step in zip(found, _solved(hessian, gradient), strict=True)]
    return {name: text(rounded(w)) for name, w in zip((INTERCEPT, *names), found, strict=True)}


def _solved(matrix: list[list[float]], right: list[float]) -> list[float]:
    """Solve a linear system by Gaussian elimination with partial pivoting."""
    size = len(right)
    rows = [[*row, value] for row, value in zip(matrix, right, strict=True)]
    for i in range(size):
        pivot = max(range(i, size), key=lambda k: abs(rows[k][i]))
        rows[i], rows[pivot] = rows[pivot], rows[i]
        for k in range(i + 1, size):
            factor = rows[k][i] / rows[i][i]
            rows[k] = [a - factor * b for a, b in zip(rows[k], rows[i], strict=True)]
    found = [0.0] * size
    for i in reversed(range(size)):
        known = math.fsum(rows[i][j] * found[j] for j in range(i + 1, size))
        found[i] = (rows[i][size] - known) / rows[i][i]
    return found
