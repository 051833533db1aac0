"""What an outside format is: how its bodies are authenticated, what they become, and samples of both.

A *file* is a format that nobody sends: somebody posts it, and says in the URL what it cannot say (`asks`). It may hold what must not be
kept: `redactor` cuts that out before anything else happens, and what it cannot read is not kept at all. A message may have a redactor, too:
it is translated as it came, and kept as the redactor left it.

A format is one file that ends with `FORMAT = Format(…)`, and one name in `api.intake.FORMATS`. Routes, roles, secrets,
doors of sources, the description of the API, the pages about intake and the tests of all formats are read off it. For example,
a body by token:

    FORMAT = Format(
        "tower", "Tower notes", "Notes of the control tower.", translate,
        samples=(Sample("note", {"note": "landed"}, becomes=("incident.detected",)),),
    )
"""

import hashlib
import hmac
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from api.intake.context import KNOWN, Context
from api.intake.translation import Headers, Translation
from ledger.errors import SetupError, UnauthenticatedError
from ledger.events import CATALOGUE
from signing.dsse import Envelope

JSON: Final = "application/json"
# What an authentic body becomes that no translator understands.
UNMAPPED: Final = "intake.unmapped"
# What stands in samples of files wherever their tools may write a secret: of none of them it is kept anywhere.
HIDDEN: Final = "hunter2"
_is_name = re.compile(r"[a-z][a-z0-9-]{0,31}").fullmatch


@dataclass(frozen=True)
class HmacHeader:
    """A header with the HMAC-SHA256 of the raw body under a secret that is shared with the sender, in lower-case hex."""

    name: str
    prefix: str = "sha256="

    def check_signed(self, headers: Headers) -> None:
        """Raise UnauthenticatedError unless there is a signature to check: asked before a byte of the body is read."""
        found = headers.get(self.name.lower(), "")
        if not re.fullmatch(re.escape(self.prefix) + "[0-9a-f]{64}", found):
            raise UnauthenticatedError(
                f"expected the header {self.name}: {self.prefix}<64 hex digits>, found {found or 'none'}"[:200]
            )

    def sign(self, secret: str, body: bytes) -> str:
        """Return what the header says of a body."""
        return self.prefix + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()

    def check(self, secret: str, body: bytes, headers: Headers) -> None:
        """Raise UnauthenticatedError unless the header carries the HMAC of the raw body under `secret`."""
        found = headers.get(self.name.lower(), "")
        if not hmac.compare_digest(self.sign(secret, body).encode(), found.encode()):
            raise UnauthenticatedError(f"the header {self.name} is not the HMAC of this body under the shared secret")


@dataclass(frozen=True)
class Sample:
    """A small body of our own, of a kind that the sender names, and the types of the entries that it becomes.

    Names of headers are in lower case. A sample that becomes nothing is answered and not recorded, as a ping is. Of a file, `context`
    is what is said beside it, and `hunter2` stands wherever its tools may write a secret.
    """

    kind: str
    body: dict[str, Any] | str
    becomes: tuple[str, ...]
    headers: Mapping[str, str] = field(default_factory=dict)
    context: Mapping[str, str] = field(default_factory=dict)

    @property
    def content(self) -> bytes:
        """The body as it is sent."""
        return (self.body if isinstance(self.body, str) else json.dumps(self.body)).encode()

    @property
    def is_understood(self) -> bool:
        """Say whether facts come of it."""
        return not set(self.becomes) <= {UNMAPPED}


def _json(_: bytes) -> str:
    return JSON


def _no(_: Headers) -> bool:
    return False


@dataclass(frozen=True)
class Redactor:
    """What cuts out of a body that which must not be kept: secrets, and what may hold them. Another cut is another version.

    `cut` is pure, and raises ForeignError for what it cannot read.
    """

    version: int
    cut: Callable[[bytes], bytes]


@dataclass(frozen=True)
class Enveloped:
    """One statement of a file, by the SHA-256 of its payload: the envelope that it came in, if any, and who speaks in it, if it says."""

    payload_sha256: str
    envelope: Envelope | None
    speaker: str | None


@dataclass(frozen=True)
class Envelopes:
    """Of a file that is signed: how its envelopes are read, in the order of its statements, and the types of what signed ones become.

    `read` is pure, and raises ForeignError for what it cannot read.
    """

    read: Callable[[bytes], Sequence[Enveloped]]
    become: tuple[str, ...]


@dataclass(frozen=True)
class Format:
    """An outside format. Raises SetupError for one that could not be served.

    `translate` takes what came beside a body, and the body. Of a message that is its headers; of a file its context and the digest of
    the file as it came (`Context.beside`), and the body is what the redactor left. `asks` and `needs` are what a file's context may and
    must say. `signature` is the header that authenticates a body; without one, the sender shows a token. `translate` is pure.
    A body by token needs one of `media_types`, or headers that `untyped` lets stand in for one; of a signed body the
    type proves nothing, and is not asked. `kept_as` says under which media type a body is kept as evidence.
    Where a file has `envelopes`, sources may be enrolled with the keys that sign them.
    """

    name: str
    title: str
    about: str
    translate: Callable[[Headers, bytes], Translation]
    samples: tuple[Sample, ...]
    signature: HmacHeader | None = None
    media_types: tuple[str, ...] = (JSON,)
    untyped: Callable[[Headers], bool] = _no
    kept_as: Callable[[bytes], str] = _json
    asks: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    redactor: Redactor | None = None
    envelopes: Envelopes | None = None

    def __post_init__(self) -> None:
        if not _is_name(self.name) or self.name == "events":
            raise SetupError(f"expected a format's name in lower-case letters, digits and -, found {self.name!r}")
        if not self.samples or not self.media_types:
            raise SetupError(f"the format {self.name} has no samples, or no media types: nobody can tell what it takes")
        if not set(self.needs) <= set(self.asks) <= KNOWN.keys() or (self.asks and self.signature):
            raise SetupError(
                f"the format {self.name} asks for {self.asks}: expected what a context may say, and no signature"
            )
        if self.asks and self.redactor is None:
            raise SetupError(
                f"the format {self.name} is a file without a redactor: nobody can tell what of it may be kept"
            )
        if self.asks and not any(sample.is_understood and HIDDEN.encode() in sample.content for sample in self.samples):
            raise SetupError(
                f"the format {self.name} is a file, and no sample that becomes facts has a secret in it: nobody can tell that its redactor "
                f"cuts any; write {HIDDEN} wherever its tools may write one"
            )
        for sample in self.samples:
            if not set(sample.becomes) <= CATALOGUE.keys():
                raise SetupError(f"the sample {sample.kind} of {self.name} becomes {sample.becomes}: no event types")

    @property
    def is_file(self) -> bool:
        """Say whether bodies are files, of which their context says what they cannot."""
        return bool(self.asks)

    def context(self, given: Mapping[str, str]) -> Context:
        """Return the context of a file. Raises StatementError, naming the place, for what cannot be said of it."""
        return Context.read(self.name, self.asks, self.needs, given)

    @property
    def path(self) -> str:
        """Where bodies of it are posted."""
        return f"/v1/intake/{self.name}"

    @property
    def secret_variable(self) -> str:
        """The variable of the environment that holds its shared secret."""
        return f"CHANGE_LEDGER_{self.name.upper().replace('-', '_')}_SECRET"
