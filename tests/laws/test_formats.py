"""Every intake format does what its file says, over a socket: each sample becomes what it says, nobody comes in without the
right credential, and what belongs to another format is kept. And a format is one file and one name in a list.
"""

import copy
import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from files import is_taken, odd_documents
from httpx import Response
from pydantic import ValidationError
from servers import Server, check_problem, environment_for, log_server
from sockets import connect, head

from api.cli.remote_door import kind_of
from api.intake import DOORS, FORMATS, SIGNED, check_door
from api.intake.formats import UNMAPPED, Format, Redactor, Sample
from api.intake.translation import ForeignError, Mapped, Translation, Unmapped
from api.settings import Settings, words_of
from ledger.errors import SetupError, StatementError

ROOT = Path(__file__).parents[2]
SECRET = "a secret of a test, long enough"
each = pytest.mark.parametrize("known", FORMATS, ids=lambda known: known.name)
each_sample = pytest.mark.parametrize(
    ("known", "sample"),
    [pytest.param(known, sample, id=f"{known.name}: {sample.kind}") for known in FORMATS for sample in known.samples],
)


def enrol(server: Server, known: Format) -> None:
    """Enrol the sources of a format's samples at its door."""
    meant = [translated(known, sample) for sample in known.samples]
    for source in {fact.source for found in meant if isinstance(found, Mapped) for fact in found.facts}:
        wanted = {"source": source, "door": known.name, "principal": f"service:{known.name}"}
        assert server.client().post("/v1/ledger/sources", json=wanted).status_code == 201


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    secrets = {known.secret_variable: SECRET for known in SIGNED.values()}
    with log_server(tmp_path_factory.mktemp("formats") / "var", **secrets) as running:
        for known in SIGNED.values():
            enrol(running, known)
        yield running


def deliver(server: Server, known: Format, body: bytes, sample: Sample | None, secret: str = SECRET) -> Response:
    """Post a body as the senders of a format do, with the headers of a sample; and of a file, with what is said beside it."""
    headers = dict(sample.headers) if sample else {}
    if known.signature is None:
        said = (sample or known.samples[0]).context
        return server.post(
            body, to=known.path, by="reporter", kind=known.media_types[0], headers=headers, params=dict(said)
        )
    headers[known.signature.name] = known.signature.sign(secret, body)
    return server.post(body, to=known.path, by="nobody", kind=known.media_types[0], headers=headers)


def digests_of_kept(known: Format, body: bytes) -> list[str]:
    """Return the digest of what is kept of a body: of all of it, of what a redactor left, or of nothing that it could not read."""
    if known.redactor is None:
        return [hashlib.sha256(body).hexdigest()]
    try:
        return [hashlib.sha256(known.redactor.cut(body)).hexdigest()]
    except ForeignError:
        return []


def translated(known: Format, sample: Sample) -> Translation:
    """Return what a sample stands for."""
    if not known.is_file:
        return known.translate(dict(sample.headers), sample.content)
    assert known.redactor is not None
    try:
        cut = known.redactor.cut(sample.content)
    except ForeignError as error:
        return Unmapped(known.name, str(error))
    return known.translate(known.context(sample.context).beside(sample.content), cut)


@each_sample
def test_a_sample_becomes_what_it_says_and_its_bytes_are_kept(server: Server, known: Format, sample: Sample) -> None:
    before = server.size()
    answer = deliver(server, known, sample.content, sample)
    if not sample.becomes:
        assert (answer.status_code, server.size()) == (200, before)
        return
    if known.is_file and not digests_of_kept(known, sample.content):
        check_unreadable(server, known, sample.content, sample)
        return
    assert answer.status_code == (202 if sample.becomes == (UNMAPPED,) else 201), answer.text
    entries = [server.get(f"/v1/events/{r['position']}").json()["entry"] for r in answer.json()["receipts"]]
    assert tuple(entry["statement"]["type"] for entry in entries) == sample.becomes
    assert [kept["sha256"] for kept in entries[0]["evidence"]] == digests_of_kept(known, sample.content)
    # The same body is the same facts.
    again = deliver(server, known, sample.content, sample)
    assert (again.status_code, again.json()) == (200, answer.json())


@each_sample
def test_the_command_posts_a_file_as_what_its_door_takes(known: Format, sample: Sample) -> None:
    body = sample.body if isinstance(sample.body, str) else json.dumps(sample.body)
    if known.is_file:
        assert kind_of(known.name, body.encode()) in known.media_types


@each_sample
def test_a_translator_answers_the_same_and_changes_nothing(known: Format, sample: Sample) -> None:
    headers, context = dict(sample.headers), dict(sample.context)
    assert translated(known, sample) == translated(known, sample)
    assert (headers, context) == (dict(sample.headers), dict(sample.context))


@each_sample
def test_no_odd_part_of_a_body_is_worse_than_not_understood(known: Format, sample: Sample) -> None:
    if isinstance(sample.body, dict):
        for document in odd_documents(sample.body):
            is_taken(known, json.dumps(document).encode(), sample.context if known.is_file else sample.headers)


@each
def test_nobody_comes_in_without_the_right_credential_and_no_body_is_looked_at(server: Server, known: Format) -> None:
    before = server.size()
    headers: list[dict[str, str]] = [{}, {"Authorization": "Bearer nobody's"}]
    if known.signature is not None:
        signed = known.signature.sign("another secret", b"{not JSON")
        headers += [{known.signature.name: value} for value in ("", "zz", f"{known.signature.prefix}zz", signed)]
    for shown in headers:
        answer = server.post(b"{not JSON", to=known.path, by="nobody", kind=known.media_types[0], headers=shown)
        check_problem(answer, 401)
    if known.signature is not None:
        # Whoever signed with another secret has shown that they have none of ours; a token does not mend that.
        check_problem(deliver(server, known, known.samples[0].content, known.samples[0], secret="another secret"), 401)
        check_problem(server.post(b"{}", to=known.path, by="all", kind=known.media_types[0]), 401)
    else:
        for by in ("auditor", "analyst"):
            check_problem(server.post(b"{not JSON", to=known.path, by=by, kind=known.media_types[0]), 403)
        check_problem(server.post(b"a note", to=known.path, by="reporter", kind="image/png"), 415)
    assert server.size() == before


@each
def test_who_shows_nothing_is_refused_before_a_byte_of_the_body_has_come(server: Server, known: Format) -> None:
    with connect(server) as connection:
        connection.sendall(head("POST", known.path, Content_Type=known.media_types[0], Content_Length=4_000_000))
        assert connection.recv(12) == b"HTTP/1.1 401"


@each
def test_without_its_secret_the_door_of_a_signed_format_is_closed(tmp_path: Path, known: Format) -> None:
    if known.signature is None:
        return
    with log_server(tmp_path / "var", github_secret=None) as closed:
        problem = check_problem(deliver(closed, known, b"{}", known.samples[0]), 503)
        assert known.secret_variable in problem["detail"]


def check_unreadable(server: Server, known: Format, body: bytes, sample: Sample | None) -> None:
    """Say that a file that nobody can read is refused whenever it comes, with a reason and with where its digest is kept, once."""
    details = {check_problem(deliver(server, known, body, sample), 422)["detail"] for _ in range(2)}
    assert len(details) == 1
    detail = details.pop()
    said = re.search(r"no (.+) that can be read: ([a-z0-9.-]+)\. .* kept at position ([0-9]+)", detail)
    assert said is not None, detail
    entry = server.get(f"/v1/events/{said[3]}").json()["entry"]
    data = entry["statement"]["data"]
    assert (said[1], entry["statement"]["type"], entry["evidence"]) == (known.title, UNMAPPED, [])
    assert (data["reason"], data["body_sha256"]) == (said[2], hashlib.sha256(body).hexdigest())


@each
def test_what_nobody_can_read_is_kept_of_a_message_and_refused_as_a_file(server: Server, known: Format) -> None:
    good = known.samples[0].content
    for body in (good[: len(good) // 2], b"\xff\xfe" + good, b"\x00\x01\x02", b"[" * 50_000):
        # What is cut off may still be whole: YAML ends where a line does.
        if known.is_file and digests_of_kept(known, body):
            assert body == good[: len(good) // 2]
            continue
        if known.is_file:
            check_unreadable(server, known, body, None)
            continue
        answer = deliver(server, known, body, None)
        assert answer.status_code == 202, answer.text
        [receipt] = answer.json()["receipts"]
        entry = server.get(f"/v1/events/{receipt['position']}").json()["entry"]
        assert [kept["sha256"] for kept in entry["evidence"]] == digests_of_kept(known, body)


@each
def test_a_body_of_another_format_is_not_understood(server: Server, known: Format) -> None:
    for other in FORMATS:
        if other is known:
            continue
        body = other.samples[0].content
        if known.is_file and not digests_of_kept(known, body):
            check_unreadable(server, known, body, None)
            continue
        answer = deliver(server, known, body, None)
        assert answer.status_code == 202, answer.text
        [receipt] = answer.json()["receipts"]
        entry = server.get(f"/v1/events/{receipt['position']}").json()["entry"]
        assert (entry["statement"]["type"], entry["statement"]["data"]["format"]) == (UNMAPPED, known.name)
        assert [kept["sha256"] for kept in entry["evidence"]] == digests_of_kept(known, body)


def test_a_format_that_there_is_not_is_told_with_those_there_are(server: Server) -> None:
    detail = check_problem(server.post(b"{}", to="/v1/intake/githab"), 404)["detail"]
    assert "there is no intake format 'githab'; did you mean github?" in detail
    assert all(known.name in detail for known in FORMATS)


def test_a_source_is_enrolled_only_at_a_door_that_there_is(server: Server) -> None:
    wanted = {"source": "https://ci.example.com/x", "door": "githab", "principal": "service:x"}
    problem = check_problem(server.client().post("/v1/ledger/sources", json=wanted), 422, "/door")
    assert all(door in problem["detail"] for door in DOORS)
    with pytest.raises(StatementError, match="did you mean github"):
        check_door("githab")


def test_a_format_that_could_not_be_served_is_refused_where_it_is_declared() -> None:
    good = FORMATS[0]
    for name, samples in (("events", good.samples), ("Git Hub", good.samples), ("tower", ())):
        with pytest.raises(SetupError):
            Format(name, good.title, good.about, good.translate, samples)
    for said in ({"asks": ("run",)}, {"needs": ("run",)}, {"asks": ("mood",)}):
        with pytest.raises(SetupError, match=r"a file without a redactor|what a context may say"):
            Format("tower", good.title, good.about, good.translate, good.samples, **said)
    with pytest.raises(SetupError, match="no sample that becomes facts has a secret in it"):
        Format(
            "tower", good.title, good.about, good.translate, good.samples, asks=("run",), redactor=Redactor(1, bytes)
        )
    with pytest.raises(SetupError, match="no event types"):
        Format("tower", good.title, good.about, good.translate, (Sample("x", {}, ("no.such",)),))


def test_a_secret_is_read_from_the_file_from_one_variable_for_all_and_from_one_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def secrets() -> dict[str, str]:
        return {name: secret.get_secret_value() for name, secret in Settings().secrets.items()}

    monkeypatch.chdir(tmp_path)
    for known in SIGNED.values():
        monkeypatch.delenv(known.secret_variable, raising=False)
    assert secrets() == {}
    (tmp_path / "change-ledger.toml").write_text(f'[secrets]\ngithub = "{SECRET} in a file"\n')
    assert secrets() == {"github": f"{SECRET} in a file"}
    monkeypatch.setenv("CHANGE_LEDGER_SECRETS", json.dumps({"github": f"{SECRET} for all"}))
    assert secrets() == {"github": f"{SECRET} for all"}
    monkeypatch.setenv("CHANGE_LEDGER_GITHUB_SECRET", SECRET)
    assert secrets() == {"github": SECRET}
    assert SECRET not in repr(Settings())
    # An empty variable is an unset one: anybody can sign with an empty key.
    monkeypatch.setenv("CHANGE_LEDGER_GITHUB_SECRET", "")
    assert secrets() == {}


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("CHANGE_LEDGER_GITHUB_SECRET", "too short", "setting CHANGE_LEDGER_GITHUB_SECRET: expected .* found 9"),
        (
            "CHANGE_LEDGER_SECRETS",
            '{"github": "too short"}',
            "CHANGE_LEDGER_SECRETS: expected secrets.github .* found 9",
        ),
        (
            "CHANGE_LEDGER_SECRETS",
            '{"githab": "0123456789abcdef"}',
            "no signed intake format 'githab'; did you mean github",
        ),
    ],
)
def test_a_secret_that_cannot_be_used_is_refused_where_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv(variable, value)
    with pytest.raises(ValidationError) as refused:
        Settings()
    assert re.search(words, words_of(refused.value))


# -- one file, and one name in a list -----------------------------------------------------------------------------------

TOWER = '''"""Notes of the control tower, made up for a test."""

from api.intake.formats import UNMAPPED, Format, HmacHeader, Redactor, Sample
from api.intake.translation import ForeignError, Headers, Mapped, Translation, Unmapped, dump_json, fact, pick_text, read_json


def cut(body: bytes) -> bytes:
    """Return the note, and nothing else."""
    if (note := pick_text(read_json(body), "{name}.note")) is None:
        raise ForeignError("no-note")
    return dump_json({{"{name}": {{"note": note}}}})


def translate(beside: Headers, body: bytes) -> Translation:
    """Return the incident of a note."""
    try:
        note = read_json(cut(body))["{name}"]["note"]
    except ForeignError as error:
        return Unmapped("{name}", str(error))
    said = {{"incident_id": note}}
    return Mapped((fact(beside.get("source", "https://tower.example"), "incident.detected", "2025-05-30T08:15:00Z", said),))


FORMAT = Format(
    "{name}", "The tower's {name}", "What the tower wrote down.", translate, {more}
    samples=(Sample("a note", {{"{name}": {{"note": "INC-9"}}, "token": "hunter2"}}, ("incident.detected",){said}),),
)
'''
# Each kind of format: its messages are signed, or come with a token, or it is of files.
MADE_UP = {
    "tower-notes": ('signature=HmacHeader("X-Tower", prefix=""),', ""),
    "tower-calls": ("", ""),
    "tower-logs": (
        'asks=("run",), needs=("run",), redactor=Redactor(1, cut),',
        ', context={"run": "4711"}',
    ),
}
# Whatever is tried of every format, and what says that the pages are fresh.
TRIED = (
    "tests/laws/test_formats.py", "tests/api/intake/test_files.py", "tests/test_howtos.py",
    "tests/test_documentation.py::test_the_generated_pages_are_what_the_code_makes_them",
)  # fmt: skip


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the program and its tests, with a file and a name in the list of formats more for each, and pages made anew."""
    made = tmp_path_factory.mktemp("tree")
    for room in ("signing", "ledger", "projections", "api", "scripts", "docs", "tests"):
        # With what is compiled: that takes longer than all that is tried.
        shutil.copytree(ROOT / room, made / room, ignore=shutil.ignore_patterns("vectors"))
    # The pages say of which version the program is.
    shutil.copy(ROOT / "pyproject.toml", made)
    modules = {name: name.replace("-", "_") for name in MADE_UP}
    for name, (more, said) in MADE_UP.items():
        (made / "api" / "intake" / f"{modules[name]}.py").write_text(TOWER.format(name=name, more=more, said=said))
    listing = made / "api" / "intake" / "__init__.py"
    imports, lists = (f"    {', '.join(f'{module}{end}' for module in modules.values())}," for end in ("", ".FORMAT"))
    said = listing.read_text()
    for begun, more in (("from api.intake import (\n", imports), ("FORMATS: Final[tuple[Format, ...]] = (\n", lists)):
        assert said.count(begun) == 1, f"expected one line {begun!r}"
        said = said.replace(begun, f"{begun}{more}\n")
    listing.write_text(said)
    environment = environment_for(made) | {"PYTHONPATH": str(made)}
    subprocess.run([sys.executable, made / "scripts" / "docs.py"], check=True, capture_output=True, env=environment)
    return made


def test_made_up_formats_pass_all_that_is_tried_of_formats(tree: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--basetemp", tmp_path / "inner"]
    environment = environment_for(tree) | {"PYTHONPATH": str(tree)}
    # What is tried of all formats at once, too, and nothing that makes a tree of its own.
    chosen = " or ".join((*MADE_UP, "generated_pages", "a_format_that_there_is_not"))
    done = subprocess.run(
        [*words, "-k", chosen, *TRIED], cwd=tree, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    # Each kind of test: of a format, and of a sample.
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed is not None
    assert int(passed[1]) > 10 * len(MADE_UP), done.stdout


def test_a_made_up_format_is_described(tree: Path, tmp_path: Path) -> None:
    with log_server(tmp_path / "var", tree=tree) as server:
        document = server.get("/openapi.json", by="nobody").json()
    operation = document["paths"]["/v1/intake/tower-notes"]["post"]
    assert (operation["summary"], operation["operationId"]) == ("The tower's tower-notes", "from_tower_notes")
    [scheme] = operation["security"][0]
    assert document["components"]["securitySchemes"][scheme]["name"] == "X-Tower"


def test_made_up_formats_are_in_the_pages(tree: Path) -> None:
    for name in MADE_UP:
        found = {page.name for page in (tree / "docs").rglob("*.md") if name in page.read_text()}
        assert {"intake.md", "roles.md", "take-in-files.md"} <= found, name
    assert "CHANGE_LEDGER_TOWER_NOTES_SECRET" in (tree / "docs" / "reference" / "settings.md").read_text()


def long_lists(document: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to every list of a document."""
    for name, part in document.items() if isinstance(document, dict) else enumerate(document):
        if isinstance(part, list):
            yield (*at, name)
        if isinstance(part, dict | list):
            yield from long_lists(part, (*at, name))


@pytest.mark.parametrize("item", ["{}", "0", '""', "[]"])
def test_nothing_is_kept_of_a_long_body_of_next_to_nothing(item: str) -> None:
    # A redactor names what an item lacks: of three bytes it made a hundred, and of a body of 8 MiB 500 MiB of evidence.
    tried = 0
    for known, sample in ((one, sample) for one in FORMATS for sample in one.samples):
        if known.redactor is None or isinstance(sample.body, str):
            continue
        for way in long_lists(sample.body):
            hollow: Any = copy.deepcopy(sample.body)
            part = hollow
            for name in way[:-1]:
                part = part[name]
            part[way[-1]] = ["here"]
            body = json.dumps(hollow).encode().replace(b'["here"]', b"[" + b",".join([item.encode()] * 40_000) + b"]")
            with pytest.raises(ForeignError, match=r"too-many-|not-"):
                known.redactor.cut(body)
            tried += 1
    assert tried > 30


@pytest.mark.parametrize(
    ("known", "sample"), [(k, s) for k in FORMATS if k.redactor and not k.is_file for s in k.samples]
)
def test_what_is_kept_of_a_message_says_what_it_said(known: Format, sample: Sample) -> None:
    """A redactor of messages cuts nothing that is read: whoever reads the evidence finds the facts in it."""
    assert known.redactor is not None
    kept = known.redactor.cut(sample.content)
    assert known.translate(sample.headers, kept) == known.translate(sample.headers, sample.content)
