"""Proofs over a real socket: of inclusion, of consistency, of a dossier that is whole; checked without the server."""

import base64
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import c2sp
import pytest
from ledgers import CHECKPOINT_KEY, ORIGIN
from servers import BATCH, Server, check_problem, event, log_server

from api.desk.entries import KINDS
from ledger.published.dossier import check_dossier
from signing.checkpoint import Checkpoint, check_checkpoint
from signing.errors import VerificationError
from signing.merkle import check_consistency
from signing.notes import NoteKey, parse_note
from signing.proof import check_proof, parse_proof

KEYS = [NoteKey(ORIGIN, CHECKPOINT_KEY.public_key)]
WAITING = {"wait": "checkpoint"}
CLIENTS = 24


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with log_server(tmp_path_factory.mktemp("proofs") / "var") as running:
        yield running


def check(receipt: dict[str, Any]) -> Checkpoint:
    """Check that the proof in a receipt proves what the receipt says; return the checkpoint above it."""
    proof = parse_proof(receipt["proof"].encode())
    assert proof.index == receipt["position"] - 1
    return check_proof(proof, bytes.fromhex(receipt["entry_hash"]), KEYS)


def checkpoints(server: Server) -> list[dict[str, Any]]:
    return list(server.get("/v1/ledger/checkpoints", by="nobody", params={"limit": "1000"}).json()["items"])


def consistency(server: Server, older: int, newer: int) -> Any:
    return server.get("/v1/ledger/consistency", by="nobody", params={"from": str(older), "to": str(newer)})


# -- waiting for a proof -----------------------------------------------------------------------------------------------


def test_who_waits_for_the_checkpoint_is_answered_with_the_proof(server: Server) -> None:
    answer = server.post(event(), params=WAITING)
    assert answer.status_code == 201
    assert check(answer.json()).size >= answer.json()["position"]


def test_who_does_not_wait_is_answered_without_a_proof(server: Server) -> None:
    assert "proof" not in server.record(event())


def test_a_repeat_that_waits_is_answered_with_the_first_receipt_and_its_proof(server: Server) -> None:
    said = event()
    first = server.record(said)
    again = server.post(said, params=WAITING)
    assert again.status_code == 200
    assert {k: v for k, v in again.json().items() if k != "proof"} == first
    check(again.json())


def test_every_item_of_a_batch_that_waits_has_its_proof(server: Server) -> None:
    known = event()
    server.record(known)
    answer = server.post([event(), known, event(outcome="exploded"), event()], kind=BATCH, params=WAITING)
    assert answer.status_code == 207
    items = answer.json()["items"]
    assert [item["status"] for item in items] == [201, 200, 422, 201]
    sizes = {check(item["receipt"]).size for item in items if "receipt" in item}
    assert len(sizes) == 1


def test_every_receipt_of_an_atomic_batch_that_waits_has_its_proof(server: Server) -> None:
    answer = server.post([event() for _ in range(5)], kind=BATCH, params=WAITING | {"atomic": "true"})
    assert answer.status_code == 201
    for receipt in answer.json()["receipts"]:
        check(receipt)


def test_what_is_refused_does_not_wait(server: Server) -> None:
    check_problem(server.post(event(outcome="exploded"), params=WAITING), 422)
    said = event()
    server.record(said)
    check_problem(server.post(event(id=said["id"], outcome="failure"), params=WAITING), 409)
    answer = server.post([event(outcome="exploded")], kind=BATCH, params=WAITING)
    assert [item["status"] for item in answer.json()["items"]] == [422]


@pytest.mark.parametrize("wait", ["", "witness", "1", "Checkpoint"])
def test_one_waits_for_a_checkpoint_and_for_nothing_else(server: Server, wait: str) -> None:
    before = server.size()
    check_problem(server.post(event(), params={"wait": wait}), 422)
    assert server.size() == before


def test_many_who_wait_at_once_are_each_answered_with_their_own_proof(server: Server) -> None:
    with ThreadPoolExecutor(CLIENTS) as pool:
        clients = [server.client_with(server.tokens["all"]) for _ in range(CLIENTS)]
        headers = {"Content-Type": "application/cloudevents+json"}
        answers = list(pool.map(lambda c: c.post("/v1/events", json=event(), params=WAITING, headers=headers), clients))
    for client in clients:
        client.close()
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["position"] for answer in answers}) == CLIENTS
    for answer in answers:
        check(answer.json())


# -- inclusion ---------------------------------------------------------------------------------------------------------


def test_the_proof_of_every_entry_verifies_under_the_published_checkpoint(server: Server) -> None:
    size = server.size()
    server.wait_for_checkpoint(size)
    for position in range(1, size + 1):
        answer = server.get(f"/v1/events/{position}/proof", by="reporter")
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
        assert f'filename="{position}.tlog-proof"' in answer.headers["content-disposition"]
        entry = server.get(f"/v1/events/{position}/entry").content
        proof = parse_proof(answer.content)
        assert proof.index == position - 1
        checkpoint = check_proof(proof, c2sp.leaf(entry), KEYS)
        assert (checkpoint.origin, checkpoint.size >= size) == (ORIGIN, True)


def test_the_proof_of_one_entry_does_not_prove_another(server: Server) -> None:
    server.wait_for_checkpoint(2)
    proof = parse_proof(server.get("/v1/events/1/proof").content)
    with pytest.raises(VerificationError):
        check_proof(proof, c2sp.leaf(server.get("/v1/events/2/entry").content), KEYS)


def test_what_no_checkpoint_covers_yet_is_not_found_in_words(server: Server) -> None:
    position = server.size() + 1
    detail = check_problem(server.get(f"/v1/events/{position + 5}/proof"), 404)["detail"]
    assert "not under a published checkpoint yet" in detail
    for wrong in ("0", "-1", "x", "9" * 20):
        check_problem(server.get(f"/v1/events/{wrong}/proof"), 422)


# -- consistency -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def run(server: Server) -> list[dict[str, Any]]:
    """The checkpoints of a run with at least seven of them."""
    while len(found := checkpoints(server)) < 7:
        server.post(event(), params=WAITING)
    return found


def test_all_pairs_of_checkpoints_are_proved_consistent(server: Server, run: list[dict[str, Any]]) -> None:
    held = [check_checkpoint(parse_note(item["note"].encode()), KEYS) for item in run]
    assert [item["size"] for item in run] == sorted({checkpoint.size for checkpoint in held})
    for number, older in enumerate(held):
        for newer in held[number:]:
            answer = consistency(server, older.size, newer.size).json()
            assert base64.b64decode(answer["from"]["root"]) == older.root
            assert base64.b64decode(answer["to"]["root"]) == newer.root
            check_consistency(
                old_size=older.size,
                new_size=newer.size,
                old_root=older.root,
                new_root=newer.root,
                proof=[base64.b64decode(line) for line in answer["proof"]],
            )


def test_the_empty_log_is_consistent_with_every_other(server: Server, run: list[dict[str, Any]]) -> None:
    answer = consistency(server, 0, run[-1]["size"]).json()
    assert answer["proof"] == []
    assert answer["to"]["root"] == run[-1]["root"]


@pytest.mark.parametrize(
    ("older", "newer"),
    [("2", "1"), ("0", "9999999"), ("9999999", "9999999"), ("-1", "1"), ("1", "-1"), ("x", "1"), ("1", ""),
     ("1", "9" * 30), ("1.5", "2"), (None, "1"), ("1", None)],
)  # fmt: skip
def test_sizes_that_no_proof_connects_are_refused(server: Server, older: str | None, newer: str | None) -> None:
    params = {name: value for name, value in (("from", older), ("to", newer)) if value is not None}
    check_problem(server.get("/v1/ledger/consistency", params=params), 422)


# -- checkpoints -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [1, 2, 3, 1000])
def test_checkpoints_are_listed_in_pages_smallest_first(server: Server, run: list[dict[str, Any]], limit: int) -> None:
    found: list[dict[str, Any]] = []
    after = 0
    while True:
        page = server.get(
            "/v1/ledger/checkpoints", by="nobody", params={"after": str(after), "limit": str(limit)}
        ).json()
        assert len(page["items"]) <= limit
        found += page["items"]
        if "next" not in page:
            break
        after = page["next"]
    assert found[: len(run)] == run


def test_what_is_listed_is_what_was_published(server: Server, run: list[dict[str, Any]]) -> None:
    for item in run:
        checkpoint = check_checkpoint(parse_note(item["note"].encode()), KEYS)
        assert (checkpoint.size, item["root"], item["cosigned_by"]) == (
            item["size"],
            base64.b64encode(checkpoint.root).decode(),
            [],
        )
    assert server.get("/checkpoint").text in [item["note"] for item in checkpoints(server)]


@pytest.mark.parametrize("params", [{"limit": "0"}, {"limit": "1001"}, {"after": "-1"}, {"after": "x"}], ids=str)
def test_pages_out_of_bounds_are_refused(server: Server, params: dict[str, str]) -> None:
    check_problem(server.get("/v1/ledger/checkpoints", params=params), 422)


# -- dossiers ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def committed(server: Server) -> int:
    """Three entries about CHG-DOSSIER and a commitment over them, under a checkpoint; return the commitment's position."""
    for _ in range(3):
        server.record(event(change_id="CHG-DOSSIER"))
    answer = server.client("operator").post("/v1/ledger/heads")
    assert answer.status_code == 201
    server.record(event(change_id="CHG-DOSSIER"))
    server.wait_for_checkpoint(server.size())
    return int(answer.json()["position"])


def dossier(server: Server, ref: str) -> Any:
    answer = server.get(f"/v1/dossiers/{ref}", by="analyst")
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_dossier_is_checked_without_the_server(server: Server, committed: int) -> None:
    proved = check_dossier(dossier(server, "change:CHG-DOSSIER"), KEYS)
    assert proved.complete_up_to == committed - 1
    assert len(proved.entries) == 4
    assert [position <= committed for position in proved.positions] == [True, True, True, False]


def test_that_there_is_nothing_about_a_ref_is_proved_too(server: Server, committed: int) -> None:
    # Before all that there are, between them, and after.
    for ref in (f"{KINDS[0]}:0", "change:AAA", "change:CHG-NONE", f"{KINDS[-1]}:zzz"):
        assert check_dossier(dossier(server, ref), KEYS).entries == ()


@pytest.mark.parametrize("damage", ["left out", "cut off", "swapped", "altered", "another ref", "less complete"])
def test_a_dossier_that_was_tampered_with_does_not_hold(server: Server, committed: int, damage: str) -> None:
    document = dossier(server, "change:CHG-DOSSIER")
    entries = document["entries"]
    match damage:
        case "left out":
            del entries[1]
        case "cut off":
            del entries[2:]
        case "swapped":
            entries[0], entries[1] = entries[1], entries[0]
        case "altered":
            entries[0]["entry"] = entries[0]["entry"].replace("success", "failure")
        case "another ref":
            document["ref"] = "change:CHG-NONE"
        case "less complete":
            document["complete_up_to"] += 1
    with pytest.raises(VerificationError):
        check_dossier(document, KEYS)


@pytest.mark.parametrize("ref", ["x" * 161, "%C3%A9:x", "no-kind", "change:"])
def test_a_ref_of_another_shape_is_an_empty_dossier_or_refused_and_never_a_crash(
    server: Server, committed: int, ref: str
) -> None:
    answer = server.get(f"/v1/dossiers/{ref}")
    assert answer.status_code in (200, 404, 422), answer.text
    if answer.status_code == 200:
        assert answer.json()["entries"] == []
    else:
        check_problem(answer)


def test_what_no_entry_can_be_about_has_no_dossier(server: Server, committed: int) -> None:
    """Else a slip of the pen would prove that there is nothing."""
    detail = check_problem(server.get("/v1/dossiers/chnge:CHG-DOSSIER"), 422)["detail"]
    assert "did you mean change?" in detail


def test_without_a_commitment_there_is_no_dossier_and_one_is_told_what_to_do(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    with log_server(tmp_path_factory.mktemp("uncommitted") / "var") as fresh:
        fresh.wait_for_checkpoint(1)
        assert "POST /v1/ledger/heads" in check_problem(fresh.get("/v1/dossiers/change:CHG-1"), 404)["detail"]


def test_a_commitment_says_how_many_refs_there_are_and_is_found_true_by_the_audit(
    server: Server, committed: int
) -> None:
    data = server.get(f"/v1/events/{committed}").json()["entry"]["statement"]["data"]
    assert data["as_of"] == committed - 1
    assert data["actor"] == "service:operator"
    assert data["ref_count"] > 3
    report = server.audit()
    assert (report.verdict, report.faults) == ("sound", ())


# -- reading writes nothing --------------------------------------------------------------------------------------------


def test_a_get_never_writes(server: Server, committed: int) -> None:
    server.wait_for_checkpoint(server.size())
    before = server.get("/v1/ledger").json()
    paths = ["/v1/events/1/proof", "/v1/ledger/checkpoints", "/v1/ledger/consistency?from=1&to=2", "/checkpoint",
             "/v1/dossiers/change:CHG-DOSSIER", "/v1/ledger/keys", "/tile/0/000.p/1", "/readyz", "/v1/ledger"]  # fmt: skip
    for path in paths * 3:
        assert server.get(path).status_code == 200, path
    after = server.get("/v1/ledger").json()
    assert json.dumps(after) == json.dumps(before)
