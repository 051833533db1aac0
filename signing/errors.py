"""The one error family of this room.

A failed check is never a return value: whoever forgets to look at a result must not thereby accept a forgery.
"""


class SigningError(Exception):
    """Base of everything this room raises."""


class KeyFormatError(SigningError):
    """A key could not be read: wrong algorithm, wrong encoding, or unsafe file permissions."""


class VerificationError(SigningError):
    """A signature, hash or proof does not hold. The message says what was expected and what was found."""


class EmptyTreeError(VerificationError):
    """A checkpoint of size 0 has another root than the empty tree: there is one tree of that size."""
