"""The keyring: which key may vouch for which position."""

import pickle

import pytest

from signing.errors import SigningError, VerificationError
from signing.keyring import Keyring
from signing.keys import SigningKey

FIRST = SigningKey.from_seed(b"1" * 32)
SECOND = SigningKey.from_seed(b"2" * 32)
THIRD = SigningKey.from_seed(b"3" * 32)


def ring(*enrolled: tuple[SigningKey, int]) -> Keyring:
    keyring = Keyring()
    for key, valid_from in enrolled:
        keyring.enrol(public_key=key.public_key, role="entry", name="ledger", valid_from=valid_from)
    return keyring


def faults(keyring: Keyring, key: SigningKey, *positions: int) -> list[str | None]:
    return [keyring.find("entry", key.key_id).fault_at(position) for position in positions]


def valid(keyring: Keyring, position: int) -> list[str]:
    return [record.key_id for record in keyring.valid_at("entry", position)]


def test_a_key_is_valid_from_its_position_on_without_end() -> None:
    assert faults(ring((FIRST, 5)), FIRST, 1, 4, 5, 6, 2**53) == ["key-not-valid", "key-not-valid", None, None, None]


def test_a_retired_key_stays_good_for_what_it_signed() -> None:
    keyring = ring((FIRST, 5))
    keyring.retire("entry", FIRST.key_id, last_position=9)
    assert faults(keyring, FIRST, 4, 5, 9, 10) == ["key-not-valid", None, None, "key-not-valid"]


def test_a_key_that_is_retired_again_does_not_come_back_to_life() -> None:
    keyring = ring((FIRST, 1))
    keyring.retire("entry", FIRST.key_id, last_position=9)
    keyring.retire("entry", FIRST.key_id, last_position=20)
    assert faults(keyring, FIRST, 9, 10, 20) == [None, "key-not-valid", "key-not-valid"]


def test_two_keys_are_valid_while_one_takes_over_from_the_other() -> None:
    keyring = ring((FIRST, 1), (SECOND, 11))
    keyring.retire("entry", FIRST.key_id, last_position=20)
    assert [valid(keyring, p) for p in (10, 11, 20, 21)] == [
        [FIRST.key_id],
        [FIRST.key_id, SECOND.key_id],
        [FIRST.key_id, SECOND.key_id],
        [SECOND.key_id],
    ]


def test_revocation_reaches_back() -> None:
    keyring = ring((FIRST, 1))
    keyring.revoke("entry", FIRST.key_id, from_position=7, at=8)
    # What it signed before the revocation was recorded stands, and is not believed; afterwards it may not sign.
    assert faults(keyring, FIRST, 6, 7, 8, 9, 1000) == [None, None, None, "key-revoked", "key-revoked"]
    assert [keyring.find("entry", FIRST.key_id).distrusted_at(p) for p in (6, 7, 8, 1000)] == [False, True, True, True]


def test_a_second_revocation_may_reach_further_back_but_never_less_far() -> None:
    keyring = ring((FIRST, 1))
    keyring.revoke("entry", FIRST.key_id, from_position=7, at=10)
    keyring.revoke("entry", FIRST.key_id, from_position=3, at=20)
    keyring.revoke("entry", FIRST.key_id, from_position=50, at=60)
    record = keyring.find("entry", FIRST.key_id)
    assert [record.distrusted_at(position) for position in (2, 3, 7, 50)] == [False, True, True, True]
    assert faults(keyring, FIRST, 10, 11, 60) == [None, "key-revoked", "key-revoked"]


def test_revocation_is_said_rather_than_retirement_where_both_hold() -> None:
    keyring = ring((FIRST, 1))
    keyring.retire("entry", FIRST.key_id, last_position=9)
    keyring.revoke("entry", FIRST.key_id, from_position=7, at=9)
    assert faults(keyring, FIRST, 6, 9, 10) == [None, None, "key-revoked"]


def test_a_revoked_key_is_not_made_valid_by_retiring_it() -> None:
    keyring = ring((FIRST, 1))
    keyring.revoke("entry", FIRST.key_id, from_position=7, at=7)
    keyring.retire("entry", FIRST.key_id, last_position=100)
    assert faults(keyring, FIRST, 8, 50) == ["key-revoked", "key-revoked"]


def test_a_key_is_enrolled_once_per_role() -> None:
    keyring = ring((FIRST, 1))
    with pytest.raises(VerificationError, match="already enrolled as entry"):
        keyring.enrol(public_key=FIRST.public_key, role="entry", name="again", valid_from=9)
    assert keyring.find("entry", FIRST.key_id).valid_from == 1
    keyring.enrol(public_key=FIRST.public_key, role="producer", name="another role", valid_from=9)
    assert keyring.find("producer", FIRST.key_id).valid_from == 9


def test_a_revoked_key_cannot_be_enrolled_again() -> None:
    keyring = ring((FIRST, 1))
    keyring.revoke("entry", FIRST.key_id, from_position=2, at=9)
    with pytest.raises(VerificationError, match="already enrolled"):
        keyring.enrol(public_key=FIRST.public_key, role="entry", name="again", valid_from=9)


def test_what_is_no_ed25519_key_cannot_be_enrolled() -> None:
    with pytest.raises(SigningError):
        Keyring().enrol(public_key=bytes(31), role="entry", name="short", valid_from=1)


def test_roles_do_not_mix() -> None:
    keyring = ring((FIRST, 1))
    keyring.enrol(public_key=SECOND.public_key, role="checkpoint", name="ledger", valid_from=1)
    keyring.enrol(public_key=FIRST.public_key, role="checkpoint", name="ledger", valid_from=1)
    keyring.revoke("checkpoint", FIRST.key_id, from_position=1, at=0)
    assert valid(keyring, 1) == [FIRST.key_id]
    assert [r.key_id for r in keyring.valid_at("checkpoint", 1)] == [SECOND.key_id]
    with pytest.raises(VerificationError, match="no entry key"):
        keyring.find("entry", SECOND.key_id)


def test_key_numbers_are_the_order_of_enrolment_and_do_not_move() -> None:
    keyring = ring((SECOND, 1), (FIRST, 5), (THIRD, 9))
    numbers = [SECOND.key_id, FIRST.key_id, THIRD.key_id]
    assert [r.key_id for r in keyring.numbered("entry")] == numbers
    keyring.retire("entry", FIRST.key_id, last_position=6)
    keyring.revoke("entry", SECOND.key_id, from_position=2, at=9)
    assert [r.key_id for r in keyring.numbered("entry")] == numbers


def test_an_unknown_key_is_an_error_and_never_an_empty_answer() -> None:
    keyring = ring((FIRST, 1))
    for ask in (
        lambda: keyring.find("entry", THIRD.key_id),
        lambda: keyring.retire("entry", THIRD.key_id, last_position=2),
        lambda: keyring.revoke("entry", THIRD.key_id, from_position=2, at=9),
        lambda: keyring.find("checkpoint", FIRST.key_id),
    ):
        with pytest.raises(VerificationError, match="is enrolled"):
            ask()


def test_a_keyring_crosses_into_another_process_and_verifies_there() -> None:
    keyring = ring((FIRST, 1), (SECOND, 2))
    record = keyring.find("entry", FIRST.key_id)
    keyring.verifying_key(record).check(FIRST.sign(b"m"), b"m")
    again = pickle.loads(pickle.dumps(keyring))
    assert again.numbered("entry") == keyring.numbered("entry")
    again.verifying_key(record).check(FIRST.sign(b"m"), b"m")
    with pytest.raises(VerificationError):
        again.verifying_key(record).check(SECOND.sign(b"m"), b"m")
