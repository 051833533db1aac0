"""What is late evidence: recorded later than the policy that was in force at its time lets it come."""

from pathlib import Path

from pages_in_process import Pages

from api.desk.policies import late_among


def test_evidence_is_late_when_it_comes_after_the_lag_of_the_policy(tmp_path: Path, shared: Path) -> None:
    ledger = Pages(tmp_path, shared).ledger
    at = "2026-06-01T12:00:00.000000Z"
    after = {1: "12:00:00", 2: "12:14:59", 3: "12:15:00", 4: "12:15:01", 5: "11:00:00"}
    rows = [{"position": n, "at": at, "recorded_at": f"2026-06-01T{told}.000000Z"} for n, told in after.items()]
    unknown = {"position": 6, "at": None, "recorded_at": at}
    # A quarter of an hour, where the policy says nothing.
    assert late_among(ledger, [*rows, unknown]) == {4}
    assert late_among(ledger, []) == frozenset()
