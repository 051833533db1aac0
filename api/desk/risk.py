"""What backtests and fits answer, whoever asks. Nothing is recorded: publishing a model is a person's act."""

import dataclasses
from typing import Any

from api.desk.views import catch_up_with
from ledger.clock import to_text
from ledger.errors import StatementError
from ledger.ledger import Ledger
from projections.engine.asking import asking_now
from projections.readings.people.policies import in_force
from projections.readings.people.powers import READ_BY_POWERS
from projections.readings.risk.backtest import Backtest, backtest, fit, model_of
from projections.readings.risk.models import risk_models
from projections.readings.risk.promotions import limits_of
from projections.rules.promotion import Limits, not_better
from projections.rules.risk import ModelError


def backtest_in(ledger: Ledger, model: str, first: int, last: int | None, against: str | None) -> dict[str, Any]:
    """Backtest a version in a ledger, and return what doors say of it."""
    _check_range(first, last)
    catch_up_with(ledger, risk_models, *READ_BY_POWERS)
    found = backtest(ledger.database, model_of(ledger.database, model), first=first, last=last)
    answer = {"model": model, **_json(found)}
    if against is not None:
        other = backtest(ledger.database, model_of(ledger.database, against), first=first, last=last)
        faults = not_better(other.calibration, found.calibration, _limits_now(ledger))
        answer |= {"against": {"model": against, **_json(other)}, "is_better": not faults, "faults": faults}
    return answer


def fit_in(ledger: Ledger, features: list[str], first: int, last: int | None) -> dict[str, Any]:
    """Fit in a ledger, and return what doors say of it."""
    _check_range(first, last)
    try:
        found = fit(ledger.database, features, first=first, last=last)
    except ModelError as error:
        raise StatementError(str(error), "/feature") from None
    trained = {
        "from_position": found.from_position,
        "to_position": found.to_position,
        "query_digest": found.query_digest,
    }
    return {
        "form": "logistic",
        "parameters": [{"name": name, "value": value} for name, value in found.parameters.items()],
        "trained_on": trained,
        "changes": found.changes,
        "failures": found.failures,
        "metrics": [{"name": "brier", "value": found.brier}],
    }


def _limits_now(ledger: Ledger) -> Limits:
    """Return what the policy in force asks of a version that is to replace another."""
    now = to_text(ledger.clock.now_us())
    with ledger.database.read() as connection:
        look, _ = asking_now(connection, ledger.database, READ_BY_POWERS, now)
        return limits_of(in_force(look, now))


def _check_range(first: int, last: int | None) -> None:
    if last is not None and last < first:
        raise StatementError(f"expected from up to to, found {first} and {last}: no entry is between", "/to")


def _json(found: Backtest) -> dict[str, Any]:
    calibration = found.calibration
    return {
        "from": found.from_position,
        "to": found.to_position,
        "changes": calibration.changes,
        "failures": calibration.failures,
        "brier": calibration.brier,
        "reliability_error": calibration.reliability_error,
        "bins": [dataclasses.asdict(found_bin) for found_bin in calibration.bins],
        "unscored": found.unscored,
        "fault": found.fault,
        "unlabelled": found.unlabelled,
    }
