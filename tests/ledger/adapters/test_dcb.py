"""The library's own test case for DCB recorders, on both databases; a test-side codec wraps its payloads and mints ids."""

import base64
import hashlib
import json
import uuid

import pytest
from eventsourcing.dcb.api import DCBEvent
from eventsourcing.dcb.tests import DCBRecorderTestCase
from ledgers import cloud_event

from ledger.adapters.dcb import LedgerDCBRecorder
from ledger.canonical import encode
from ledger.ledger import Ledger
from ledger.log.reading import StoredEntry
from ledger.statement import Statement


class WrappingCodec:
    """Any type, payload and tags of the library, as statements that the recorder takes without the catalogue."""

    def statement(self, event: DCBEvent) -> Statement:
        identifier = uuid.uuid4().hex
        data = {"payload": base64.b64encode(event.data).decode(), "tags": event.tags}
        body = encode(
            {
                "specversion": "1.0",
                "id": identifier,
                "source": "test",
                "type": event.type,
                "time": "2026-11-23T12:00:00Z",
                "data": data,
            }
        )
        refs = tuple(sorted({self.ref(tag) for tag in event.tags}))
        return Statement(body, "test", identifier, event.type, data, refs, hashlib.sha256(body).digest())

    def event(self, stored: StoredEntry) -> DCBEvent:
        if stored.type == "ledger.opened":
            return DCBEvent(stored.type, b"", [])
        data = stored.statement["data"]
        return DCBEvent(stored.type, base64.b64decode(data["payload"]), list(data["tags"]))

    def ref(self, tag: str) -> str:
        return f"tag:{tag}"


@pytest.fixture
def recorder(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> LedgerDCBRecorder:
    # The reserved areas and roles are about the catalogue's types; these have none.
    return LedgerDCBRecorder(ledger, ledger.local_caller(), WrappingCodec())


def test_the_librarys_own_append_and_read_case_passes(recorder: LedgerDCBRecorder) -> None:
    DCBRecorderTestCase()._test_append_read(recorder, initial_position=1)


def test_the_librarys_own_subscription_case_passes(recorder: LedgerDCBRecorder) -> None:
    DCBRecorderTestCase()._test_append_subscribe(recorder, initial_position=1)


def test_statements_go_through_the_adapter_as_they_are(ledger: Ledger) -> None:
    recorder = LedgerDCBRecorder(ledger, ledger.local_caller())
    event = cloud_event(change_id="CHG-1", service="a", deployment_id="d")
    tags = ["change:CHG-1", "deployment:d", "environment:prod", "service:a"]
    position = recorder.append([DCBEvent("deployment.finished", json.dumps(event).encode(), tags)])
    [read] = list(recorder.read(after=1))
    assert (position, read.position) == (2, 2)
    assert read.event == DCBEvent("deployment.finished", encode(event), tags)
