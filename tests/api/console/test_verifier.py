"""verify.html judges as the checkers in Python do: over every vector, over proofs just made, and over thousands of damaged ones."""

import base64
import copy
import json
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import verifier
from browsers import CHROMIUM, NO_BROWSER
from ledgers import (
    CHECKPOINT_KEY,
    ENTRY_KEY,
    ORIGIN,
    WITNESS,
    WITNESS_KEY,
    append,
    cloud_event,
    create_ledger,
    keep_checkpoint,
)
from other_checkers import NODE, Case, Checker, by_browser, by_node

from ledger.log.checkpoints import read_checkpoint
from ledger.log.reading import read_entry
from ledger.log.tree import proof_of
from ledger.published.dossier import check_dossier
from ledger.stewardship import commitments
from signing.checkpoint import check_checkpoint
from signing.errors import SigningError
from signing.merkle import leaf_hash
from signing.notes import COSIGNATURE, NoteKey, check_note, format_verifier_key, parse_note, parse_verifier_key
from signing.proof import check_proof, parse_proof
from signing.witness import check_cosigned, cosign

VECTORS = Path(__file__).parents[2] / "vectors"
LOG = NoteKey(ORIGIN, CHECKPOINT_KEY.public_key)
STRANGER = NoteKey(ORIGIN, ENTRY_KEY.public_key)
WATCHER = NoteKey(WITNESS, WITNESS_KEY.public_key, COSIGNATURE)


@pytest.fixture(scope="module", params=["node", "chromium"])
def checker(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checker]:
    """One of those who run the verifier."""
    if request.param == "node":
        if NODE is None:
            pytest.skip("NO NODE: the verifier was not tried in it. A browser tries the same")
        yield by_node
        return
    if CHROMIUM is None:
        pytest.skip(NO_BROWSER)
    with by_browser(tmp_path_factory.mktemp("browser")) as check:
        yield check


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def lines(*keys: NoteKey) -> list[str]:
    return [format_verifier_key(key) for key in keys]


def agree(checker: Checker, cases: Sequence[Case], holds: Sequence[bool]) -> None:
    """Fail unless the other checker holds what is expected to hold, and refuses the rest in its own words."""
    answers = checker(cases)
    wrong = [
        (case, answer) for case, answer, held in zip(cases, answers, holds, strict=True) if (answer is None) != held
    ]
    assert wrong[:3] == []
    assert [answer for answer in answers if answer is not None and (answer.startswith("!") or not answer)] == []


# -- vectors -------------------------------------------------------------------------------------------------------------


def vectors() -> Iterator[tuple[Case, bool]]:
    for kind in ("inclusion", "consistency"):
        for path in sorted((VECTORS / kind).glob("*.json")):
            told = json.loads(path.read_text())
            wanted = not told.pop("want_error")
            proof = [b64(bytes.fromhex(node)) for node in told.pop("proof")]
            rest = {k: b64(bytes.fromhex(v)) if isinstance(v, str) else str(v) for k, v in told.items()}
            yield {"check": kind, "proof": proof} | rest, wanted
    index = json.loads((VECTORS / "checkpoints" / "index.json").read_text())
    for name, is_wrong in index["want_error"].items():
        data = (VECTORS / "checkpoints" / f"{name}.note").read_bytes()
        yield {"check": "checkpoint", "data": b64(data), "keys": [index["key"]]}, not is_wrong


def test_every_vector_is_judged_as_its_file_says(checker: Checker) -> None:
    cases, holds = zip(*vectors(), strict=True)
    assert len(cases) > 100
    agree(checker, cases, holds)


# From C2SP signed-note and tlog-cosignature, and from Tessera's test data.
PUBLISHED = [
    {
        "check": "note",
        "data": b64(
            "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZ"
            "XsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n".encode()
        ),
        "keys": ["example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"],
    },
    {
        "check": "cosigned",
        "data": b64(
            "rome2026h1.example.org\n300\nlCkHUpkmVBEms2r2T1K6Og69+wUuuN3MIEW1/ezu2v0=\n\n— witness.example.org "
            "uKLPIAAAAABpVGeAhm2bOvKc3LaB9PFN1ruG19Y5yqslmcAAbhftnn1Zznmo0LXFZq4LGvqKqLX8jWlwLKasxEGTLIqAVusneCBmBw==\n"
            "".encode()
        ),
        "keys": ["witness.example.org+b8a2cf20+BFLN3yikSfFkVAJtrnh/CiY3Zozkoy7clp+P7XB28qUN"],
        "at_least": 1,
    },
    {
        "check": "proof",
        "data": b64(
            "c2sp.org/tlog-proof@v1\nindex 2\n9xWrP6pdBx5uKsS7mU1b9zWUPcw3mdoNCF55gM+5M2o=\n"
            "T1X2GdkhUjV3iyufF9b0kVsWFxIU0VI4EpNml2Teci4=\ng0ZoeYWtIV8Q8i+4CmgqPnBvH2il107lyCgTQsyB7H4=\n"
            "5jLpqTgjsBDSEX6SgZiRnbTMdTuRd8bQ5tSsAOxe0Ks=\n\nexample.com/log/testdata\n15\n"
            "rKbDipCvhuX1GZ7g5BBe8sA6BbJ7ja/1nk427v383cs=\n\n— example.com/log/testdata M9e0luh4jTG+UMBqOUo9/q+yAEvx1ilBEniMvjf1"
            "zfcBOhg+CKubMt53MvIt/uEWP6zdkdIQzd/fmwlM/dlPWF74ewI=\n".encode()
        ),
        "entry": b64(b"three"),
        "keys": ["example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx"],
    },
]


def test_what_other_logs_published_holds_and_holds_no_more_with_any_byte_altered(checker: Checker) -> None:
    cases, holds = list(PUBLISHED), [True] * len(PUBLISHED)
    for good in PUBLISHED:
        data = base64.b64decode(good["data"])
        for place in range(len(data)):
            altered = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
            cases.append(good | {"data": b64(altered)})
            holds.append(judged(cases[-1]))
    assert sum(holds) == len(PUBLISHED)
    agree(checker, cases, holds)


def test_a_verifier_key_is_read_as_in_python(checker: Checker) -> None:
    good = PUBLISHED[0]["keys"][0]
    altered = [
        good[:at] + by + good[at + 1 :] for at in range(len(good)) for by in ("", "A", "+", "=", " ", "é", "\ud800")
    ]
    names = ["", "a b", "a\tb", "a\u00a0b", "a\u2003b", "a\x1cb", "a\x85b", "a\ufeffb", "ä", "\U0001f600"]
    made = [format_verifier_key(NoteKey(name, bytes(32))) for name in names[7:]]
    cases = [{"check": "key", "key": key} for key in (good, *altered, *made, *names, f"{good}\n", f" {good}")]
    agree(checker, cases, [judged(case) for case in cases])


# -- what was just made --------------------------------------------------------------------------------------------------


def judged(case: Case) -> bool:
    """Say whether the checkers in Python hold a case."""
    try:
        keys = [parse_verifier_key(key) for key in case.get("keys", [])]
        data = base64.b64decode(case.get("data", ""))
        match case["check"]:
            case "key":
                parse_verifier_key(case["key"])
            case "note":
                check_note(parse_note(data), keys)
            case "checkpoint":
                check_checkpoint(data, keys)
            case "cosigned":
                check_cosigned(parse_note(data), keys, at_least=case["at_least"])
            case "proof":
                check_proof(parse_proof(data), leaf_hash(base64.b64decode(case["entry"])), keys)
            case "dossier":
                check_dossier(json.loads(data), keys)
    except (SigningError, RecursionError, ValueError):
        return False
    return True


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Dossiers, proofs with their entries, and checkpoints of a ledger with a few entries."""
    ledger = create_ledger(f"sqlite:///{tmp_path_factory.mktemp('made') / 'ledger.db'}")
    for _ in range(3):
        append(ledger, cloud_event(change_id="CHG-1"), cloud_event(change_id="CHG-2"))
    commitments.commit_heads(ledger)
    append(ledger, cloud_event("change.opened", change_id="CHG-1", title="</script><b>\u202e"))
    keep_checkpoint(ledger, cosigned=True)
    with ledger.database.read() as connection:
        published = read_checkpoint(connection)
        proofs = [
            (str(proof_of(connection, position, published)), read_entry(connection, position).entry)
            for position in range(1, ledger.size() + 1)
        ]
    refs = ("change:CHG-1", "change:CHG-2", "change:NONE", "a:a", "zzz:z")
    dossiers = [commitments.dossier(ledger, ref, published) for ref in refs]
    ledger.close()
    return {"dossiers": dossiers, "proofs": proofs, "checkpoint": str(published.note)}


def test_proofs_just_made_hold_of_their_entry_and_of_no_other(checker: Checker, made: dict[str, Any]) -> None:
    cases, holds = [], []
    for at, (proof, _) in enumerate(made["proofs"]):
        for other, (_, entry) in enumerate(made["proofs"]):
            for key in (LOG, STRANGER):
                cases.append({"check": "proof", "data": b64(proof.encode()), "entry": b64(entry), "keys": lines(key)})
                holds.append(at == other and key is LOG)
                assert judged(cases[-1]) == holds[-1]
    agree(checker, cases, holds)


def test_a_quorum_is_counted_by_keys_and_not_by_names(checker: Checker, made: dict[str, Any]) -> None:
    text = parse_note(made["checkpoint"].encode()).text
    again = NoteKey("again.test", WITNESS_KEY.public_key, COSIGNATURE)
    none = NoteKey("none.test", ENTRY_KEY.public_key, COSIGNATURE)
    note = parse_note(made["checkpoint"].encode()).with_lines([cosign(text, again.name, WITNESS_KEY, 7)])
    forged = note.with_lines([cosign("other\n", none.name, ENTRY_KEY, 7)])
    # Half of all times are dates; the last one is over what a cosignature may say.
    late = [note.with_lines([cosign(text, none.name, ENTRY_KEY, time)]) for time in (0, 2**63 - 1, 2**63, 2**64 - 1)]
    cases = [
        {"check": "cosigned", "data": b64(str(one).encode()), "keys": lines(*keys), "at_least": count}
        for one in (note, forged, *late)
        for keys in ((), (WATCHER,), (WATCHER, again), (WATCHER, none), (LOG,), (WATCHER, WATCHER, again, none))
        for count in range(4)
    ]
    holds = [judged(case) for case in cases]
    assert 0 < sum(holds) < len(holds)
    agree(checker, cases, holds)


def damaged(document: Any, chance: random.Random) -> Any:
    """Return a document with one thing in it altered, left out, put in or moved."""
    changed = copy.deepcopy(document)
    holder = chance.choice([changed, changed["commitment"], *changed["entries"], *changed["heads"]])
    name = chance.choice(sorted(holder))
    held = holder[name]
    ways: list[Any] = [None, True, 7.0, -1, 0, 2**63, 2**70, "", "x", "\ud800", [], {}, [None], {"a": 1}]
    if isinstance(held, int):
        ways += [held + 1, held - 1, float(held), str(held)]
    elif isinstance(held, str):
        at = chance.randrange(len(held) or 1)
        ways += [held[:at], held[:at] + "A" + held[at + 1 :], held + "\n", held.replace("1", "2"), held.encode().hex()]
    elif isinstance(held, list):
        ways += [held[1:], held[:-1], held[::-1], held * 2, [*held, "AAAA"], [*held, held[:1]]]
    if chance.random() < 0.1:
        del holder[name]
    else:
        holder[name] = chance.choice(ways)
    return changed


def test_dossiers_are_judged_as_in_python_whole_and_damaged(checker: Checker, made: dict[str, Any]) -> None:
    chance = random.Random(53)
    documents = [*made["dossiers"], *(damaged(chance.choice(made["dossiers"]), chance) for _ in range(500))]
    # What holds of one put into another.
    one, other = made["dossiers"][:2]
    documents += [one | {name: other[name]} for name in one]
    texts = [json.dumps(document) for document in documents]
    texts += [
        "",
        "{}",
        "[]",
        "null",
        "{",
        '{"a":1}}',
        "[" * 5000,
        '"\\ud800"',
        texts[0] + " ",
        " " + texts[0],
        "1e400",
        "9" * 5000,
    ]
    # Of two equal keys the last one counts, here as there.
    texts += [texts[0][:-1] + ', "ref": "change:CHG-2"}', '{"ref": "change:CHG-2", ' + texts[0][1:]]
    cases = [{"check": "dossier", "data": b64(text.encode()), "keys": lines(LOG)} for text in texts]
    cases += [{"check": "dossier", "data": b64(texts[0].encode()), "keys": lines(*keys)} for keys in ((), (STRANGER,))]
    holds = [judged(case) for case in cases]
    assert holds[:5] == [True] * 5
    assert sum(holds) < 50
    agree(checker, cases, holds)


def test_it_is_made_of_its_sources_the_same_each_time() -> None:
    assert verifier.make() == verifier.make()
    assert verifier.MADE.read_text() == verifier.make(), "run scripts/docs"


def test_a_name_in_two_of_its_modules_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "one.js").write_text("export function same() {}\n")
    (tmp_path / "two.js").write_text('import { same } from "./one.js";\nconst same = 1;\n')
    monkeypatch.setattr(verifier, "SOURCES", tmp_path)
    with pytest.raises(ValueError, match="same is declared in two"):
        verifier.joined("two")
