"""What goes to the server's log, and not to the caller."""

import logging

import pytest
import sqlalchemy.exc

from api.desk.problems import OUTAGE_TOLD_EVERY_S, OutageLog


def test_an_outage_is_told_once_a_minute_with_how_many_requests_met_it(caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    outages = OutageLog(lambda: now)
    gone = sqlalchemy.exc.OperationalError("SELECT 1", {}, OSError("connection refused"))
    with caplog.at_level(logging.ERROR, "change_ledger"):
        for _ in range(500):
            outages.tell(gone, gone)
        now = OUTAGE_TOLD_EVERY_S
        outages.tell(gone, gone)
    assert [record.getMessage() for record in caplog.records] == [
        "OperationalError, met by 1 requests since it was told last",
        "OperationalError, met by 500 requests since it was told last",
    ]
    assert all(record.exc_info for record in caplog.records)
