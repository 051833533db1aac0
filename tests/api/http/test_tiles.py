"""`/checkpoint` and `/tile/…` over a real socket: as C2SP tlog-tiles says, for clients that never heard of us."""

import gzip
import hashlib
import json
from collections.abc import Callable, Iterator

import c2sp
import httpx
import pytest
from ledgers import CHECKPOINT_KEY, ORIGIN
from servers import BATCH, Server, check_problem, event, log_server

from ledger.log.database import Database
from ledger.log.tree import read_tile
from signing.notes import NoteKey, format_verifier_key
from signing.tiles import Tile, parse_path

SIZE = 300
VKEY = format_verifier_key(NoteKey(ORIGIN, CHECKPOINT_KEY.public_key))
HASHES, PROTECTED = ("0", "1"), ("entries", "signatures")
ENTRY_TYPE = "application/vnd.change-ledger.entry.v1+json"
FOREVER = "max-age=31536000, immutable"
# Every path of a log of 300 entries: the full tile, and every partial one there ever was.
PATHS = [
    c2sp.tile_path(level, number, width)
    for level in ("0", *PROTECTED)
    for number, last in ((0, 256), (1, SIZE - 256))
    for width in range(1, last + 1)
] + [c2sp.tile_path("1", 0, 1)]


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A log of 300 entries, under a checkpoint."""
    with log_server(tmp_path_factory.mktemp("tiles") / "var") as running:
        missing = SIZE - running.size()
        assert running.post([event() for _ in range(missing)], kind=BATCH).status_code == 201
        running.wait_for_checkpoint(SIZE)
        yield running


@pytest.fixture(scope="module")
def public(log: Server) -> Iterator[Server]:
    """The same log, served by another process to everybody."""
    with log_server(log.directory, tokens=log.tokens, CHANGE_LEDGER_PUBLIC_ENTRIES="true") as running:
        yield running


@pytest.fixture(scope="module")
def entries(log: Server) -> list[bytes]:
    """The bytes of all entries, as they are read one by one."""
    with auditor(log) as client:
        return [client.get(f"/v1/events/{position}/entry").content for position in range(1, SIZE + 1)]


def auditor(log: Server) -> httpx.Client:
    """Return a client that keeps its connection: it asks hundreds of times."""
    return httpx.Client(base_url=log.url, headers={"Authorization": f"Bearer {log.tokens['auditor']}"}, timeout=600)


def getter(client: httpx.Client) -> Callable[[str], bytes]:
    def get(path: str) -> bytes:
        answer = client.get(f"/{path}")
        assert answer.status_code == 200, f"{path}: {answer.text[:300]}"
        return answer.content

    return get


def test_every_tile_has_the_bytes_that_the_entries_make(log: Server, entries: list[bytes]) -> None:
    leaves = [c2sp.leaf(entry) for entry in entries]
    signatures = [
        number.to_bytes(2) + signature
        for number, signature in c2sp.fetch_signatures(getter(log.client("auditor")), SIZE)
    ]
    bundled = [len(entry).to_bytes(2) + entry for entry in entries]
    rows = {"0": leaves, "1": [c2sp.root(leaves[:256])], "entries": bundled, "signatures": signatures}
    database = Database(log.database_url)
    with auditor(log) as client, database.read() as connection:
        for path in PATHS:
            answer = client.get(f"/{path}")
            tile = parse_path(path)
            expected = b"".join(rows[str(tile.level)][tile.first : tile.first + tile.width])
            assert (answer.status_code, answer.content == expected) == (200, True), path
            assert read_tile(connection, tile) == expected, path
            assert answer.headers["content-type"] == "application/octet-stream"
            access = "private" if tile.level in PROTECTED else "public"
            assert answer.headers["cache-control"] == f"{access}, {FOREVER}", path
    database.close()


def test_a_client_that_knows_only_the_specifications_accepts_the_log(log: Server) -> None:
    with auditor(log) as client:
        get = getter(client)
        origin, size, root = c2sp.open_checkpoint(get("checkpoint"), VKEY)
        assert (origin, size) == (ORIGIN, SIZE)
        leaves, entries = c2sp.fetch_leaves(get, size), c2sp.fetch_entries(get, size)
        assert [c2sp.leaf(entry) for entry in entries] == leaves
        assert c2sp.root(leaves) == root
        keys = {key["number"]: key for key in json.loads(get("v1/ledger/keys")) if key["role"] == "entry"}
        for entry, (number, signature) in zip(entries, c2sp.fetch_signatures(get, size), strict=True):
            c2sp.check_signature(bytes.fromhex(keys[number]["public_key"]), ENTRY_TYPE, entry, signature)
        before = bytes(32)
        for position, (entry, hashed) in enumerate(zip(entries, leaves, strict=True), 1):
            document = json.loads(entry)
            assert (document["position"], document["prev"]) == (position, before.hex())
            before = hashed


def test_a_checkpoint_is_a_note_in_plain_text_that_is_not_kept(log: Server) -> None:
    answer = log.get("/checkpoint", by="nobody")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["cache-control"] == "no-cache"
    text, blank, lines = answer.text.partition("\n\n")
    assert text.split("\n")[:2] == [ORIGIN, str(SIZE)]
    assert blank
    assert lines.startswith(f"— {ORIGIN} ")
    assert lines.endswith("\n")


@pytest.mark.parametrize("level", HASHES)
def test_hashes_are_for_everybody(log: Server, level: str) -> None:
    assert log.get(f"/tile/{level}/000.p/1", by="nobody").status_code == 200


@pytest.mark.parametrize("level", PROTECTED)
def test_entries_and_signatures_are_for_auditors_and_operators(log: Server, level: str) -> None:
    answers = {by: log.get(f"/tile/{level}/000.p/7", by=by) for by in ("auditor", "operator", "reporter", "analyst")}
    statuses = {by: answer.status_code for by, answer in answers.items()}
    assert statuses == {"auditor": 200, "operator": 200, "reporter": 403, "analyst": 403}
    check_problem(answers["analyst"], 403)
    check_problem(log.get(f"/tile/{level}/000.p/7", by="nobody"), 401)
    # Who may not is told so, and not whether it is there.
    check_problem(log.get(f"/tile/{level}/999", by="nobody"), 401)


@pytest.mark.parametrize("level", PROTECTED)
def test_public_entries_are_for_everybody_and_for_every_cache(log: Server, public: Server, level: str) -> None:
    answer = public.get(f"/tile/{level}/001.p/44", by="nobody")
    assert answer.status_code == 200
    assert answer.content == log.get(f"/tile/{level}/001.p/44").content
    assert answer.headers["cache-control"] == f"public, {FOREVER}"
    check_problem(public.get("/v1/events/1/entry", by="nobody"), 401)


BEYOND = ["0/001.p/45", "0/001", "0/002.p/1", "1/000", "1/000.p/2", "1/001.p/1", "2/000.p/1", "63/000.p/1",
          "0/x001/000", "0/x999/x999/x999/999"]  # fmt: skip
MALFORMED = [
    "0/000.p/0", "0/000.p/00", "0/000.p/05", "0/000.p/256", "0/000.p/257", "0/000.p/999", "0/000.p/1000",
    "0/000.p/", "0/000.p", "0/000.p/-1", "0/000.p/+1", "0/000.p/1.5", "0/000.p/a", "0/000.p/1/", "0/000.p/1/2",
    "0/000.p/1.p/1", "0/000.P/1", "0/000.q/1", "0/0", "0/00", "0/0000", "0/x000/000", "0/000/000", "0/x000", "0/x001/",
    "0/X001/000", "0/-01", "0/00a", "0/%30%30%30x", "0/000%20", "0/%D9%A0%D9%A0%D9%A0", "0/", "00/000",
    "01/000", "64/000", "99/000", "-1/000", "e/000", "0//000", "0/%2e%2e/0/000",
]  # fmt: skip


@pytest.mark.parametrize("path", BEYOND)
def test_what_reaches_beyond_the_checkpoint_is_not_found(log: Server, path: str) -> None:
    levels = [path, *(path.replace("0/", f"{level}/", 1) for level in PROTECTED)] if path[:2] == "0/" else [path]
    for each in levels:
        problem = check_problem(log.get(f"/tile/{each}"), 404)
        assert "size 300" in problem["detail"]


@pytest.mark.parametrize("path", MALFORMED)
def test_a_path_that_is_not_written_as_it_must_be_is_not_found(log: Server, path: str) -> None:
    check_problem(log.get(f"/tile/{path}"), 404)


@pytest.mark.parametrize("path", [path[2:] for path in MALFORMED if path.startswith("0/") and ".." not in path])
def test_a_path_of_entries_that_is_not_written_as_it_must_be_is_not_found(log: Server, path: str) -> None:
    for level in PROTECTED:
        check_problem(log.get(f"/tile/{level}/{path}"), 404)


@pytest.mark.parametrize("path", ["data/000", "0/" + "x001/" * 20 + "000", "entries/" + "0" * 100])
def test_a_path_too_long_for_any_tile_is_refused_in_words(log: Server, path: str) -> None:
    assert check_problem(log.get(f"/tile/{path}"))["status"] in (404, 422)


def test_what_was_appended_after_the_checkpoint_is_not_served_before_the_next(log: Server) -> None:
    # The last entry is under the checkpoint, and no tile shows one more than the checkpoint does.
    _, size, _ = c2sp.open_checkpoint(log.get("/checkpoint").content, VKEY)
    assert size == SIZE
    assert log.get(f"/tile/entries/001.p/{SIZE - 256}").status_code == 200
    check_problem(log.get(f"/tile/entries/001.p/{SIZE - 255}"), 404)


@pytest.mark.parametrize("level", PROTECTED)
def test_entries_come_compressed_to_whom_asks_for_it(log: Server, level: str) -> None:
    plain = log.client().get(f"/tile/{level}/000", headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert plain.headers["vary"] == "Accept-Encoding"
    with log.client().stream("GET", f"/tile/{level}/000", headers={"Accept-Encoding": "br, gzip"}) as packed:
        raw = b"".join(packed.iter_raw())
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.headers["vary"] == "Accept-Encoding"
    assert gzip.decompress(raw) == plain.content
    if level == "entries":
        assert len(raw) < len(plain.content) / 2


@pytest.mark.parametrize("refusal", ["gzip;q=0", "identity, gzip; q=0", "gzip;q=0.000"])
def test_whoever_does_not_take_gzip_is_not_given_it(log: Server, refusal: str) -> None:
    answer = log.client().get("/tile/entries/000", headers={"Accept-Encoding": refusal})
    assert "content-encoding" not in answer.headers


def test_reading_tiles_writes_nothing(log: Server) -> None:
    before = hashlib.sha256(json.dumps(log.get("/v1/ledger").json()).encode()).digest()
    for path in ("checkpoint", *PATHS[::40]):
        log.get(f"/{path}")
    assert hashlib.sha256(json.dumps(log.get("/v1/ledger").json()).encode()).digest() == before
    assert Tile(0, 1, SIZE - 256).path in PATHS
