"""Keys over HTTP: enrolled, retired, revoked, rotated while two servers run; and what is refused."""

import base64
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from httpx import Response
from ledgers import CHECKPOINT_KEY, ENTRY_KEY, ORIGIN, possession
from producers import enrol, post, producer_key, said, signed
from servers import Server, check_problem, event, log_server, make_ledger

from signing import keys as signing_keys
from signing.keys import SigningKey
from signing.notes import parse_verifier_key

SECOND = SigningKey.from_seed(b"2" * 32)
CI = "https://ci.example.com/*"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with log_server(tmp_path_factory.mktemp("keys") / "var") as running:
        yield running


def enrol_key(server: Server, key: SigningKey | None = None, **wanted: Any) -> Response:
    """Ask for a key to be enrolled, with its proof where the key is given."""
    if key is not None:
        wanted |= {"public_key": key.public_key.hex(), "possession": possession(key, wanted["role"])}
    return server.client("operator").post("/v1/ledger/keys", json=wanted)


def end_key(server: Server, role: str, key_id: str, **params: str) -> Response:
    return server.client("operator").delete(f"/v1/ledger/keys/{role}/{key_id}", params=params)


def listed(server: Server, key: SigningKey, role: str) -> dict[str, Any]:
    found = server.get("/v1/ledger/keys", by="nobody").json()
    [record] = [item for item in found if (item["role"], item["key_id"]) == (role, key.key_id)]
    return dict(record)


# -- listing -----------------------------------------------------------------------------------------------------------


def test_anybody_may_list_the_keys_that_verifying_needs(server: Server) -> None:
    first, checkpoint = listed(server, ENTRY_KEY, "entry"), listed(server, CHECKPOINT_KEY, "checkpoint")
    assert (first["number"], first["valid_from"], first["valid_until"]) == (0, 1, None)
    assert checkpoint["public_key"] == CHECKPOINT_KEY.public_key.hex()
    assert checkpoint["name"] == ORIGIN
    assert server.get("/v1/ledger").json()["entry_keys"][0] == first


def test_a_key_is_valid_from_the_position_after_its_enrolment_until_its_retirement(server: Server) -> None:
    key = producer_key(41)
    enrolled = enrol(server, key, CI)
    assert listed(server, key, "producer")["valid_from"] == enrolled + 1
    accepted = post(server, signed(said(), key)).json()["position"]
    retired = end_key(server, "producer", key.key_id).json()["position"]
    assert listed(server, key, "producer")["valid_until"] == retired > accepted
    check_problem(post(server, signed(said(), key)), 403)


def test_a_revoked_key_signs_nothing_more_and_what_it_signed_is_affected(server: Server) -> None:
    good, leaked = producer_key(42), producer_key(43)
    for key in (good, leaked):
        enrol(server, key, CI)
    before = post(server, signed(said(), leaked)).json()["position"]
    first = post(server, signed(said(), leaked, good)).json()["position"]
    post(server, signed(said(), good))
    last = post(server, signed(said(), leaked)).json()["position"]
    answer = end_key(server, "producer", leaked.key_id, from_position=str(first), reason="leaked")
    assert answer.status_code == 200
    check_problem(post(server, signed(said(), leaked)), 403)
    report = server.audit()
    assert (report.verdict, report.faults) == ("sound", ())
    affected = [item for item in report.affected if item.kind == "key-revoked"]
    assert [item.position for item in affected] == [first, last]
    assert before < first
    assert {item.revoked_at for item in affected} == {answer.json()["position"]}
    assert {item.anchored for item in affected} == {False}


def test_a_producers_keys_are_rotated_with_an_overlap(server: Server) -> None:
    old, new = producer_key(44), producer_key(45)
    enrol(server, old, CI)
    enrol(server, new, CI)
    for keys in ((old,), (new,), (old, new)):
        assert post(server, signed(said(), *keys)).status_code == 201
    assert end_key(server, "producer", old.key_id).status_code == 200
    assert post(server, signed(said(), new)).status_code == 201
    for keys in ((old,), (old, new)):
        check_problem(post(server, signed(said(), *keys)), 403)
    assert server.audit().verdict == "sound"


# -- refusals ----------------------------------------------------------------------------------------------------------

PUBLIC = producer_key(50).public_key.hex()
PRODUCER = {
    "role": "producer",
    "name": "service:ci",
    "public_key": PUBLIC,
    "sources": [CI],
    "possession": possession(producer_key(50), "producer"),
}
WRONG: dict[str, dict[str, Any]] = {
    "another role": PRODUCER | {"role": "admin"},
    "no role": {k: v for k, v in PRODUCER.items() if k != "role"},
    "a producer without sources": PRODUCER | {"sources": []},
    "17 sources": PRODUCER | {"sources": [f"s{number}" for number in range(17)]},
    "a source with a blank": PRODUCER | {"sources": ["a b"]},
    "an empty source": PRODUCER | {"sources": [""]},
    "an entry key with sources": PRODUCER | {"role": "entry"},
    "a witness with sources": PRODUCER | {"role": "witness"},
    "a key of 31 bytes": PRODUCER | {"public_key": PUBLIC[2:]},
    "a key in capitals": PRODUCER | {"public_key": PUBLIC[:-1] + "A"},
    "a key in PEM": PRODUCER | {"public_key": "-----BEGIN PUBLIC KEY-----"},
    "a name with a plus": PRODUCER | {"name": "a+b"},
    "a name with a blank": PRODUCER | {"name": "a b"},
    "an empty name": PRODUCER | {"name": ""},
    "a name of 161 characters": PRODUCER | {"name": "x" * 161},
    "another field": PRODUCER | {"valid_from": 1},
    "an entry key that is there": {"role": "entry", "name": "x", "public_key": ENTRY_KEY.public_key.hex()},
}


@pytest.mark.parametrize("case", WRONG)
def test_a_key_that_cannot_be_enrolled_is_refused_and_nothing_is_written(server: Server, case: str) -> None:
    before = server.size()
    check_problem(enrol_key(server, **WRONG[case]), 422)
    assert server.size() == before


def test_a_key_is_enrolled_once_in_a_role(server: Server) -> None:
    assert enrol_key(server, producer_key(51), **PRODUCER).status_code == 201
    check_problem(enrol_key(server, producer_key(51), **PRODUCER), 422, "/public_key")
    assert end_key(server, "producer", producer_key(51).key_id).status_code == 200
    check_problem(enrol_key(server, producer_key(51), **PRODUCER), 422, "/public_key")


def test_a_key_enrolled_by_many_at_once_is_one_key(server: Server) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: enrol_key(server, producer_key(52), **PRODUCER).status_code, range(8)))
    assert set(answers) <= {201, 422}
    assert 201 in answers
    assert listed(server, producer_key(52), "producer")["valid_until"] is None
    assert server.get("/readyz").status_code == 200
    assert server.audit().verdict == "sound"


def test_the_last_entry_key_stays(server: Server) -> None:
    before = server.size()
    check_problem(end_key(server, "entry", ENTRY_KEY.key_id), 409)
    check_problem(end_key(server, "entry", ENTRY_KEY.key_id, from_position="1"), 409)
    assert server.size() == before
    server.record(event())


def test_a_key_that_nobody_knows_is_not_found(server: Server) -> None:
    check_problem(end_key(server, "entry", "0" * 64), 404)
    check_problem(end_key(server, "witness", ENTRY_KEY.key_id), 404)
    for wrong in ("0" * 63, "F" * 64, "x", "0" * 65):
        check_problem(end_key(server, "entry", wrong), 422)
    check_problem(end_key(server, "admin", "0" * 64), 422)


@pytest.mark.parametrize("params", [{"from_position": "0"}, {"from_position": "x"}, {"from_position": "999999"},
                                    {"from_position": "1", "reason": "two words"}], ids=str)  # fmt: skip
def test_a_revocation_names_a_position_and_a_reason_in_one_word(server: Server, params: dict[str, str]) -> None:
    before = server.size()
    check_problem(end_key(server, "checkpoint", CHECKPOINT_KEY.key_id, **params), 422)
    assert server.size() == before


# -- two servers -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Server]]:
    """Two servers on one database, each with an entry key of its own; the second's is not enrolled at first."""
    directory = tmp_path_factory.mktemp("two") / "var"
    tokens = make_ledger(directory)
    signing_keys.save(SECOND, directory / "keys" / "second.pem")
    with log_server(directory, tokens=tokens) as first:
        assert enrol_key(first, SECOND, role="entry", name="host-b").status_code == 201
        key = str(directory / "keys" / "second.pem")
        with log_server(directory, tokens=tokens, CHANGE_LEDGER_ENTRY_KEY=key) as second:
            yield first, second


def test_a_producers_key_enrolled_at_one_server_is_known_to_the_other_at_once(two: tuple[Server, Server]) -> None:
    first, second = two
    enrol(first, producer_key(60), CI)
    assert post(second, signed(said(), producer_key(60))).status_code == 201
    end_key(first, "producer", producer_key(60).key_id)
    check_problem(post(second, signed(said(), producer_key(60))), 403)


def test_a_source_that_must_sign_is_refused_unsigned_at_the_other_server_at_once(two: tuple[Server, Server]) -> None:
    first, second = two
    source = "https://strict.example.com"
    wanted = {"source": source, "door": "events", "principal": "service:x", "must_sign": True}
    assert first.client().post("/v1/ledger/sources", json=wanted).status_code == 201
    check_problem(second.post(event() | {"source": source}), 403)


def test_entry_keys_are_rotated_while_two_servers_run(two: tuple[Server, Server]) -> None:
    first, second = two
    both = {server.record(event())["key_id"] for server in (first, second)}
    assert both == {ENTRY_KEY.key_id, SECOND.key_id}
    assert end_key(second, "entry", ENTRY_KEY.key_id).status_code == 200
    # The one whose key has ended appends no more, says so, and still serves.
    check_problem(first.post(event()), 503)
    assert "not valid" in check_problem(first.get("/readyz"), 503)["detail"]
    assert first.get("/v1/ledger", by="nobody").status_code == 200
    assert second.record(event())["key_id"] == SECOND.key_id
    check_problem(end_key(second, "entry", SECOND.key_id), 409)
    report = second.audit()
    assert (report.verdict, report.faults) == ("sound", ())


def test_two_entry_keys_retired_at_once_leave_one(tmp_path: Path) -> None:
    with log_server(tmp_path / "var") as server:
        assert enrol_key(server, SECOND, role="entry", name="host-b").status_code == 201
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda key: end_key(server, "entry", key.key_id), (ENTRY_KEY, SECOND)))
        found = server.get("/v1/ledger/keys", by="nobody").json()
        assert [k for k in found if k["role"] == "entry" and k["valid_until"] is None]


# -- who holds it --------------------------------------------------------------------------------------------------------

DOCS = Path(__file__).parents[3] / "docs"
SHOWN_HEX = re.compile(
    r"(?:entry_key|checkpoint_key|public_key|PublicKeyHex)\W+(?:string, [^|]*\|\W+)?([0-9a-f]{64})\b"
)
SHOWN_VKEY = re.compile(r"[A-Za-z0-9./-]+\+[0-9a-f]{8}\+[A-Za-z0-9+/]{42,44}=*")


def examples_of_keys(node: Any, name: str = "") -> Iterator[str]:
    """Yield what an OpenAPI document gives as an example of a public key."""
    if isinstance(node, dict):
        for field, part in node.items():
            yield from examples_of_keys(part, name if field in ("examples", "example", "default", "anyOf") else field)
    elif isinstance(node, list):
        for part in node:
            yield from examples_of_keys(part, name)
    elif isinstance(node, str) and name.endswith(("public_key", "entry_key", "checkpoint_key")) and len(node) == 64:
        yield node


def test_every_key_that_our_pages_or_the_openapi_show_is_refused_in_every_role(server: Server) -> None:
    pages = [path.read_text() for path in (*DOCS.rglob("*.md"), DOCS.parent / "README.md")]
    shown = {found for page in pages for found in SHOWN_HEX.findall(page)}
    shown |= {parse_verifier_key(found).public_key.hex() for page in pages for found in SHOWN_VKEY.findall(page)}
    examples = set(examples_of_keys(server.get("/openapi.json", by="nobody").json()))
    assert len(shown) >= 2
    assert examples
    for public_key in shown | examples:
        for role in ("entry", "checkpoint", "producer", "witness"):
            wanted = (
                PRODUCER | {"role": role, "public_key": public_key} | ({} if role == "producer" else {"sources": []})
            )
            assert "anybody can sign" in check_problem(enrol_key(server, **wanted), 422, "/public_key")["detail"]


def test_a_key_that_nobody_has_shown_is_refused_and_the_answer_says_what_to_sign(server: Server) -> None:
    wanted = {"role": "entry", "name": "x", "public_key": SECOND.public_key.hex()}
    before = server.size()
    detail = check_problem(enrol_key(server, **wanted), 422, "/possession")["detail"]
    exact = detail[detail.index("DSSEv1 ") : detail.index("; change-ledger keys prove")].encode()
    for wrong in (
        possession(SECOND, "producer"),
        possession(SECOND, "entry", "elsewhere"),
        possession(ENTRY_KEY, "entry"),
    ):
        check_problem(enrol_key(server, **wanted, possession=wrong), 422, "/possession")
    for wrong in ("", "x", "A" * 88, possession(SECOND, "entry") + "=", 1, [], {"sig": possession(SECOND, "entry")}):
        check_problem(enrol_key(server, **wanted, possession=wrong), 422, "/possession")
    assert server.size() == before
    signed = base64.b64encode(SECOND.sign(exact)).decode()
    assert enrol_key(server, **wanted, possession=signed).status_code == 201
    assert listed(server, SECOND, "entry")["proved"] is True


def test_an_example_key_and_an_operators_token_end_no_ledger(server: Server) -> None:
    rfc = {
        "role": "entry",
        "name": "x",
        "public_key": "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
    }
    check_problem(enrol_key(server, **rfc), 422, "/public_key")
    for key in server.get("/v1/ledger/keys", by="nobody").json():
        if key["role"] == "entry" and key["key_id"] not in (ENTRY_KEY.key_id,):
            end_key(server, "entry", key["key_id"], from_position="1")
    check_problem(end_key(server, "entry", ENTRY_KEY.key_id, from_position="1"), 409)
    assert server.client().post("/v1/ledger/heads").status_code == 201
    check_problem(end_key(server, "checkpoint", CHECKPOINT_KEY.key_id, from_position="1"), 409)
