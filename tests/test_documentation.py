"""What the pages say is what the code does: generated pages are fresh, examples compute, and every name that a page uses exists."""

import base64
import hashlib
import hmac
import importlib
import importlib.util
import inspect
import itertools
import json
import pkgutil
import re
import shutil
import subprocess
from pathlib import Path
from types import FunctionType, ModuleType

import pytest

from ledger.authority import Caller
from ledger.canonical import encode
from ledger.clock import Clock
from ledger.entry import ENTRY_PAYLOAD_TYPE
from ledger.faults import Kind
from ledger.ledger import Ledger
from ledger.log import tables
from ledger.log.beside import read_texts
from ledger.log.database import Database
from ledger.log.reading import StoredEntry, read_entries
from ledger.log.recorder import Recorded, Submission
from ledger.stewardship.credentials import issue_token
from signing import dsse
from signing.keys import SigningKey, VerifyingKey, key_id
from signing.notes import NoteKey, parse_verifier_key

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
ROOMS = ("signing", "ledger", "api")


def page(name: str) -> str:
    return (DOCS / name).read_text()


# -- generated pages -------------------------------------------------------------------------------------------------


def scripts_docs() -> ModuleType:
    spec = importlib.util.spec_from_file_location("scripts_docs", ROOT / "scripts" / "docs.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generated_pages_are_what_the_code_makes_them():
    stale = [str(path.relative_to(ROOT)) for path in scripts_docs().stale()]
    assert stale == [], "run scripts/docs"


def test_a_stale_page_makes_the_check_fail(tmp_path, monkeypatch, capsys):
    docs = scripts_docs()
    monkeypatch.setattr(docs, "ROOT", tmp_path)
    monkeypatch.setattr(docs, "REFERENCE", tmp_path)
    monkeypatch.setattr(docs, "PAGES", {"page.md": lambda: "as the code makes it"})
    assert docs.main(["--check"]) == 1
    assert "page.md is stale" in capsys.readouterr().err
    assert docs.main([]) == 0
    assert (tmp_path / "page.md").read_text() == "as the code makes it"
    assert docs.main(["--check"]) == 0


# -- formats ---------------------------------------------------------------------------------------------------------

# RFC 8032 §7.1, tests 1 and 2: seeds that are published, so that nobody takes them for keys.
ENTRY_SEED = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
CHECKPOINT_SEED = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")


def example_ledger(path: Path) -> tuple[Ledger, list[StoredEntry]]:
    """Make the ledger of the worked example: fixed keys and time, and "random" bytes that count from 1."""
    numbers = itertools.count(1)
    ledger = Ledger.create(
        Database(f"sqlite:///{path / 'example.db'}"),
        origin="ledger.example.com/prod",
        entry_key=SigningKey.from_seed(ENTRY_SEED),
        checkpoint_key=SigningKey.from_seed(CHECKPOINT_SEED).public_key,
        clock=Clock(wall_ns=lambda: 1_795_435_200_123_456_000, steady_ns=lambda: 0),
        random=lambda size: bytes([next(numbers)]) * size,
    )
    credential, _, _ = issue_token(
        ledger, actor="service:local-operator", principal="service:payments-ci", kind="service", roles=["reporter"]
    )
    token = ledger.authority.credentials[credential]
    statement = ledger.admission.admit(example_block("submitted", json))
    outcome = ledger.append(
        Submission((statement,), Caller(token.id, token.principal, "token", token), None, ledger.authority.position)
    )
    assert isinstance(outcome, Recorded)
    with ledger.database.read() as connection:
        return ledger, list(read_entries(connection))


def example_block(name: str, parser: ModuleType | None = None):
    """Return the code block that follows the comment `<!-- example: name -->` in the page of formats."""
    found = re.search(rf"<!-- example: {name} -->\n+```\w*\n(.*?)\n```", page("reference/formats.md"), re.DOTALL)
    assert found is not None, f"docs/reference/formats.md has no example {name}"
    return parser.loads(found[1]) if parser is not None else found[1]


@pytest.fixture
def example(tmp_path):
    ledger, entries = example_ledger(tmp_path)
    yield ledger, entries
    ledger.close()


def printed_entries() -> list[bytes]:
    return [example_block(f"entry {position}").encode() for position in (1, 2, 3)]


def test_the_worked_example_is_what_the_ledger_makes(example):
    _, entries = example
    assert [stored.entry for stored in entries] == printed_entries()


def test_the_receipt_of_the_worked_example_is_the_printed_one(example):
    ledger, entries = example
    assert ledger.receipt(entries[2]).to_json() == example_block("receipt", json)


def test_the_envelope_of_the_worked_example_verifies_and_is_the_printed_one(example):
    ledger, entries = example
    envelope = ledger.envelope(entries[2])
    shortened = envelope.to_json() | {"payload": "…"}
    assert shortened == example_block("envelope", json)
    assert dsse.verify(envelope, ENTRY_PAYLOAD_TYPE, [VerifyingKey(SigningKey.from_seed(ENTRY_SEED).public_key)])


def test_every_printed_entry_links_to_the_one_before_and_hashes_to_the_printed_leaf():
    leaves = dict(line.split() for line in example_block("leaves").splitlines())
    prev = "0" * 64
    for position, entry in enumerate(printed_entries(), 1):
        assert json.loads(entry)["prev"] == prev
        prev = hashlib.sha256(b"\x00" + entry).hexdigest()
        assert leaves[str(position)] == prev


def test_the_statement_is_the_slice_that_the_page_says_it_is():
    entry = printed_entries()[2]
    statement = entry[entry.index(b',"statement":') + len(b',"statement":') : -1]
    assert json.loads(statement) == json.loads(entry)["statement"]
    assert encode(json.loads(statement)) == statement


def test_the_printed_keys_and_their_ids_belong_together(example):
    ledger, _ = example
    keys = dict(line.split(maxsplit=1) for line in example_block("keys").splitlines())
    entry_key, checkpoint_key = (SigningKey.from_seed(seed) for seed in (ENTRY_SEED, CHECKPOINT_SEED))
    assert keys["entry_key"] == entry_key.public_key.hex()
    assert keys["entry_key_id"] == key_id(entry_key.public_key) == entry_key.key_id
    assert parse_verifier_key(keys["verifier_key"]) == NoteKey(ledger.origin, checkpoint_key.public_key)


def test_the_printed_commitment_and_digest_of_the_submission_compute(example):
    ledger, entries = example
    beside = example_block("beside the log", json)
    with ledger.database.read() as connection:
        assert read_texts(connection, 3) == beside["texts"]
        digest = connection.execute(tables.submitted.select()).one().digest
    text = beside["texts"][0]
    commitment = hashlib.sha256(bytes.fromhex(text["salt"]) + text["text"].encode()).hexdigest()
    assert entries[2].statement["data"]["title"] == {"sha256": commitment}
    pepper = bytes.fromhex(beside["pepper"])
    opened = entries[0].statement["data"]
    assert hashlib.sha256(pepper).hexdigest() == opened["secret_sha256"]
    submitted = encode(example_block("submitted", json))
    assert hmac.digest(pepper, submitted, "sha256") == bytes(digest) == bytes.fromhex(beside["submitted"])


def test_the_recipe_in_python_recomputes_leaf_and_prev(tmp_path, monkeypatch, capsys):
    write_example_files(tmp_path)
    monkeypatch.chdir(tmp_path)
    exec(compile(example_block("recipe in python"), "recipe", "exec"), {})
    assert capsys.readouterr().out.split() == example_block("leaves").split()


def test_the_recipe_with_sha256sum_recomputes_leaf_and_prev(tmp_path):
    write_example_files(tmp_path)
    done = subprocess.run(
        ["bash", "-euc", example_block("recipe in a shell")], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == example_block("leaves").split()


def test_the_recipe_with_openssl_verifies_the_signature(tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl on this machine")
    write_example_files(tmp_path)
    (tmp_path / "3.sig").write_text(example_block("receipt", json)["signature"])
    done = subprocess.run(
        ["bash", "-euc", example_block("recipe with openssl")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert "Signature Verified Successfully" in done.stdout, done.stderr


def write_example_files(directory: Path) -> None:
    for position, entry in enumerate(printed_entries(), 1):
        (directory / f"{position}.json").write_bytes(entry)


def test_the_signature_in_the_printed_receipt_is_over_the_printed_bytes():
    receipt = example_block("receipt", json)
    key = VerifyingKey(bytes.fromhex(json.loads(printed_entries()[0])["statement"]["data"]["entry_key"]))
    key.check(base64.b64decode(receipt["signature"]), dsse.pae(ENTRY_PAYLOAD_TYPE, printed_entries()[2]))


# -- faults ----------------------------------------------------------------------------------------------------------


def test_every_kind_of_fault_is_explained_and_no_other():
    explained = re.findall(r"^\| `([a-z-]+)` \|", page("reference/faults.md"), re.MULTILINE)
    assert len(explained) == len(set(explained)), "a kind is explained twice"
    assert set(explained) == set(Kind)


# -- pages as a whole --------------------------------------------------------------------------------------------------


def markdown_files() -> list[Path]:
    return [*sorted(DOCS.rglob("*.md")), ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md"]


def anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_link_between_the_pages_leads_somewhere():
    broken = []
    for path in markdown_files():
        for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text()):
            name, _, anchor = target.partition("#")
            if "://" in name:
                continue
            file = (path.parent / name).resolve() if name else path
            if not file.exists() or (anchor and anchor not in anchors(file.read_text())):
                broken.append(f"{path.relative_to(ROOT)}: {target}")
    assert broken == []


def test_every_decision_is_in_the_index_once_in_order_and_has_its_sections():
    index = page("decisions/README.md")
    numbers = [int(number) for number in re.findall(r"^- \[(\d+)\. ", index, re.MULTILINE)]
    assert numbers == sorted(set(numbers)), "expected each decision once, by its number"
    for path in sorted((DOCS / "decisions").glob("0*.md")):
        assert f"]({path.name})" in index, path.name
        for part in ("\nStatus: ", "## Context", "## Decision", "## Consequences", "## Sources"):
            assert part in path.read_text(), f"{path.name} has no {part.strip()}"


def test_every_dependency_has_its_reason_in_the_decision_about_dependencies():
    project = (ROOT / "pyproject.toml").read_text()
    names = re.findall(r'^    "([a-zA-Z0-9-]+)(?:\[[a-z]+\])?[><=~!;]', project, re.MULTILINE)
    reasons = page("decisions/0012-dependencies.md")
    assert [name for name in names if f"| `{name}` |" not in reasons] == []


# -- docstrings ------------------------------------------------------------------------------------------------------

# Public names that still say nothing of themselves. This list may only become shorter.
WITHOUT_DOCSTRING = {
    "api.http.auth.ledger_of",
    "api.cli.common.where",
    "api.http.problems.response",
    "ledger.audit.reading.page",
    "ledger.audit.rows.name_entry_ref_faults",
    "ledger.audit.rows.name_ref_faults",
    "ledger.audit.rows.name_statement_faults",
    "ledger.log.reading.read_entry",
    "signing.dsse.Signature",
    "signing.merkle.leaf_hash",
    "signing.merkle.node_hash",
}


def modules() -> list[ModuleType]:
    found = []
    for room in ROOMS:
        package = importlib.import_module(room)
        found.append(package)
        for info in pkgutil.walk_packages(package.__path__, f"{room}."):
            if "migrations" not in info.name and not info.name.endswith("__main__"):
                found.append(importlib.import_module(info.name))
    return found


def own_docstring(thing: type | FunctionType) -> str:
    """Return the docstring that somebody wrote: not an inherited one, nor the signature that dataclasses put in its place."""
    written = vars(thing).get("__doc__") or "" if isinstance(thing, type) else thing.__doc__ or ""
    return "" if written.startswith(f"{thing.__name__}(") else written


def undocumented() -> set[str]:
    """Return the public classes and functions without a docstring, `module.name`."""
    return {
        f"{module.__name__}.{name}"
        for module in modules()
        for name, thing in vars(module).items()
        if not name.startswith("_")
        and (inspect.isclass(thing) or inspect.isfunction(thing))
        and thing.__module__ == module.__name__
        and not own_docstring(thing)
    }


def test_every_module_says_what_it_is():
    assert [module.__name__ for module in modules() if not (module.__doc__ or "").strip()] == []


def test_every_public_class_and_function_says_what_it_is():
    assert undocumented() - WITHOUT_DOCSTRING == set()


def test_every_module_on_the_way_of_one_event_is_there() -> None:
    text = (DOCS / "explanation" / "one-event.md").read_text()
    named = set(re.findall(r"\b(?:api|ledger|projections)/[a-z_/]+(?:\.py)?", text))
    assert len(named) > 15
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []
