"""Sessions: a token, sealed into a cookie, until it is left alone for half an hour, twelve hours are over, or the token ends.

Nothing is kept here but which sessions were logged out: the cookie is the session, so that every process which serves the same
ledger knows it. What is in it can be read and made by nobody who has not both the ledger's secret and a token: a stolen copy
of the database signs nobody in, and a stolen cookie gives no token away.

    cookie = base64url(nonce ‖ ChaCha20-Poly1305(key, nonce, {"id", "kind", "proof", "began", "ends", "seen"}))
    key    = HMAC-SHA256(the ledger's secret, "console session")

`kind` says how somebody signed in, and what `proof` is then: of "token", the token. A session of a kind that this program does not
know does not count here: other fronts may be newer. `ends` is when it is over at the latest: no later than what it stands for.

Times are microseconds of the ledger's clock. Not who may do what: that is the table of roles, for whom the proof is of.
"""

import base64
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, Literal, get_args

import orjson

from ledger.errors import UnauthenticatedError
from signing.errors import VerificationError
from signing.sealing import NONCE_SIZE, seal, unseal

# How somebody signs in; `api.console.signed_in.credential_of` says as whom.
Kind = Literal["token"]
IDLE_US: Final = 30 * 60 * 1_000_000
WHOLE_US: Final = 12 * 60 * 60 * 1_000_000
# A cookie is sent anew when it is so old: not with every answer, and often enough that it does not end in use.
RENEWED_AFTER_US: Final = 60 * 1_000_000
# A token has some fifty characters; what is much longer cannot be one.
MAX_TOKEN: Final = 512
MAX_COOKIE: Final = 2048
MAX_ENDED: Final = 10_000


@dataclass(frozen=True, slots=True)
class Session:
    """One session: how somebody signed in, by what, since when, until when at the latest, and when it was last used."""

    id: str
    kind: Kind
    proof: str
    began_us: int
    ends_us: int
    seen_us: int

    def is_over(self, now_us: int) -> bool:
        """Say whether it was left alone for too long, or lasted for long enough. A time in the future does not count."""
        if not self.began_us <= self.seen_us <= now_us + RENEWED_AFTER_US:
            return True
        return now_us - self.seen_us > IDLE_US or now_us > self.ends_us

    def is_stale(self, now_us: int) -> bool:
        """Say whether its cookie is to be sent anew."""
        return now_us - self.seen_us > RENEWED_AFTER_US


class Sessions:
    """Makes and reads cookies of one ledger. `secret` is the ledger's own, `random` where ids and nonces come from."""

    def __init__(self, secret: bytes, random: Callable[[int], bytes]) -> None:
        self._key = hmac.digest(secret, b"console session", "sha256")
        self._random = random
        # Ids of sessions that were logged out at this process, until they would be over.
        self._ended: dict[str, int] = {}

    def begin(self, kind: Kind, proof: str, now_us: int, good_until_us: int) -> Session:
        """Return a new session by something that was found to be good, until a time."""
        return Session(self._random(16).hex(), kind, proof, now_us, min(now_us + WHOLE_US, good_until_us), now_us)

    def cookie(self, session: Session) -> str:
        """Return what the browser keeps of a session."""
        told = orjson.dumps(
            {
                "id": session.id,
                "kind": session.kind,
                "proof": session.proof,
                "began": session.began_us,
                "ends": session.ends_us,
                "seen": session.seen_us,
            }
        )
        return base64.urlsafe_b64encode(seal(self._key, self._random(NONCE_SIZE), told)).decode().rstrip("=")

    def read(self, cookie: str, now_us: int) -> Session:
        """Return the session of a cookie. Raises UnauthenticatedError when it is over, or was never made here."""
        if len(cookie) > MAX_COOKIE:
            raise UnauthenticatedError("this ledger did not begin the session: sign in again")
        try:
            sealed = base64.b64decode(cookie + "=" * (-len(cookie) % 4), b"-_", validate=True)
            told = orjson.loads(unseal(self._key, sealed))
        except (ValueError, VerificationError):
            raise UnauthenticatedError("this ledger did not begin the session: sign in again") from None
        if told.get("kind") not in get_args(Kind):
            raise UnauthenticatedError("this ledger did not begin the session: sign in again")
        session = Session(told["id"], told["kind"], told["proof"], told["began"], told["ends"], told["seen"])
        if session.is_over(now_us) or session.id in self._ended:
            raise UnauthenticatedError("the session has ended")
        return session

    def renewed(self, session: Session, now_us: int) -> Session:
        """Return a session as used now."""
        return replace(session, seen_us=now_us)

    def end(self, session: Session) -> None:
        """Let a session be over, here at once. Other processes take its cookie, if somebody kept a copy, until it is left alone."""
        if len(self._ended) >= MAX_ENDED:
            oldest = sorted(self._ended.items(), key=lambda item: item[1])[: MAX_ENDED // 2]
            for known, _ in oldest:
                del self._ended[known]
        self._ended[session.id] = session.began_us

    def form_token(self, session: Session) -> str:
        """Return what every form of a session carries, and no page elsewhere can know."""
        return hmac.new(self._key, b"form " + session.id.encode(), hashlib.sha256).hexdigest()

    def check_form(self, session: Session, given: str) -> bool:
        """Say whether a form is of this session."""
        return hmac.compare_digest(self.form_token(session).encode(), given.encode())
