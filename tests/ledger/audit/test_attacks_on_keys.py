"""Attacks on keys: enrolled by somebody who does not hold them, published, of two roles, recovered without leave; and the way back."""

import base64
import contextlib
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ledgers import CHECKPOINT_KEY, ENTRY_KEY, ORIGIN, append, cloud_event, create_ledger, keep_checkpoint, possession

from ledger.audit.log_files import Directory
from ledger.audit.of_database import audit_database
from ledger.audit.of_files import audit_files
from ledger.audit.report import Pin, Report
from ledger.authority import RECOVERED
from ledger.errors import KeyNotValidError, LedgerStoppedError, SetupError, StatementError
from ledger.ledger import Ledger
from ledger.log.database import Database
from ledger.log.reading import read_entry
from ledger.published.export import export
from ledger.stewardship.keys import enrol_key, retire_key, revoke_key
from ledger.stewardship.recovery import recover
from signing import dsse
from signing.errors import VerificationError
from signing.keys import SigningKey, VerifyingKey
from signing.known_keys import _PUBLISHED, _SMALL_ORDER, why_anybody_signs
from signing.merkle import leaf_hash
from signing.possession import (
    POSSESSION_PAYLOAD_TYPE,
    check_possession,
    endorse_recovery,
    possession_body,
    prove_possession,
    recovery_body,
)

NEW, OTHER, THIEF = (SigningKey.from_seed(seed * 32) for seed in (b"n", b"o", b"t"))
# RFC 8032 §7.1, test 1: anybody can sign with it.
RFC = SigningKey.from_seed(bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60"))
ROOT = "person:root"
Make = Callable[[], Ledger]


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture
def ledger(url: str) -> Iterator[Ledger]:
    """A ledger whose genesis carries a proof, so that every enrolment needs one."""
    made = create_ledger(url, checkpoint_possession=prove_possession(CHECKPOINT_KEY, ORIGIN, "checkpoint"))
    append(made, *[cloud_event() for _ in range(3)])
    yield made
    made.close()


@pytest.fixture
def old(url: str) -> Iterator[Ledger]:
    """A ledger as it was made before keys had to prove anything."""
    made = create_ledger(url)
    yield made
    made.close()


def audit(url: str, *recovered: str, pinned: bool = True) -> Report:
    database = Database(url)
    with database.read() as connection:
        genesis = leaf_hash(read_entry(connection, 1).entry)
    pin = Pin(genesis=genesis, recovered=frozenset(recovered)) if pinned else None
    try:
        return audit_database(database, pin=pin, workers=1)
    finally:
        database.close()


def kinds(url: str) -> list[tuple[int, str]]:
    return [(fault.position, fault.kind) for fault in audit(url).faults]


def enrolled(key: SigningKey, role: str = "entry", **more: Any) -> dict[str, Any]:
    return {"actor": ROOT, "role": role, "name": "x", "public_key": key.public_key.hex(), **more}


def proved(key: SigningKey, role: str = "entry") -> dict[str, Any]:
    return enrolled(key, role, possession=possession(key, role))


# -- enrolling -----------------------------------------------------------------------------------------------------------


def test_a_key_is_enrolled_with_a_signature_by_itself_and_is_usable(ledger: Ledger, url: str) -> None:
    enrol_key(ledger, NEW.public_key, role="entry", name="two", possession=possession(NEW, "entry"), actor=ROOT)
    retire_key(ledger, ENTRY_KEY.key_id, role="entry", actor=ROOT)
    second = Ledger.open(Database(url), NEW)
    append(second, cloud_event())
    second.close()
    assert audit(url).verdict == "sound"


@pytest.mark.parametrize(
    "wrong",
    [
        None,
        possession(OTHER, "entry"),
        possession(NEW, "checkpoint"),
        possession(NEW, "entry", "ledger.test/two"),
        base64.b64encode(NEW.sign(possession_body(ORIGIN, "entry"))).decode(),
        base64.b64encode(dsse.sign(NEW, "text/plain", possession_body(ORIGIN, "entry"))).decode(),
    ],
    ids=["none", "another key's", "another role's", "another ledger's", "without DSSE", "of another payload type"],
)
def test_whoever_does_not_hold_a_key_does_not_enrol_it_and_is_told_what_to_sign(
    ledger: Ledger, wrong: str | None
) -> None:
    size = ledger.size()
    with pytest.raises(StatementError) as refused:
        enrol_key(ledger, NEW.public_key, role="entry", name="two", possession=wrong, actor=ROOT)
    assert refused.value.place == "/possession"
    said = str(refused.value)
    assert POSSESSION_PAYLOAD_TYPE in said
    assert possession_body(ORIGIN, "entry").decode() in said
    assert f"change-ledger keys prove entry KEY.pem --origin {ORIGIN}" in said
    # The bytes to be signed stand there as they are.
    exact = said[said.index("DSSEv1 ") : said.index("; change-ledger keys prove")].encode()
    VerifyingKey(NEW.public_key).check(prove_possession(NEW, ORIGIN, "entry"), exact)
    assert ledger.size() == size


def test_a_witness_signs_no_challenge(ledger: Ledger, url: str) -> None:
    with pytest.raises(StatementError, match="signs no challenge"):
        enrol_key(ledger, NEW.public_key, role="witness", name="w", possession=possession(NEW, "entry"), actor=ROOT)
    enrol_key(ledger, NEW.public_key, role="witness", name="w", actor=ROOT)
    assert audit(url).verdict == "sound"


@pytest.mark.parametrize("roles", list(itertools.permutations(("entry", "checkpoint", "producer", "witness"), 2)))
def test_a_key_has_one_role(ledger: Ledger, roles: tuple[str, str]) -> None:
    def enrol(role: str) -> None:
        enrol_key(
            ledger,
            NEW.public_key,
            role=role,
            name="x",
            sources=["https://ci.example.com/*"] if role == "producer" else [],
            possession=None if role == "witness" else possession(NEW, role),
            actor=ROOT,
        )

    enrol(roles[0])
    with pytest.raises(StatementError, match=f"enrolled as {roles[0]} already"):
        enrol(roles[1])


@pytest.mark.parametrize("role", ["entry", "checkpoint", "producer", "witness"])
def test_a_published_key_is_refused_in_every_role(ledger: Ledger, role: str) -> None:
    size = ledger.size()
    proof = None if role == "witness" else possession(RFC, role)
    sources = ["https://ci.example.com/*"] if role == "producer" else []
    with pytest.raises(StatementError, match=r"anybody can sign .* RFC 8032") as refused:
        enrol_key(ledger, RFC.public_key, role=role, name="x", sources=sources, possession=proof, actor=ROOT)
    assert (refused.value.place, ledger.size()) == ("/public_key", size)


def test_anybody_signs_for_a_point_of_small_order_so_it_is_refused(ledger: Ledger) -> None:
    accepted = 0
    for y, sign in itertools.product(sorted(_SMALL_ORDER), (0, 0x80)):
        public_key = y[:31] + bytes([y[31] | sign])
        assert why_anybody_signs(public_key)
        for r in (y for y in _SMALL_ORDER):
            try:
                check_possession(public_key, ORIGIN, "entry", r + bytes(32))
                accepted += 1
            except VerificationError:
                continue
        with pytest.raises(StatementError, match="small order"):
            enrol_key(ledger, public_key, role="entry", name="x", possession=possession(NEW, "entry"), actor=ROOT)
    assert accepted, "a signature that nobody's key made verifies: that is why"


def test_every_published_key_is_one(ledger: Ledger) -> None:
    assert len(_PUBLISHED) >= 16
    assert why_anybody_signs(RFC.public_key)
    assert why_anybody_signs(NEW.public_key) is None


# -- who writes past the doors ---------------------------------------------------------------------------------------


def test_a_key_enrolled_without_a_proof_is_found_and_vouches_for_nothing(ledger: Ledger, url: str) -> None:
    position = ledger.state("ledger.key_enrolled", enrolled(THIEF)).position
    assert kinds(url) == [(position, "enrolment-wrong")]
    with pytest.raises(KeyNotValidError):
        Ledger.open(Database(url), THIEF)


@pytest.mark.parametrize(
    "data",
    [
        enrolled(THIEF, possession=possession(NEW, "entry")),
        enrolled(THIEF, possession=possession(THIEF, "checkpoint")),
        enrolled(THIEF, "witness", possession=possession(THIEF, "entry")),
        proved(RFC),
        enrolled(RFC, "witness"),
        proved(ENTRY_KEY, "checkpoint"),
        enrolled(CHECKPOINT_KEY, "witness"),
    ],
    ids=[
        "another's proof",
        "for another role",
        "of a witness",
        "published",
        "published witness",
        "two roles",
        "a witness too",
    ],
)
def test_a_wrong_enrolment_is_found_in_database_and_files(
    ledger: Ledger, url: str, tmp_path: Path, data: dict[str, Any]
) -> None:
    position = ledger.state("ledger.key_enrolled", data).position
    assert kinds(url) == [(position, "enrolment-wrong")]
    keep_checkpoint(ledger)
    export(ledger.database, tmp_path / "export")
    report = audit_files(Directory(tmp_path / "export"), workers=1)
    assert [(fault.position, fault.kind) for fault in report.faults] == [(position, "enrolment-wrong")]


def test_enrolments_of_before_are_no_fault_up_to_the_first_with_a_proof(old: Ledger, url: str) -> None:
    old.state("ledger.key_enrolled", enrolled(OTHER))
    old.state("ledger.key_enrolled", enrolled(OTHER, "checkpoint"))
    old.state("ledger.key_enrolled", enrolled(RFC))
    assert audit(url).verdict == "sound"
    enrol_key(old, NEW.public_key, role="entry", name="two", possession=possession(NEW, "entry"), actor=ROOT)
    assert audit(url).verdict == "sound"
    position = old.state("ledger.key_enrolled", enrolled(THIEF)).position
    assert kinds(url) == [(position, "enrolment-wrong")]


# -- ending --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("role", "key"), [("entry", ENTRY_KEY), ("checkpoint", CHECKPOINT_KEY)])
def test_the_last_usable_key_stays_whatever_else_is_enrolled(old: Ledger, role: str, key: SigningKey) -> None:
    # As it was before proofs: one that nobody has shown, and one that everybody has.
    old.state("ledger.key_enrolled", enrolled(OTHER, role))
    old.state("ledger.key_enrolled", proved(RFC, role) if role == "entry" else enrolled(RFC, role))
    for end in (
        lambda: retire_key(old, key.key_id, role=role, actor=ROOT),
        lambda: revoke_key(old, key.key_id, role=role, from_position=1, reason="x", actor=ROOT),
    ):
        with pytest.raises(KeyNotValidError, match="known to hold"):
            end()
    retire_key(old, OTHER.key_id, role=role, actor=ROOT)
    enrol_key(old, NEW.public_key, role=role, name="two", possession=possession(NEW, role), actor=ROOT)
    retire_key(old, key.key_id, role=role, actor=ROOT)


def test_a_key_of_before_counts_once_it_has_signed(old: Ledger, url: str) -> None:
    old.state("ledger.key_enrolled", enrolled(OTHER))
    second = Ledger.open(Database(url), OTHER)
    append(second, cloud_event())
    second.close()
    retire_key(old, ENTRY_KEY.key_id, role="entry", actor=ROOT)
    assert audit(url).verdict == "sound"


# -- the way back ----------------------------------------------------------------------------------------------------------


def ended(ledger: Ledger) -> None:
    """End the last entry key, as a ledger's state was when that could be done."""
    ledger.state(
        "ledger.key_revoked",
        {"actor": ROOT, "role": "entry", "key_id": ENTRY_KEY.key_id, "from_position": 1, "reason": "x"},
    )


def recovered(url: str, key: SigningKey = NEW, checkpoint_key: SigningKey = CHECKPOINT_KEY, **more: Any) -> int:
    return recover(Database(url), key, checkpoint_key, actor=ROOT, reason="lost", **more).position


def test_a_ledger_without_a_valid_entry_key_is_recovered_and_is_sound_once_the_pin_accepts_it(
    ledger: Ledger, url: str, tmp_path: Path
) -> None:
    ended(ledger)
    with pytest.raises(KeyNotValidError, match="keys recover"):
        append(ledger, cloud_event())
    position = recovered(url)
    again = Ledger.open(Database(url), NEW)
    append(again, cloud_event())
    keep_checkpoint(again)
    export(again.database, tmp_path / "export")
    again.close()
    report = audit(url)
    assert (report.verdict, report.exit_status, report.faults) == ("consistent", 3, ())
    assert report.unaccepted == (NEW.key_id,)
    assert any(f"position {position}" in note and NEW.key_id in note for note in report.notes)
    assert audit(url, OTHER.key_id).verdict == "consistent"
    assert audit(url, NEW.key_id).verdict == "sound"
    assert audit(url, pinned=False).exit_status == 3
    for accepted, verdict in ((frozenset[str](), "consistent"), (frozenset([NEW.key_id]), "sound")):
        pin = Pin(genesis=report.genesis, recovered=accepted)
        assert audit_files(Directory(tmp_path / "export"), pin=pin, workers=1).verdict == verdict
    # It goes on as any other: enrolling, rotating.
    again = Ledger.open(Database(url), NEW)
    enrol_key(again, OTHER.public_key, role="entry", name="o", possession=possession(OTHER, "entry"), actor=ROOT)
    again.close()
    assert audit(url, NEW.key_id).verdict == "sound"


def test_a_lost_key_that_is_valid_still_is_ended_by_the_recovery_alone(ledger: Ledger, url: str) -> None:
    with pytest.raises(KeyNotValidError, match="--end-others"):
        recovered(url)
    position = recovered(url, end_others=True)
    assert audit(url, NEW.key_id).verdict == "sound"
    # Whoever found the lost key signs nothing more.
    with pytest.raises(KeyNotValidError):
        append(ledger, cloud_event())
    assert ledger.current_authority().keyring.find("entry", ENTRY_KEY.key_id).valid_until == position - 1


def test_only_a_valid_checkpoint_key_lets_a_key_in(ledger: Ledger, url: str) -> None:
    ended(ledger)
    size = ledger.size()
    for key in (THIEF, NEW, ENTRY_KEY):
        with pytest.raises(KeyNotValidError, match="init --predecessor"):
            recovered(url, checkpoint_key=key)
    for key, words in ((RFC, "anybody can sign"), (ENTRY_KEY, "enrolled as entry already")):
        with pytest.raises(SetupError, match=words):
            recovered(url, key)
    assert ledger.size() == size


def forged_recovery(url: str, key: SigningKey, **changed: Any) -> int:
    """Write a recovery as somebody does who has the database and a fresh key, past all doors."""
    thief = Ledger.prepare(Database(url), key)
    with thief.database.read() as connection:
        size = thief.size()
        last_entry = read_entry(connection, size).leaf_hash.hex()
    valid = [record.key_id for record in thief.authority.keyring.valid_at("entry", size + 1)]
    signer = changed.pop("signer", CHECKPOINT_KEY)
    said = {"origin": ORIGIN, "public_key": key.public_key, "last_entry": last_entry, "ended": valid}
    body = recovery_body(**said | changed.pop("endorsed", {}))
    data = {
        "actor": ROOT,
        "name": "x",
        "public_key": key.public_key.hex(),
        "last_entry": last_entry,
        "ended": valid,
        "checkpoint_key": CHECKPOINT_KEY.key_id,
        "endorsement": base64.b64encode(endorse_recovery(signer, body)).decode(),
        "reason": "x",
    }
    # It is in the log, and the process that wrote it does not believe it.
    with contextlib.suppress(LedgerStoppedError):
        thief.state(RECOVERED, data | changed)
    thief.close()
    return size + 1


@pytest.mark.parametrize(
    "changed",
    [
        {"signer": THIEF},
        {"signer": ENTRY_KEY},
        {"signer": THIEF, "checkpoint_key": THIEF.key_id},
        {"endorsed": {"origin": "ledger.test/two"}},
        {"endorsed": {"public_key": OTHER.public_key}},
        {"endorsed": {"last_entry": "0" * 64}},
        {"endorsed": {"last_entry": "0" * 64}, "last_entry": "0" * 64},
        {"endorsed": {"ended": []}},
        {"endorsed": {"ended": []}, "ended": []},
        {"endorsed": {"ended": [OTHER.key_id]}, "ended": [OTHER.key_id]},
    ],
    ids=str,
)
def test_a_key_recovered_without_leave_of_the_checkpoint_key_is_found(
    ledger: Ledger, url: str, changed: dict[str, Any]
) -> None:
    position = forged_recovery(url, THIEF, **changed)
    report = audit(url, THIEF.key_id)
    assert report.exit_status == 1
    assert (position, "recovery-wrong") in {(fault.position, fault.kind) for fault in report.faults}
    with pytest.raises(LedgerStoppedError):
        Ledger.open(Database(url), THIEF)


def test_a_revoked_checkpoint_key_lets_nobody_in(ledger: Ledger, url: str) -> None:
    enrol_key(
        ledger, OTHER.public_key, role="checkpoint", name="x", possession=possession(OTHER, "checkpoint"), actor=ROOT
    )
    revoke_key(ledger, CHECKPOINT_KEY.key_id, role="checkpoint", from_position=1, reason="leaked", actor=ROOT)
    position = forged_recovery(url, THIEF)
    assert (position, "recovery-wrong") in kinds(url)


def test_a_recovery_in_another_history_is_found(ledger: Ledger, url: str) -> None:
    """The endorsement names the entry before: it lets nobody into another history, whoever holds an old entry key."""
    ended(ledger)
    recovered(url)
    with ledger.database.read() as connection:
        said = read_entry(connection, ledger.size()).statement["data"]
    other = f"{url}.other"
    second = create_ledger(other)
    append(second, *[cloud_event() for _ in range(3)])
    ended(second)
    second.close()
    position = forged_recovery(
        other, NEW, **{name: said[name] for name in ("last_entry", "endorsement", "ended") if name in said}
    )
    assert (position, "recovery-wrong") in kinds(other)


def test_an_operators_token_alone_ends_no_ledger(ledger: Ledger, url: str) -> None:
    """V1 with a key that the thief holds: he may end the real one, and its holder comes back by the checkpoint key."""
    enrol_key(ledger, THIEF.public_key, role="entry", name="x", possession=possession(THIEF, "entry"), actor=ROOT)
    revoke_key(ledger, ENTRY_KEY.key_id, role="entry", from_position=1, reason="x", actor=ROOT)
    recovered(url, end_others=True)
    with pytest.raises(KeyNotValidError):
        Ledger.open(Database(url), THIEF)
    again = Ledger.open(Database(url), NEW)
    append(again, cloud_event())
    again.close()
    assert audit(url, NEW.key_id).verdict == "sound"
