"""The publisher: a checkpoint at most every second while there is something new, cosigned by witnesses, published by a policy.

One process at a time signs (`ledger.published.signer`); the others stand by, publish what it has signed, and take over when it is
gone. Witness policy:

    off          nobody is asked
    observe      all are asked; a checkpoint is published at once, with whatever cosignatures have come
    require:K    a checkpoint is published once K of the configured witnesses cosigned it; until then the one before stands,
                 whatever policy let that one out

Whoever has not cosigned the last checkpoint is asked again every few seconds, also when nothing is new and after a restart.
"""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial
from typing import Any, Final

import httpx
from sqlalchemy.exc import DBAPIError

from api.outbound.witnesses import WitnessAddress, WitnessError, ask
from ledger.errors import LedgerError, NotFoundError
from ledger.ledger import Ledger
from ledger.log.checkpoints import (
    StoredCheckpoint,
    begin_policy,
    last_cosigned,
    last_size,
    read_checkpoint,
    read_published,
    store_cosignature,
)
from ledger.log.database import outage_in_words
from ledger.log.reading import read_last
from ledger.log.tree import consistency_proof
from ledger.published.signer import CheckpointSigner
from ledger.published.timestamps import EVENT_TYPE as TIMESTAMPED
from signing.errors import SigningError
from signing.notes import Note

INTERVAL_S: Final = 1.0
# How often a process that does not sign looks for what another has signed, while somebody waits for it.
POLL_S: Final = 0.2
WITNESS_TIMEOUT_S: Final = 5.0
# How soon a witness that has not cosigned is asked again, while nothing new is signed.
RETRY_S: Final = 2.0
log = logging.getLogger("change_ledger")


class Publisher:
    """A thread of its own. `signer` is None where this process holds no checkpoint key."""

    def __init__(
        self,
        ledger: Ledger,
        signer: CheckpointSigner | None,
        witnesses: Sequence[WitnessAddress] = (),
        *,
        policy: str = "observe",
    ) -> None:
        self._ledger = ledger
        self._signer = signer
        self._witnesses = list(witnesses) if policy != "off" else []
        self._policy = policy
        with ledger.database.write() as connection:
            required = int(policy.partition(":")[2] or 0)
            self._in_force = begin_policy(connection, required, [witness.key.name for witness in self._witnesses])
        self._waiting: list[tuple[int, asyncio.AbstractEventLoop, asyncio.Future[None]]] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._signing = False
        self._signed_size = -1
        self._refusal: str | None = None
        # What the log was told last.
        self._said = ""
        self._witness_errors: dict[str, str] = {}
        self._asking: dict[str, Future[None]] = {}
        self._asked_at = 0.0
        self._owing = False
        self._client = httpx.Client(timeout=WITNESS_TIMEOUT_S, follow_redirects=False)
        self._pool = ThreadPoolExecutor(max_workers=max(1, len(self._witnesses)), thread_name_prefix="witness")
        self._thread = threading.Thread(target=self._run, name="publish", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Sign what is new a last time, then stop. The next process may sign at once."""
        self._closing.set()
        self._thread.join()
        self._tick()
        if self._signer is not None:
            self._signer.release()
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._client.close()

    # -- what is published ---------------------------------------------------------------------------------------

    def published(self) -> StoredCheckpoint:
        """Return the checkpoint that is published: the last one that the policy lets out. Raises NotFoundError before the first."""
        with self._ledger.database.read() as connection:
            return read_published(connection, self._in_force)

    async def wait_for(self, size: int, timeout: float) -> StoredCheckpoint | None:
        """Return the published checkpoint once it covers the first `size` entries, or None after `timeout` seconds."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while (left := deadline - loop.time()) > 0:
            published = loop.create_future()
            with self._lock:
                self._waiting.append((size, loop, published))
            found = await asyncio.to_thread(self._published_or_none)
            if found is not None and found.size >= size:
                return found
            try:
                await asyncio.wait_for(published, left if self._signing else min(left, POLL_S))
            except TimeoutError:
                continue
        return None

    def _published_or_none(self) -> StoredCheckpoint | None:
        try:
            return self.published()
        except NotFoundError:
            return None

    def status(self) -> dict[str, Any]:
        """Return what a person is told: whether checkpoints are signed and timestamped, how far, and how witnesses answer."""
        with self._ledger.database.read() as connection:
            signed = last_size(connection)
            timestamped = read_last(connection, TIMESTAMPED)
        stamped = timestamped.statement["data"] if timestamped is not None else {}
        published = self._published_or_none()
        if self._signer is None:
            role = "no checkpoint key on this host"
        else:
            role = "refused" if self._refusal else "signing" if self._signing else "standing by"
        return {
            "signer": role,
            "detail": self._refusal,
            # As that entry states it: whoever audits checks the token under the certificates of the authority.
            "timestamped_size": stamped.get("size"),
            "timestamped_at": stamped.get("timestamp"),
            "signed_size": signed,
            "published_size": published.size if published else None,
            "witness_policy": self._policy,
            "witnesses": [
                {
                    "name": witness.key.name,
                    "cosigned_size": self._cosigned_size(witness.key.name),
                    "problem": self._witness_errors.get(witness.key.name),
                }
                for witness in self._witnesses
            ],
        }

    def _cosigned_size(self, name: str) -> int:
        with self._ledger.database.read() as connection:
            return last_cosigned(connection, name)

    # -- the thread ----------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._closing.is_set():
            began = time.monotonic()
            self._tick()
            self._closing.wait(max(0.0, INTERVAL_S - (time.monotonic() - began)))

    def _tick(self) -> None:
        try:
            if self._signer is not None and self._ledger.size() != self._signed_size:
                self._sign(self._signer)
            elif self._signing and self._owing and time.monotonic() - self._asked_at > RETRY_S:
                # Nothing new, and a witness missed the last one: a quiet ledger must not stay unpublished.
                self._have_cosigned()
            self._refusal, self._said = None, ""
        except (LedgerError, SigningError, DBAPIError, OSError) as error:
            said = str(error)
            if said != self._said:
                self._said = said
                log.error("no checkpoint was signed: %s", error)
            # Everybody is told why: what a driver says may hold addresses and statements, and stays in the log.
            self._refusal = (
                f"{outage_in_words(error)}; the server's log says more" if isinstance(error, DBAPIError) else said
            )
        self._tell()

    def _sign(self, signer: CheckpointSigner) -> None:
        self._signing = signer.acquire()
        if not self._signing:
            return
        signer.sign()
        with self._ledger.database.read() as connection:
            self._signed_size = last_size(connection)
        # Also when nothing was new: a process before this one may have signed it and asked nobody.
        self._have_cosigned()

    def _have_cosigned(self) -> None:
        """Ask all witnesses at once that have not cosigned the last checkpoint. One that fails is named in the status and asked again."""
        if not self._witnesses:
            return
        with self._ledger.database.read() as connection:
            last = read_checkpoint(connection)
        size, have = last.size, {line.name for line in last.cosignatures}
        self._owing = any(witness.key.name not in have for witness in self._witnesses)
        self._asked_at = time.monotonic()
        # Whose key counts from a later entry on has nothing to say of this size.
        valid = {key.public_key for key in self._ledger.current_authority().keyring.valid_at("witness", size)}
        for witness in self._witnesses:
            name = witness.key.name
            if name in have:
                self._witness_errors.pop(name, None)
                continue
            if witness.key.public_key not in valid:
                self._witness_errors[name] = (
                    f"the key of {name} does not count yet for the last checkpoint, of size {size}"
                )
                continue
            if (before := self._asking.get(name)) is None or before.done():
                self._asking[name] = self._pool.submit(self._ask, witness, last.signed, size)
        # A witness that never ends its answer must not hold up the others, nor the next checkpoint.
        _, slow = wait(self._asking.values(), WITNESS_TIMEOUT_S)
        for name in (name for name, future in self._asking.items() if future in slow):
            self._witness_errors[name] = f"{name} has not answered yet"

    def _ask(self, witness: WitnessAddress, note: Note, size: int) -> None:
        name = witness.key.name
        try:
            line = ask(
                witness,
                checkpoint=note,
                known_size=self._cosigned_size(name),
                prove=partial(self._prove, size),
                client=self._client,
                now=self._ledger.clock.now_us() // 1_000_000,
            )
            with self._ledger.database.write() as connection:
                store_cosignature(connection, size, line)
            self._witness_errors.pop(name, None)
        except (WitnessError, LedgerError, SigningError, DBAPIError, ValueError) as error:
            if name not in self._witness_errors:
                log.warning("the witness %s did not cosign size %d: %s", name, size, error)
            self._witness_errors[name] = str(error)

    def _prove(self, new_size: int, old_size: int) -> list[bytes]:
        with self._ledger.database.read() as connection:
            return consistency_proof(connection, old_size, new_size)

    def _tell(self) -> None:
        """Wake whoever waits for a checkpoint that is now published."""
        with self._lock:
            waiting, self._waiting = self._waiting, []
        for _, loop, future in waiting:
            _call(loop, partial(_done, future))


def _call(loop: asyncio.AbstractEventLoop, wake: Callable[[], None]) -> None:
    try:
        loop.call_soon_threadsafe(wake)
    except RuntimeError:
        return  # The loop is closed: nobody waits there any more.


def _done(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
