"""Statements that their producer signed, over a real socket: what is accepted, what is refused, and where."""

import base64
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import rfc8785
import securesystemslib.dsse
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from ledgers import ORIGIN
from producers import (
    PAYLOAD_TYPE,
    encoded,
    enrol,
    post,
    producer_key,
    recorded,
    refused,
    said,
    signed,
    with_texts,
)
from securesystemslib.signer import CryptoSigner
from servers import Server, check_problem, event, log_server

SOURCE = "https://ci.example.com/payments"
STRICT = "https://strict.example.com/deploys"
KEY, OTHER, THIRD, FOURTH, ELSEWHERE, STRANGER = map(producer_key, range(1, 7))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with producers' keys, and a source that must sign. Afterwards its ledger is sound."""
    with log_server(tmp_path_factory.mktemp("signed") / "var") as running:
        for key in (KEY, OTHER, THIRD, FOURTH):
            enrol(running, key, "https://ci.example.com/*", STRICT)
        enrol(running, ELSEWHERE, "https://elsewhere.example.com/*", "https://ci.example.com/pay")
        wanted = {"source": STRICT, "door": "events", "principal": "service:strict", "must_sign": True}
        assert running.client().post("/v1/ledger/sources", json=wanted).status_code == 201
        yield running
        report = running.audit()
        assert (report.verdict, report.faults) == ("sound", ())


# -- accepted ----------------------------------------------------------------------------------------------------------


def test_a_signed_statement_is_recorded_as_signed_with_its_signatures(server: Server) -> None:
    statement = said()
    envelope = signed(statement, KEY)
    entry = recorded(server, envelope, by="reporter")
    assert entry["statement"] == statement
    assert entry["signatures"] == envelope["signatures"]
    assert entry["recorded_by"]["trust"] == "signed"
    assert entry["recorded_by"]["principal"] == "service:reporter"


def test_the_signature_in_an_entry_is_over_the_exact_bytes_of_its_statement(server: Server) -> None:
    answer = post(server, signed(said(), KEY))
    raw = server.get(f"/v1/events/{answer.json()['position']}/entry").content
    statement = raw[raw.index(b',"statement":') + 13 : -1]
    [signature] = json.loads(raw)["signatures"]
    message = b"DSSEv1 %d %b %d %b" % (len(PAYLOAD_TYPE), PAYLOAD_TYPE.encode(), len(statement), statement)
    Ed25519PublicKey.from_public_bytes(KEY.public_key).verify(base64.b64decode(signature["sig"]), message)


def test_a_key_id_is_the_hash_of_the_public_key_as_openssl_writes_it(server: Server) -> None:
    public = Ed25519PublicKey.from_public_bytes(KEY.public_key)
    der = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    assert hashlib.sha256(der).hexdigest() == KEY.key_id
    entry = recorded(server, signed(said(), KEY))
    assert entry["signatures"][0]["keyid"] == KEY.key_id


def test_two_and_four_producers_may_sign_one_statement(server: Server) -> None:
    for keys in ((KEY, OTHER), (FOURTH, THIRD, OTHER, KEY)):
        entry = recorded(server, signed(said(), *keys))
        assert [signature["keyid"] for signature in entry["signatures"]] == [key.key_id for key in keys]


def test_the_envelope_of_somebody_elses_library_is_accepted(server: Server) -> None:
    signer = CryptoSigner(Ed25519PrivateKey.from_private_bytes((1).to_bytes(32)))
    signer.public_key.keyid = KEY.key_id
    payload = rfc8785.dumps(said())
    envelope = securesystemslib.dsse.Envelope(payload, PAYLOAD_TYPE, {})
    envelope.sign(signer)
    entry = recorded(server, envelope.to_dict())
    assert rfc8785.dumps(entry["statement"]) == payload


def test_fields_that_dsse_does_not_know_are_passed_over(server: Server) -> None:
    envelope = signed(said(), KEY, note="to be ignored")
    envelope["signatures"][0]["cert"] = "to be ignored"
    entry = recorded(server, envelope)
    assert set(entry["signatures"][0]) == {"keyid", "sig"}


def test_a_dry_run_of_a_signed_statement_shows_how_it_would_be_recorded(server: Server) -> None:
    before = server.size()
    answer = post(server, signed(said(), KEY), params={"dry_run": "true"})
    assert answer.json()["entry"]["recorded_by"]["trust"] == "signed"
    assert server.size() == before


def test_a_signed_statement_may_wait_for_its_proof(server: Server) -> None:
    answer = post(server, signed(said(), KEY), params={"wait": "checkpoint"})
    assert answer.json()["proof"].startswith("c2sp.org/tlog-proof@v1\n")


# -- repeats -----------------------------------------------------------------------------------------------------------


def test_a_signed_repeat_of_an_unsigned_statement_does_not_upgrade_its_trust(server: Server) -> None:
    statement = said()
    first = server.record(statement)
    again = post(server, signed(statement, KEY))
    assert (again.status_code, again.json()) == (200, first)
    entry = server.get(f"/v1/events/{first['position']}").json()["entry"]
    assert entry["recorded_by"]["trust"] == "token"
    assert "signatures" not in entry


def test_an_unsigned_repeat_of_a_signed_statement_answers_its_receipt(server: Server) -> None:
    statement = said()
    first = post(server, signed(statement, KEY))
    again = server.post(statement)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()


def test_an_envelope_posted_twice_is_one_entry(server: Server) -> None:
    statement, texts = with_texts(said("change.opened"), title="Once")
    envelope = signed(statement, KEY, texts=texts)
    first, again = post(server, envelope), post(server, envelope)
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()


def test_another_content_under_the_same_id_is_a_conflict_though_it_is_signed(server: Server) -> None:
    statement = said()
    first = post(server, signed(statement, KEY)).json()
    other = said(id=statement["id"]) | {"time": "2025-06-02T12:00:00Z"}
    assert check_problem(post(server, signed(other, OTHER)), 409)["position"] == first["position"]


# -- refused: who signed -----------------------------------------------------------------------------------------------


def test_a_key_that_nobody_enrolled_is_refused(server: Server) -> None:
    assert "keys enrol producer" in refused(server, signed(said(), STRANGER), 403)["detail"]


def test_one_unknown_key_beside_a_known_one_is_refused(server: Server) -> None:
    refused(server, signed(said(), KEY, STRANGER), 403)


@pytest.mark.parametrize("source", [SOURCE, STRICT, "https://elsewhere.example.co", "https://ci.example.com/pay2"])
def test_a_key_is_refused_for_a_source_that_is_not_its_own(server: Server, source: str) -> None:
    refused(server, signed(said(source=source), ELSEWHERE), 403)


def test_a_key_signs_for_its_sources_exact_or_by_their_beginning(server: Server) -> None:
    for source in ("https://elsewhere.example.com/", "https://elsewhere.example.com/a/b", "https://ci.example.com/pay"):
        recorded(server, signed(said(source=source), ELSEWHERE))


def test_a_token_that_may_not_speak_for_a_source_may_not_with_a_signature_either(server: Server) -> None:
    _, token = server.issue_token("reporter", sources=["https://elsewhere.example.com/*"])
    with server.client_with(token) as client:
        headers = {"Content-Type": "application/vnd.dsse+json"}
        check_problem(client.post("/v1/events", json=signed(said(), KEY), headers=headers), 403)


@pytest.mark.parametrize("by", ["auditor", "analyst"])
def test_a_signature_is_no_role(server: Server, by: str) -> None:
    check_problem(post(server, signed(said(), KEY), by=by), 403)
    check_problem(post(server, signed(said(), KEY), by="nobody"), 401)


def test_a_source_that_must_sign_is_refused_unsigned(server: Server) -> None:
    before = server.size()
    check_problem(server.post(event() | {"source": STRICT}), 403)
    item = server.post([event() | {"source": STRICT}], kind="application/cloudevents-batch+json")
    assert item.json()["items"][0]["status"] == 403
    assert server.size() == before
    recorded(server, signed(said(source=STRICT), OTHER))


def test_the_ledgers_own_areas_are_not_for_producers(server: Server) -> None:
    data = {"actor": "person:eve", "role": "entry", "key_id": "0" * 64}
    refused(server, signed(said("ledger.key_retired", **data), KEY), 403)


# -- refused: what was signed ------------------------------------------------------------------------------------------


def altered(envelope: dict[str, Any], old: bytes, new: bytes) -> dict[str, Any]:
    payload = base64.b64decode(envelope["payload"])
    assert old in payload
    return envelope | {"payload": encoded(payload.replace(old, new))}


def test_an_altered_payload_is_refused(server: Server) -> None:
    refused(server, altered(signed(said(), KEY), b'"success"', b'"failure"'), 403)


@pytest.mark.parametrize("sig", [bytes(64), bytes(63), b"", bytes(65), b"x" * 1000], ids=len)
def test_a_signature_that_is_none_is_refused(server: Server, sig: bytes) -> None:
    envelope = signed(said(), KEY)
    envelope["signatures"][0]["sig"] = encoded(sig)
    refused(server, envelope, 403)


def test_the_signature_of_one_key_under_the_name_of_another_is_refused(server: Server) -> None:
    envelope = signed(said(), KEY)
    envelope["signatures"][0]["keyid"] = OTHER.key_id
    refused(server, envelope, 403)


def test_one_wrong_signature_beside_a_good_one_is_refused(server: Server) -> None:
    envelope = signed(said(), KEY, OTHER)
    envelope["signatures"][1]["sig"] = envelope["signatures"][0]["sig"]
    refused(server, envelope, 403)


def test_a_signature_over_another_type_of_payload_is_refused(server: Server) -> None:
    payload = rfc8785.dumps(said())
    message = b"DSSEv1 16 application/json %d %b" % (len(payload), payload)
    envelope = signed(payload, KEY)
    envelope["signatures"][0]["sig"] = encoded(KEY.sign(message))
    refused(server, envelope, 403)
    refused(server, envelope | {"payloadType": "application/json"}, 422, "/payloadType")


def not_canonical() -> dict[str, bytes]:
    statement = said()
    return {
        "blanks": json.dumps(statement, sort_keys=True).encode(),
        "another order": json.dumps(dict(sorted(statement.items(), reverse=True)), separators=(",", ":")).encode(),
        "escapes": rfc8785.dumps(statement).replace(b"deployment.finished", b"deployment\\u002efinished"),
        "a line end": rfc8785.dumps(statement) + b"\n",
    }


@pytest.mark.parametrize("how", list(not_canonical()))
def test_a_payload_that_is_not_canonical_is_refused_with_its_canonical_form(server: Server, how: str) -> None:
    payload = not_canonical()[how]
    problem = refused(server, signed(payload, KEY), 422)
    assert problem["canonical"].encode() == rfc8785.dumps(json.loads(payload))
    # What the answer says can be signed as it is.
    recorded(server, signed(problem["canonical"].encode(), KEY))


def test_a_statement_that_does_not_name_this_ledger_is_refused(server: Server) -> None:
    statement = said()
    problem = refused(server, signed({k: v for k, v in statement.items() if k != "ledger"}, KEY), 422, "/ledger")
    assert ORIGIN in problem["detail"]
    for other in ("ledger.test/two", ORIGIN + "/", "", 1, True):
        refused(server, signed(statement | {"ledger": other}, KEY), 422, "/ledger")


@pytest.mark.parametrize(
    "source",
    [
        "https://Strict.example.com/deploys",
        "https://strict.example.com/%64eploys",
        "HTTPS://strict.example.com/deploy%73",
    ],
)
def test_a_source_that_must_sign_must_do_so_however_it_is_written(server: Server, source: str) -> None:
    check_problem(server.post(event() | {"source": source}), 403)
    assert server.post(event() | {"source": f"{source}/other"}).status_code == 201


def test_an_envelope_in_base64_of_urls_is_read(server: Server) -> None:
    # DSSE: signers may use either alphabet, and verifiers must accept both.
    statement = said() | {"subject": "???>>>~~~"}
    envelope = signed(statement, KEY)
    of_urls = json.loads(json.dumps(envelope["signatures"]).replace("+", "-").replace("/", "_"))
    payload = envelope["payload"].replace("+", "-").replace("/", "_")
    assert payload != envelope["payload"]
    entry = recorded(server, envelope | {"payload": payload, "signatures": of_urls})
    assert (entry["statement"], entry["signatures"]) == (statement, envelope["signatures"])


def test_an_envelope_cannot_be_replayed_into_another_ledger(server: Server, tmp_path: Path) -> None:
    # Even one that trusts the same key.
    envelope = signed(said() | {"ledger": "ledger.test/two"}, KEY)
    assert "ledger.test/one" in refused(server, envelope, 422, "/ledger")["detail"]


@pytest.mark.parametrize(("keys", "place"), [((), "/signatures"), ((KEY, KEY), "/signatures"),
                         ((KEY, OTHER, THIRD, FOURTH, ELSEWHERE), "/signatures")],
                         ids=["no signature", "one key twice", "five"])  # fmt: skip
def test_one_to_four_keys_sign_once_each(server: Server, keys: tuple[Any, ...], place: str) -> None:
    refused(server, signed(said(), *keys), 422, place)


FAULTS: dict[str, Any] = {
    "a payload of no base64": {"payload": "%%%"},
    "a payload without padding": {"payload": "e30"},
    "a payload in base64 of URLs that is no JSON": {"payload": "-_-_"},
    "a payload that is a number": {"payload": 5},
    "no payload": {"payload": None},
    "a payload outside ASCII": {"payload": "é"},
    "a payload that is no JSON": {"payload": encoded(b"no json")},
    "a payload that is a list": {"payload": encoded(b"[]")},
    "a payload that is a string": {"payload": encoded(b'"x"')},
    "an empty payload": {"payload": ""},
    "a payload that is not UTF-8": {"payload": encoded(b'{"a":"\xff"}')},
    "a key twice in the payload": {"payload": encoded(b'{"a":1,"a":2}')},
    "a type that is a number": {"payloadType": 7},
    "no type": {"payloadType": None},
    "another type": {"payloadType": "application/vnd.in-toto+json"},
    "a type of 100,000 characters": {"payloadType": "x" * 100_000},
    "signatures that are an object": {"signatures": {}},
    "signatures that are a string": {"signatures": "x"},
    "signatures that are a number": {"signatures": 5},
    "a signature that is a string": {"signatures": ["x"]},
    "a signature without sig": {"signatures": [{"keyid": KEY.key_id}]},
    "a signature that is no base64": {"signatures": [{"keyid": KEY.key_id, "sig": "%"}]},
    "texts that are a list": {"texts": []},
    "texts that are null": {"texts": None},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_no_envelope_is_refused_in_words(server: Server, fault: str) -> None:
    refused(server, signed(said(), KEY) | FAULTS[fault], 422)


@pytest.mark.parametrize("key_id", [None, "", 7, [], "0" * 64, "F" * 64, "x" * 100_000], ids=repr)
def test_a_key_id_of_another_shape_is_refused(server: Server, key_id: Any) -> None:
    envelope = signed(said(), KEY)
    envelope["signatures"][0]["keyid"] = key_id
    refused(server, envelope, 403)


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"7", b'"x"', b"{", b"{}", b'{"payload":"","payload":""}'])
def test_a_body_that_is_no_envelope_is_refused(server: Server, body: bytes) -> None:
    refused(server, body, 422)


# -- the greatest ------------------------------------------------------------------------------------------------------


def test_the_greatest_statement_with_four_signatures_is_recorded(server: Server) -> None:
    statement = said()
    names = iter(f"pad{number}" for number in range(100))
    while (room := 49_152 - len(rfc8785.dumps(statement))) > 12:
        name = next(names)
        statement[name] = "x" * min(1024, max(1, room - len(name) - 6))
        if len(rfc8785.dumps(statement)) > 49_152:
            del statement[name]
            break
    assert len(rfc8785.dumps(statement)) > 49_000
    entry = recorded(server, signed(statement, KEY, OTHER, THIRD, FOURTH))
    assert entry["statement"] == statement
    statement["a"] = "x" * 200
    refused(server, signed(statement, KEY), 413)
