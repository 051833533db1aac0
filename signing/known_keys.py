"""Public keys that nobody may be known by, because everybody can sign with them.

Not a list of all weak keys: those whose private half stands in a published text that people copy from, and those of small
order, for which anybody makes a signature that verifies.
"""

from typing import Final

# Each was computed again from the private half that the text prints.
_PUBLISHED: Final = {
    bytes.fromhex(public_key): where
    for public_key, where in (
        (
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "RFC 8032 §7.1, test 1, and in our examples",
        ),
        (
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "RFC 8032 §7.1, test 2, and in our examples",
        ),
        ("fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "RFC 8032 §7.1, test 3"),
        ("278117fc144c72340f67d0f2316e8386ceffbf2b2428c9c51fef7c597f1d426e", "RFC 8032 §7.1, test 1024"),
        ("ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf", "RFC 8032 §7.1, test SHA(abc)"),
        ("dfc9425e4f968f7f0c29f0259cf5f9aed6851c2bb4ad8bfb860cfee0ab248292", "RFC 8032 §7.2"),
        ("0f1d1274943b91415889152e893d80e93275a1fc0b65fd71b4b0dda10ad7d772", "RFC 8032 §7.2"),
        ("974d96a22d224bc01adb915091477d44ccd91c9a41a11430010117d52c59240e", "RFC 8080 §6.1"),
        ("ccf9d9fd0c047bb4bc0b948fcf639f4b9451e34013936feb62713dc472048a3b", "RFC 8080 §6.1"),
        ("19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1", "RFC 8410 §10.3"),
        ("26b40b8f93fff3d897112f7ebc582b232dbd72517d082fe83cfb30ddce43d1bb", "RFC 9421 §B.1.4"),
        ("3f098994bdd916ed4053197934e4a87c80733a1280d62f8010992e43ee3b2406", "RFC 9580 §A.1"),
        ("f94da7bb48d60a61e567706a6587d0331999bb9d891a08242ead84543df895a3", "RFC 9580 §A.3"),
        ("3b6a27bcceb6a42d62a3a8d02a6f0d73653215771de243a63ac048a18b59da29", "many tests: its seed is 32 zeros"),
        ("76a1592044a6e4f511265bca73a604d90b0529d1df602be30a19a9257660d1f5", "many tests: its seed is 32 times ff"),
        (
            "03a107bff3ce10be1d70dd18e74bc09967e4d6309ba50d5f1ddc8664125531b8",
            "many tests: its seed counts from 0 to 31",
        ),
    )
}
# The y coordinates, in any encoding, of the eight points of small order of edwards25519; the sign bit is left out.
_SMALL_ORDER: Final = frozenset(
    bytes.fromhex(y)
    for y in (
        "0000000000000000000000000000000000000000000000000000000000000000",
        "0100000000000000000000000000000000000000000000000000000000000000",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    )
)


def why_anybody_signs(public_key: bytes) -> str | None:
    """Say why everybody can sign with a raw Ed25519 public key, or None when nobody is known to."""
    if (where := _PUBLISHED.get(public_key)) is not None:
        return f"its private half is published in {where}"
    if public_key[:31] + bytes([public_key[31] & 0x7F]) in _SMALL_ORDER:
        return "it is a point of small order, for which anybody makes signatures"
    return None
