"""`/v1/events` over a real socket: statements in, receipts out, entries back."""

import hashlib
import json
import signal
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest
import securesystemslib.dsse
from httpx import Response
from ledgers import ENTRY_KEY, ORIGIN
from securesystemslib.signer import SSlibKey
from servers import BATCH, JSON, STRUCTURED, Server, check_problem, event, log_server

from ledger.entry import ENTRY_PAYLOAD_TYPE
from ledger.errors import LedgerStoppedError, QueueFullError
from ledger.ledger import Ledger
from ledger.log.database import Database
from ledger.log.writer import Writer
from ledger.stewardship.credentials import issue_token, revoke_token
from signing import dsse
from signing.keys import VerifyingKey

ATOMIC = {"atomic": "true"}


def post_batch(server: Server, events: list[Any], *, by: str = "all", **params: str) -> Response:
    return server.post(events, kind=BATCH, by=by, params=params)


def expecting(after: int, *refs: str, types: tuple[str, ...] = ()) -> dict[str, str]:
    """Return the parameters of an append condition: nothing about these refs after a position."""
    return {"expect": json.dumps({"after": after, "none_of": [{"refs": list(refs), "types": list(types)}]})}


# -- modes -------------------------------------------------------------------------------------------------------------


def test_a_structured_event_is_recorded_and_answered_with_its_receipt(server: Server) -> None:
    said = event()
    before = server.size()
    answer = server.post(said)
    assert answer.status_code == 201
    receipt = answer.json()
    assert receipt["position"] == before + 1 == server.size()
    assert (receipt["source"], receipt["id"]) == (said["source"], said["id"])
    assert receipt["key_id"] == ENTRY_KEY.key_id
    assert server.get(f"/v1/events/{receipt['position']}").json()["entry"]["statement"] == said


def test_an_event_may_be_called_plain_json(server: Server) -> None:
    assert server.post(event(), kind="application/json; charset=utf-8").status_code == 201


def test_binary_mode_makes_the_same_statement_as_structured_mode(server: Server) -> None:
    said = event() | {"subject": "payments api", "correlationid": "run-5"}
    headers = {f"ce-{name}": value for name, value in said.items() if name != "data"}
    # CloudEvents percent-encodes what a header cannot carry, and blanks.
    headers["ce-subject"] = "payments%20api"
    answer = server.post(said["data"], kind=JSON, headers=headers)
    assert answer.status_code == 201, answer.text
    assert server.get(f"/v1/events/{answer.json()['position']}").json()["entry"]["statement"] == said
    assert server.post(said).status_code == 200


def test_binary_mode_with_another_kind_of_data_is_unsupported(server: Server) -> None:
    headers = {"ce-specversion": "1.0", "ce-id": "x", "ce-source": "s", "ce-type": "deployment.finished"}
    check_problem(server.post(b"<a/>", kind="application/xml", headers=headers), 415)


@pytest.mark.parametrize(
    "kind",
    ["text/plain", "application/xml", "", "multipart/form-data; boundary=x", "application/vnd.dsse.envelope.v1+json"],
)
def test_other_media_types_are_unsupported_and_all_that_there_are_are_told(server: Server, kind: str) -> None:
    detail = check_problem(server.post(event(), kind=kind), 415)["detail"]
    assert [
        known for known in (STRUCTURED, JSON, BATCH, "application/vnd.dsse+json", "ce- headers") if known not in detail
    ] == []


def test_a_compressed_body_is_unsupported(server: Server) -> None:
    check_problem(server.post(event(), headers={"Content-Encoding": "gzip"}), 415)


def test_structured_mode_accepts_headers_that_agree_with_the_body(server: Server) -> None:
    said = event()
    assert server.post(said, headers={"ce-id": said["id"], "ce-type": said["type"]}).status_code == 201


def test_who_recorded_it_is_the_token_and_not_the_actor(server: Server) -> None:
    said = event("approval.granted", actor="person:alice", change_id="CHG-1", scope_digest="sha256:" + "0" * 64)
    position = server.post(said, by="reporter").json()["position"]
    by = server.get(f"/v1/events/{position}").json()["entry"]["recorded_by"]
    assert by["principal"] == "service:reporter"
    assert by["trust"] == "token"
    assert by["credential"].startswith("token:")


# -- repeats and conflicts ---------------------------------------------------------------------------------------------


def test_a_repeat_is_answered_with_the_first_receipt(server: Server) -> None:
    said = event()
    first = server.post(said)
    # The same content, written in another order and with blanks.
    again = server.post(json.dumps(dict(reversed(said.items())), indent=2).encode())
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()


def test_a_repeat_by_somebody_else_does_not_change_who_recorded_it(server: Server) -> None:
    said = event()
    first = server.post(said, by="reporter").json()
    assert server.post(said, by="all").json() == first


def test_the_same_id_from_another_source_is_another_statement(server: Server) -> None:
    said = event()
    first, second = server.record(said), server.record(said | {"source": "https://ci.example.com/other"})
    assert second["position"] == first["position"] + 1


def test_a_conflict_names_the_position_of_what_was_recorded_first(server: Server) -> None:
    said = event(outcome="success")
    first = server.record(said)
    problem = check_problem(server.post(event(id=said["id"], outcome="failure")), 409)
    assert problem["position"] == first["position"]


# -- batches -----------------------------------------------------------------------------------------------------------


def test_a_batch_is_answered_with_receipts_in_order(server: Server) -> None:
    events = [event() for _ in range(25)]
    answer = post_batch(server, events)
    assert answer.status_code == 201
    items = answer.json()["items"]
    assert [item["receipt"]["id"] for item in items] == [said["id"] for said in events]
    positions = [item["receipt"]["position"] for item in items]
    assert positions == list(range(positions[0], positions[0] + 25))


def test_a_batch_of_repeats_is_answered_as_a_repeat(server: Server) -> None:
    events = [event() for _ in range(3)]
    first, again = post_batch(server, events), post_batch(server, events)
    assert (first.status_code, again.status_code) == (201, 200)
    assert [i["receipt"] for i in again.json()["items"]] == [i["receipt"] for i in first.json()["items"]]


def test_a_mixed_batch_is_answered_item_by_item(server: Server) -> None:
    known, taken = event(), event()
    for said in (known, taken):
        server.record(said)
    wrong = event(outcome="exploded")
    before = server.size()
    answer = post_batch(server, [known, event(), event(id=taken["id"], outcome="failure"), wrong, "no event"])
    assert answer.status_code == 207
    items = answer.json()["items"]
    assert [item["status"] for item in items] == [200, 201, 409, 422, 422]
    assert items[3]["problem"]["place"] == "/3/data/outcome"
    # One recorded, and the note of one conflict.
    assert server.size() == before + 2


def test_an_event_twice_in_one_batch_is_one_entry(server: Server) -> None:
    said = event()
    before = server.size()
    items = post_batch(server, [said, said]).json()["items"]
    assert [item["status"] for item in items] == [201, 200]
    assert items[0]["receipt"] == items[1]["receipt"]
    assert server.size() == before + 1


@pytest.mark.parametrize("body", [b"[]", b"{}", b'"x"'], ids=["empty", "an object", "a string"])
def test_a_batch_that_is_no_list_of_events_is_refused(server: Server, body: bytes) -> None:
    check_problem(server.post(body, kind=BATCH), 422)


def test_a_batch_of_more_than_a_thousand_events_is_refused_whole(server: Server) -> None:
    before = server.size()
    check_problem(post_batch(server, [event() for _ in range(1001)]), 422)
    assert server.size() == before


# -- atomic batches ----------------------------------------------------------------------------------------------------


def test_an_atomic_batch_is_recorded_whole(server: Server) -> None:
    events = [event() for _ in range(4)]
    answer = post_batch(server, events, **ATOMIC)
    assert answer.status_code == 201
    assert [receipt["id"] for receipt in answer.json()["receipts"]] == [said["id"] for said in events]


def test_an_atomic_batch_of_repeats_is_a_repeat_and_one_new_event_makes_it_a_recording(server: Server) -> None:
    events = [event() for _ in range(3)]
    first = post_batch(server, events, **ATOMIC).json()["receipts"]
    again = post_batch(server, events, **ATOMIC)
    assert again.status_code == 200
    assert again.json()["receipts"] == first
    before = server.size()
    with_new = post_batch(server, [events[0], event(), events[2]], **ATOMIC)
    assert with_new.status_code == 201
    receipts = with_new.json()["receipts"]
    assert [receipts[0], receipts[2]] == [first[0], first[2]]
    assert receipts[1]["position"] == before + 1 == server.size()


def test_a_conflict_leaves_nothing_of_an_atomic_batch(server: Server) -> None:
    taken = event(outcome="success")
    first = server.record(taken)
    new = [event(), event()]
    before = server.size()
    batch = [new[0], event(id=taken["id"], outcome="failure"), new[1]]
    assert check_problem(post_batch(server, batch, **ATOMIC), 409)["position"] == first["position"]
    left = server.entries(before)
    assert [item["entry"]["statement"]["type"] for item in left] == ["intake.conflicted"]
    check_problem(post_batch(server, batch, **ATOMIC), 409)
    assert server.size() == before + 1
    # Had one of them been written, it would be a repeat now.
    assert post_batch(server, new, **ATOMIC).status_code == 201


def test_two_contents_for_one_id_in_an_atomic_batch_are_a_conflict(server: Server) -> None:
    said = event(outcome="success")
    before = server.size()
    check_problem(post_batch(server, [said, event(id=said["id"], outcome="failure")], **ATOMIC), 409)
    assert server.size() == before


def test_an_inadmissible_event_leaves_nothing_of_an_atomic_batch(server: Server) -> None:
    before = server.size()
    problem = check_problem(post_batch(server, [event(), event(outcome="exploded")], **ATOMIC), 422)
    assert problem["place"] == "/1/data/outcome"
    assert server.size() == before


# -- dry runs ----------------------------------------------------------------------------------------------------------


def test_a_dry_run_shows_the_entry_and_writes_nothing(server: Server) -> None:
    said = event("change.opened", change_id="CHG-dry", title="Not to be kept")
    before = server.size()
    answer = server.post(said, params={"dry_run": "true"})
    assert answer.status_code == 200
    shown = answer.json()["entry"]
    assert "change:CHG-dry" in shown["refs"]
    assert shown["recorded_by"]["trust"] == "token"
    assert shown["says"] == "person:alice opened normal change CHG-dry for payments-api"
    assert "Not to be kept" not in answer.text
    assert server.size() == before
    assert server.post(said).status_code == 201


def test_a_dry_run_of_a_batch_shows_what_would_be_refused(server: Server) -> None:
    before = server.size()
    answer = post_batch(server, [event(), event(outcome="exploded")], dry_run="true")
    assert answer.status_code == 207
    assert [item["status"] for item in answer.json()["items"]] == [200, 422]
    assert post_batch(server, [event()], dry_run="true").status_code == 200
    assert server.size() == before


def test_a_dry_run_is_refused_like_the_real_one(server: Server) -> None:
    before = server.size()
    check_problem(server.post(event(outcome="exploded"), params={"dry_run": "true"}), 422, "/data/outcome")
    check_problem(server.post(event("gate.decided"), params={"dry_run": "true"}), 422)
    assert server.size() == before


# -- append conditions -------------------------------------------------------------------------------------------------


def test_a_condition_that_holds_lets_the_event_in(server: Server) -> None:
    receipt = server.record(event(change_id="CHG-holds"))
    held = expecting(receipt["position"], "change:CHG-holds")
    assert server.post(event(change_id="CHG-holds"), params=held).status_code == 201


def test_a_condition_that_fails_names_the_position_that_speaks_against_it(server: Server) -> None:
    first = server.record(event(change_id="CHG-moved"))
    moved = server.record(event(change_id="CHG-moved"))
    before = server.size()
    answer = server.post(event(change_id="CHG-moved"), params=expecting(first["position"], "change:CHG-moved"))
    assert check_problem(answer, 412)["position"] == moved["position"]
    assert server.size() == before


def test_a_condition_may_narrow_to_event_types(server: Server) -> None:
    receipt = server.record(event(change_id="CHG-narrow"))
    only_approvals = expecting(receipt["position"] - 1, "change:CHG-narrow", types=("approval.granted",))
    assert server.post(event(change_id="CHG-narrow"), params=only_approvals).status_code == 201
    deployments = expecting(receipt["position"] - 1, "change:CHG-narrow", types=("deployment.finished",))
    check_problem(server.post(event(change_id="CHG-narrow"), params=deployments), 412)


def test_of_many_who_race_on_one_condition_one_wins(server: Server) -> None:
    after = server.size()
    answers: list[Response] = []
    start = threading.Barrier(8)

    def race(number: int) -> None:
        with server.client_with(server.tokens["all"]) as client:
            start.wait()
            said = event(id=f"race-{number}", change_id="CHG-race")
            answers.append(client.post("/v1/events", json=said, params=expecting(after, "change:CHG-race")))

    threads = [threading.Thread(target=race, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answer.status_code for answer in answers) == [201] + [412] * 7
    [won] = [answer.json()["position"] for answer in answers if answer.status_code == 201]
    assert {answer.json()["position"] for answer in answers if answer.status_code == 412} == {won}


def test_a_repeat_is_judged_before_its_condition(server: Server) -> None:
    after = server.size()
    said = event(change_id="CHG-again")
    held = expecting(after, "change:CHG-again")
    first, again = server.post(said, params=held), server.post(said, params=held)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()


def test_a_condition_guards_an_atomic_batch_whole(server: Server) -> None:
    after = server.size()
    batch = [event(change_id="CHG-batch"), event(change_id="CHG-batch")]
    assert post_batch(server, batch, **ATOMIC, **expecting(after, "change:CHG-batch")).status_code == 201
    again = [event(change_id="CHG-batch"), event()]
    check_problem(post_batch(server, again, **ATOMIC, **expecting(after, "change:CHG-batch")), 412)
    assert server.size() == after + 2


def test_a_condition_on_a_batch_that_is_not_atomic_is_a_bad_request(server: Server) -> None:
    before = server.size()
    check_problem(post_batch(server, [event()], **expecting(before, "change:CHG-x")), 400, "expect")
    assert server.size() == before


@pytest.mark.parametrize(
    "expect", ["", "x", "[]", '{"after": -1}', '{"after": "1"}', '{"none_of": {}}', '{"none_of": [{"refs": [1]}]}',
               '{"unless": 1}', '{"after": 1.5}', '{"none_of": [{"ref": ["a:b"]}]}']
)  # fmt: skip
def test_a_condition_that_cannot_be_read_is_refused(server: Server, expect: str) -> None:
    before = server.size()
    check_problem(server.post(event(), params={"expect": expect}), 422)
    assert server.size() == before


# -- reading back ------------------------------------------------------------------------------------------------------


def test_entries_are_listed_in_pages_by_type_and_ref(server: Server) -> None:
    after = server.size()
    for number in range(7):
        server.record(event(change_id="CHG-paged", deployment_id=f"paged-{number}"))
        server.record(event("change.opened", change_id="CHG-paged"))
    seen: list[int] = []
    narrow = {"type": "deployment.finished", "ref": "change:CHG-paged", "limit": "3"}
    where, pages = after, 0
    while True:
        page = server.get("/v1/events", params=narrow | {"after": str(where)}).json()
        seen += [item["position"] for item in page["items"]]
        pages += 1
        if "next" not in page:
            break
        where = page["next"]
    assert seen == [after + 1 + 2 * number for number in range(7)]
    assert pages == 3
    assert page["size"] == after + 14
    by_ref = server.get("/v1/events", params={"ref": "change:CHG-paged", "after": after}).json()["items"]
    assert [item["position"] for item in by_ref] == list(range(after + 1, after + 15))


def test_a_ref_that_nothing_carries_lists_nothing(server: Server) -> None:
    page = server.get("/v1/events", params={"ref": "change:nobody-said"}).json()
    assert page["items"] == []
    assert "next" not in page


@pytest.mark.parametrize("params", [{"after": "-1"}, {"limit": "0"}, {"limit": "1001"}, {"after": str(2**53)}])
def test_pages_out_of_bounds_are_refused_by_name(server: Server, params: dict[str, str]) -> None:
    check_problem(server.get("/v1/events", params=params), 422, f"/{next(iter(params))}")


@pytest.mark.parametrize("part", ["", "/entry", "/envelope", f"/evidence/{'0' * 64}"])
def test_a_position_beyond_the_end_is_not_found(server: Server, part: str) -> None:
    check_problem(server.get(f"/v1/events/{2**53 - 1}{part}"), 404)


def test_the_bytes_of_an_entry_hash_to_its_receipt_and_to_the_next_entry(server: Server) -> None:
    receipt = server.record(event())
    following = server.record(event())
    raw = server.get(f"/v1/events/{receipt['position']}/entry").content
    assert hashlib.sha256(b"\0" + raw).hexdigest() == receipt["entry_hash"]
    assert server.get(f"/v1/events/{following['position']}").json()["entry"]["prev"] == receipt["entry_hash"]
    shown = server.get(f"/v1/events/{receipt['position']}").json()
    assert shown["receipt"] == receipt
    assert shown["entry"] == json.loads(raw)


def test_an_entry_as_an_envelope_is_verified_by_anybodys_dsse(server: Server) -> None:
    receipt = server.record(event())
    document = server.get(f"/v1/events/{receipt['position']}/envelope").json()
    [public_key] = [k["public_key"] for k in server.get("/v1/ledger").json()["entry_keys"]]
    ours = dsse.Envelope.from_json(document)
    assert dsse.verify(ours, ENTRY_PAYLOAD_TYPE, [VerifyingKey(bytes.fromhex(public_key))]) == [receipt["key_id"]]
    assert ours.payload == server.get(f"/v1/events/{receipt['position']}/entry").content
    key = SSlibKey(receipt["key_id"], "ed25519", "ed25519", {"public": public_key})
    theirs = securesystemslib.dsse.Envelope.from_dict(document)
    assert set(theirs.verify([key], 1)) == {receipt["key_id"]}


def test_refs_point_back_to_the_entry_before_with_the_same_ref(server: Server) -> None:
    first = server.record(event(change_id="CHG-chain"))
    second = server.record(event(change_id="CHG-chain"))
    refs = [
        server.get(f"/v1/events/{r['position']}").json()["entry"]["refs"]["change:CHG-chain"] for r in (first, second)
    ]
    assert refs == [[1, 0], [2, first["position"]]]


# -- erasable texts ----------------------------------------------------------------------------------------------------


def test_a_text_is_shown_with_the_salt_that_proves_it(server: Server) -> None:
    position = server.record(event("change.opened", title="Größere Warteschlange ✓"))["position"]
    shown = server.get(f"/v1/events/{position}").json()
    text = shown["texts"]["title"]
    assert text["text"] == "Größere Warteschlange ✓"
    digest = hashlib.sha256(bytes.fromhex(text["salt"]) + text["text"].encode()).hexdigest()
    assert shown["entry"]["statement"]["data"]["title"] == {"sha256": digest}
    assert "Warteschlange" not in server.get(f"/v1/events/{position}/entry").text


def test_an_erased_text_is_gone_and_everything_else_stays(server: Server) -> None:
    said = event("change.opened", title="Call 555-0199 before the switch")
    receipt = server.record(said)
    position = receipt["position"]
    raw = server.get(f"/v1/events/{position}/entry").content
    erased = server.client().delete(f"/v1/events/{position}/texts", params={"reason": "gdpr-17"})
    assert erased.status_code == 200
    note = server.get(f"/v1/events/{erased.json()['position']}").json()["entry"]["statement"]
    assert note["type"] == "ledger.texts_erased"
    expected = {"actor": "service:all", "position": position, "erased": 1, "reason": "gdpr-17"}
    assert {name: note["data"][name] for name in expected} == expected
    shown = server.get(f"/v1/events/{position}").json()
    assert shown["texts"] == {}
    assert shown["receipt"] == receipt
    assert server.get(f"/v1/events/{position}/entry").content == raw
    check_problem(server.client().delete(f"/v1/events/{position}/texts", params={"reason": "gdpr-17"}), 404)
    # What is erased cannot be compared any more, and is still recognised.
    again = server.post(said)
    assert again.status_code == 200
    assert again.json() == receipt
    report = server.audit()
    assert report.faults == ()
    assert report.verdict == "sound"


def test_a_repeat_with_a_text_is_recognised_before_erasure_and_another_text_is_a_conflict(server: Server) -> None:
    said = event("change.opened", title="One title")
    first = server.post(said)
    assert server.post(said).json() == first.json()
    check_problem(server.post(said | {"data": said["data"] | {"title": "Another title"}}), 409)


def test_erasing_where_no_text_is_kept_is_not_found(server: Server) -> None:
    position = server.record(event())["position"]
    before = server.size()
    for where in (position, before + 1000):
        check_problem(server.client().delete(f"/v1/events/{where}/texts", params={"reason": "gdpr-17"}), 404)
    assert server.size() == before


@pytest.mark.parametrize("reason", [None, "", "two words", "x" * 65])
def test_erasing_needs_a_reason_in_one_word(server: Server, reason: str | None) -> None:
    position = server.record(event("change.opened"))["position"]
    params = {} if reason is None else {"reason": reason}
    check_problem(server.client().delete(f"/v1/events/{position}/texts", params=params), 422, "reason")
    assert "title" in server.get(f"/v1/events/{position}").json()["texts"]


# -- the stream --------------------------------------------------------------------------------------------------------


def read_stream(server: Server, count: int, *, last: int | None = None, **params: Any) -> list[tuple[int, str]]:
    """Return the first `count` events of the stream: position and type of each."""
    headers = {} if last is None else {"Last-Event-ID": str(last)}
    found: list[tuple[int, str]] = []
    with server.client().stream("GET", "/v1/events/stream", headers=headers, params=params) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        identifier, kind = 0, ""
        for line in answer.iter_lines():
            name, _, value = line.partition(": ")
            if name == "id":
                identifier = int(value)
            elif name == "event":
                kind = value
            elif name == "data":
                assert json.loads(value)["position"] == identifier
                found.append((identifier, kind))
                if len(found) == count:
                    return found
    raise AssertionError(f"the stream ended after {found}")


def test_the_stream_resumes_by_last_event_id_without_gap_or_repeat(server: Server) -> None:
    after = server.size()
    for _ in range(5):
        server.record(event())
    first = read_stream(server, 3, after=after)
    for _ in range(2):
        server.record(event())
    # Last-Event-ID is what the browser knows, `after` is what the page once asked for.
    rest = read_stream(server, 4, last=first[-1][0], after=after)
    assert [position for position, _ in first + rest] == list(range(after + 1, after + 8))


def test_the_stream_brings_what_is_recorded_while_it_waits(server: Server) -> None:
    after = server.size()
    found: list[tuple[int, str]] = []
    reader = threading.Thread(target=lambda: found.extend(read_stream(server, 20, after=after)))
    reader.start()
    with server.client_with(server.tokens["reporter"]) as client:
        for _ in range(20):
            assert client.post("/v1/events", json=event()).status_code == 201
    reader.join(600)
    assert [position for position, _ in found] == list(range(after + 1, after + 21))


def test_the_stream_narrows_by_type_and_ref(server: Server) -> None:
    after = server.size()
    server.record(event(change_id="CHG-streamed"))
    opened = server.record(event("change.opened", change_id="CHG-streamed"))
    server.record(event("change.opened"))
    last = server.record(event("change.opened", change_id="CHG-streamed"))
    found = read_stream(server, 2, after=after, type="change.opened", ref="change:CHG-streamed")
    assert found == [(opened["position"], "change.opened"), (last["position"], "change.opened")]


@pytest.mark.parametrize("last", ["x", "-1", "1.5", str(2**53), "9" * 5000])
def test_a_last_event_id_that_is_no_position_is_a_bad_request(server: Server, last: str) -> None:
    with server.client().stream("GET", "/v1/events/stream", headers={"Last-Event-ID": last}) as answer:
        answer.read()
        check_problem(answer, 400, "last-event-id")


def test_two_last_event_ids_are_none(server: Server) -> None:
    headers = [("Last-Event-ID", "1"), ("Last-Event-ID", "2")]
    with server.client().stream("GET", "/v1/events/stream", headers=headers) as answer:
        answer.read()
        check_problem(answer, 400, "last-event-id")


def test_a_stream_ends_with_the_token_that_opened_it(server: Server) -> None:
    credential, token = server.issue_token("auditor")
    size = server.size()
    with (
        server.client_with(token) as client,
        client.stream("GET", "/v1/events/stream", params={"after": size - 1}) as answer,
    ):
        lines = answer.iter_lines()
        assert next(lines) == f"id: {size}"
        revoked = server.client().delete(f"/v1/ledger/credentials/{credential}", params={"reason": "leaked"})
        secret = server.record(event())
        # Nothing that came after the revocation is told, and the stream is over.
        told = [int(line.removeprefix("id: ")) for line in lines if line.startswith("id: ")]
        assert all(position <= revoked.json()["position"] for position in told)
        assert secret["position"] not in told


def test_a_server_that_stops_ends_an_open_stream_and_does_not_cut_it_off(tmp_path: Path) -> None:
    with (
        log_server(tmp_path / "var") as own,
        own.client_with(own.tokens["all"]) as client,
        client.stream("GET", "/v1/events/stream") as answer,
    ):
        lines = answer.iter_lines()
        next(lines)
        own.process.terminate()
        # Where a server waits until its readers leave, it cuts them off at last: then this raises.
        list(lines)
        assert own.process.wait(600) in (0, -signal.SIGTERM)


# -- the queue ---------------------------------------------------------------------------------------------------------


def test_a_writer_whose_queue_is_full_refuses_and_recovers() -> None:
    blocked, release = threading.Event(), threading.Event()

    def append_group(submissions: list[Any]) -> list[Any]:
        blocked.set()
        assert release.wait(600)
        return list(submissions)

    writer = Writer(append_group, max_waiting=3)
    first: Future[Any] = writer.submit(["a"])  # type: ignore[list-item]
    assert blocked.wait(600)
    second: Future[Any] = writer.submit(["b", "c"])  # type: ignore[list-item]
    with pytest.raises(QueueFullError, match="expected at most 3") as caught:
        writer.submit(["d"])  # type: ignore[list-item]
    assert caught.value.retry_after >= 1
    release.set()
    assert (first.result(600), second.result(600)) == (["a"], ["b", "c"])
    third: Future[Any] = writer.submit(["d"])  # type: ignore[list-item]
    assert third.result(600) == ["d"]
    writer.close()


def test_a_writer_that_closes_appends_what_is_queued_and_refuses_the_rest() -> None:
    blocked, release = threading.Event(), threading.Event()
    appended: list[Any] = []

    def append_group(submissions: list[Any]) -> list[Any]:
        blocked.set()
        assert release.wait(600)
        appended.extend(submissions)
        return list(submissions)

    writer = Writer(append_group)
    first: Future[Any] = writer.submit(["a"])  # type: ignore[list-item]
    assert blocked.wait(600)
    second: Future[Any] = writer.submit(["b"])  # type: ignore[list-item]
    closing = threading.Thread(target=writer.close)
    closing.start()
    release.set()
    closing.join(600)
    assert (first.result(600), second.result(600)) == (["a"], ["b"])
    assert appended == ["a", "b"]
    with pytest.raises(LedgerStoppedError):
        writer.submit(["c"])  # type: ignore[list-item]


def test_a_group_that_fails_is_told_to_its_callers_and_the_writer_lives_on() -> None:
    failures = [OSError("the disk is full")]

    def append_group(submissions: list[Any]) -> list[Any]:
        if failures:
            raise failures.pop()
        return list(submissions)

    writer = Writer(append_group)
    with pytest.raises(OSError, match="the disk is full"):
        writer.submit(["a"]).result(600)  # type: ignore[list-item]
    assert writer.submit(["b"]).result(600) == ["b"]  # type: ignore[list-item]
    writer.close()


def test_a_full_queue_is_busy_over_http_and_says_when_to_try_again(tmp_path: Path) -> None:
    with log_server(tmp_path / "var", CHANGE_LEDGER_MAX_WAITING="1") as narrow:
        before = narrow.size()
        answer = post_batch(narrow, [event(), event()])
        check_problem(answer, 503)
        assert int(answer.headers["Retry-After"]) >= 1
        assert narrow.size() == before
        # One by one they find room; as one atomic batch they are one submission.
        assert narrow.post(event()).status_code == 201
        assert post_batch(narrow, [event(), event()], **ATOMIC).status_code == 201


# -- what the ledger says of itself ------------------------------------------------------------------------------------


def test_anybody_may_ask_what_is_needed_to_pin_the_ledger(server: Server) -> None:
    about = server.get("/v1/ledger", by="nobody").json()
    assert about["origin"] == ORIGIN
    genesis = server.get("/v1/events/1/entry").content
    assert about["genesis_hash"] == hashlib.sha256(b"\0" + genesis).hexdigest()
    assert about["verifier_keys"][0].startswith(f"{ORIGIN}+")
    assert server.get("/healthz", by="nobody").status_code == 200
    assert server.get("/readyz", by="nobody").json()["size"] == about["size"]


def test_a_statement_may_name_this_ledger(server: Server) -> None:
    assert server.post(event() | {"ledger": ORIGIN}).status_code == 201


def test_every_example_of_the_catalogue_can_be_posted_as_it_is(server: Server) -> None:
    for described in server.get("/v1/catalogue").json():
        example = server.get(f"/v1/catalogue/{described['type']}").json()["example"]
        if described["type"] == "statement.withdrawn":
            # Of what is on record here.
            example["data"]["position"] = server.record(event())["position"]
        answer = server.post(example | {"id": f"example-{described['type']}", "time": event()["time"]})
        expected = 403 if described["appended_by"] == "the ledger" else 201
        assert answer.status_code == expected, (described["type"], answer.text)


def test_a_token_issued_by_another_process_is_known_at_once(server: Server) -> None:
    beside = Ledger.open(Database(server.database_url), ENTRY_KEY)
    try:
        _, token, _ = issue_token(
            beside, actor="person:tester", principal="service:fresh", kind="service", roles=["reporter"]
        )
    finally:
        beside.close()
    with server.client_with(token) as client:
        assert client.post("/v1/events", json=event()).status_code == 201


def test_a_token_revoked_by_another_process_is_refused_at_once(server: Server) -> None:
    credential, token = server.issue_token("reporter")
    with server.client_with(token) as client:
        assert client.post("/v1/events", json=event()).status_code == 201
        beside = Ledger.open(Database(server.database_url), ENTRY_KEY)
        try:
            revoke_token(beside, credential, actor="person:tester", reason="leaked")
        finally:
            beside.close()
        check_problem(client.post("/v1/events", json=event()), 401)


def test_a_withdrawal_is_not_withdrawn_and_the_door_says_what_to_do_instead(server: Server) -> None:
    position = server.post(event()).json()["position"]
    about = {"actor": "service:ci", "reason": "mistaken"}
    taken_back = server.post(event("statement.withdrawn", position=position, **about)).json()["position"]
    answer = server.post(event("statement.withdrawn", position=taken_back, **about))
    assert answer.status_code == 422
    assert answer.json()["place"] == "/data/position"
    assert "state the fact again" in answer.json()["detail"]


def test_nobody_withdraws_what_the_ledger_states_about_itself_or_what_is_not_on_record(server: Server) -> None:
    server.issue_token("reporter")
    issued = server.size()
    for position, words in ((issued, "What the ledger states about itself stands"), (10**12, "must be on record")):
        answer = server.post(event("statement.withdrawn", actor="person:ann", position=position, reason="mistaken"))
        assert (answer.status_code, answer.json()["place"]) == (422, "/data/position")
        assert words in answer.json()["detail"]
