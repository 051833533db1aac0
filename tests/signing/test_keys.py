"""Ed25519 keys: published vectors, key ids as other programs compute them, and files that only their owner can read."""

import base64
import hashlib
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, rsa, x25519
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import given
from hypothesis import strategies as st

from signing.errors import KeyFormatError, VerificationError
from signing.keys import SigningKey, VerifyingKey, key_id, load, load_public, save

# RFC 8032 §7.1, TEST 1, 2, 3 and SHA(abc): seed, public key, message, signature.
VECTORS = [
    (
        "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
    (
        "833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
        "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
        "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
        "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad9bef1177331a704",
    ),
]
NOT_ED25519 = {
    "RSA": lambda: rsa.generate_private_key(65537, 2048),
    "EC": lambda: ec.generate_private_key(ec.SECP256R1()),
    "Ed448": ed448.Ed448PrivateKey.generate,
    "X25519": x25519.X25519PrivateKey.generate,
    "DSA": lambda: dsa.generate_private_key(2048),
}


def pem_of(private_key: object, encryption: serialization.KeySerializationEncryption | None = None) -> bytes:
    return private_key.private_bytes(  # type: ignore[attr-defined,no-any-return]
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption or serialization.NoEncryption()
    )


@pytest.mark.parametrize(("seed", "public", "message", "signature"), VECTORS)
def test_the_published_vectors_are_made_and_accepted(seed: str, public: str, message: str, signature: str) -> None:
    key = SigningKey.from_seed(bytes.fromhex(seed))
    assert key.public_key.hex() == public
    assert key.sign(bytes.fromhex(message)).hex() == signature
    VerifyingKey(key.public_key).check(bytes.fromhex(signature), bytes.fromhex(message))


@pytest.mark.parametrize(("seed", "public", "message", "signature"), VECTORS)
def test_a_published_signature_over_another_message_is_refused(
    seed: str, public: str, message: str, signature: str
) -> None:
    with pytest.raises(VerificationError, match="not by key"):
        VerifyingKey(bytes.fromhex(public)).check(bytes.fromhex(signature), bytes.fromhex(message) + b"\x00")


def test_a_signature_whose_scalar_is_not_reduced_is_refused() -> None:
    # RFC 8032 §5.1.7: S must be below the group order, or one signature could be rewritten into another.
    order = 2**252 + 27742317777372353535851937790883648493
    _, public, message, signature = VECTORS[1]
    r, s = bytes.fromhex(signature)[:32], int.from_bytes(bytes.fromhex(signature)[32:], "little")
    with pytest.raises(VerificationError):
        VerifyingKey(bytes.fromhex(public)).check(r + (s + order).to_bytes(32, "little"), bytes.fromhex(message))


@pytest.mark.parametrize("size", [0, 63, 65])
def test_a_signature_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(VerificationError):
        VerifyingKey(bytes.fromhex(VECTORS[0][1])).check(bytes(size), b"")


@given(st.binary(min_size=32, max_size=32))
def test_a_key_id_is_the_hash_of_the_public_key_as_other_programs_encode_it(seed: bytes) -> None:
    public = Ed25519PrivateKey.from_private_bytes(seed).public_key()
    spki = public.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    key = SigningKey.from_seed(seed)
    assert key.key_id == key_id(public.public_bytes_raw()) == hashlib.sha256(spki).hexdigest()
    assert VerifyingKey(key.public_key).key_id == key.key_id


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_a_public_key_of_another_length_is_refused(size: int) -> None:
    with pytest.raises(KeyFormatError, match="32 bytes"):
        key_id(bytes(size))
    with pytest.raises(KeyFormatError, match="32 bytes"):
        VerifyingKey(bytes(size))


def test_generated_keys_differ() -> None:
    assert len({SigningKey.generate().key_id for _ in range(20)}) == 20


def test_the_private_key_does_not_show_when_it_is_printed() -> None:
    seed = b"secret-secret-secret-secret-32by"
    shown = repr(SigningKey.from_seed(seed))
    assert seed.hex() not in shown
    assert base64.b64encode(seed).decode() not in shown
    assert SigningKey.from_seed(seed).key_id[:12] in shown


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_a_key_is_saved_for_its_owner_alone_and_loads_as_it_was(tmp_path: Path, umask: int) -> None:
    path, key = tmp_path / "keys" / "entry.pem", SigningKey.generate()
    before = os.umask(umask)
    try:
        save(key, path)
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert load(path).key_id == key.key_id
    assert load(path).sign(b"m") == key.sign(b"m")


def test_a_saved_key_is_pkcs8_that_others_read(tmp_path: Path) -> None:
    key = SigningKey.generate()
    save(key, tmp_path / "k.pem")
    read = serialization.load_pem_private_key((tmp_path / "k.pem").read_bytes(), None)
    assert isinstance(read, Ed25519PrivateKey)
    assert read.public_key() == Ed25519PublicKey.from_public_bytes(key.public_key)


def test_saving_over_a_key_is_refused_and_leaves_it_as_it_was(tmp_path: Path) -> None:
    path, first = tmp_path / "k.pem", SigningKey.generate()
    save(first, path)
    with pytest.raises(FileExistsError):
        save(SigningKey.generate(), path)
    assert load(path).key_id == first.key_id


def test_saving_through_a_link_that_leads_nowhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "k.pem").symlink_to(tmp_path / "elsewhere.pem")
    with pytest.raises(FileExistsError):
        save(SigningKey.generate(), tmp_path / "k.pem")
    assert not (tmp_path / "elsewhere.pem").exists()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o666, 0o644])
def test_a_key_file_that_is_open_to_others_is_refused(tmp_path: Path, mode: int) -> None:
    save(SigningKey.generate(), tmp_path / "k.pem")
    (tmp_path / "k.pem").chmod(mode)
    with pytest.raises(KeyFormatError, match=f"{mode:04o}.*chmod 600"):
        load(tmp_path / "k.pem")


def test_a_key_file_that_only_its_owner_may_read_loads_whether_writable_or_not(tmp_path: Path) -> None:
    save(SigningKey.generate(), tmp_path / "k.pem")
    (tmp_path / "k.pem").chmod(0o400)
    load(tmp_path / "k.pem")


@pytest.mark.parametrize("read", [load, load_public])
def test_a_file_without_end_is_no_key(read: Callable[[Path], object]) -> None:
    with pytest.raises(KeyFormatError):
        read(Path("/dev/zero"))


def test_a_missing_key_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(KeyFormatError, match=r"nowhere\.pem"):
        load(tmp_path / "nowhere.pem")


@pytest.mark.parametrize("kind", NOT_ED25519)
def test_a_private_key_of_another_algorithm_is_refused(kind: str) -> None:
    with pytest.raises(KeyFormatError, match="expected an Ed25519 private key"):
        SigningKey.from_pem(pem_of(NOT_ED25519[kind]()))


def test_an_encrypted_private_key_is_refused() -> None:
    pem = pem_of(Ed25519PrivateKey.generate(), serialization.BestAvailableEncryption(b"password"))
    with pytest.raises(KeyFormatError, match="unencrypted"):
        SigningKey.from_pem(pem)


def test_a_public_key_is_no_private_key() -> None:
    public = Ed25519PrivateKey.generate().public_key()
    pem = public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(KeyFormatError):
        SigningKey.from_pem(pem)


def test_a_private_key_of_an_algorithm_that_nobody_knows_is_refused() -> None:
    # RFC 8410's PKCS#8 with the object identifier 1.3.101.127, which is nobody's.
    der = bytes.fromhex("302e020100300506032b657f04220420") + bytes(32)
    pem = b"-----BEGIN PRIVATE KEY-----\n" + base64.encodebytes(der) + b"-----END PRIVATE KEY-----\n"
    with pytest.raises(KeyFormatError):
        SigningKey.from_pem(pem)


@given(st.binary(max_size=200))
def test_bytes_that_are_no_key_are_refused(data: bytes) -> None:
    with pytest.raises(KeyFormatError):
        SigningKey.from_pem(data)
