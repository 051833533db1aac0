"""The files of a log behind a web server: a static export, a running ledger, or anybody's C2SP log."""

import asyncio
from collections.abc import Iterator
from typing import Final

import httpx

from ledger.errors import SetupError
from ledger.published.durable import MAX_FILE_BYTES
from ledger.words import number_of

TIMEOUT_S: Final = 30.0
# What a file may take longer for its length: whoever drips is not waited for.
LEAST_BYTES_PER_S: Final = 16_384


def is_url(text: str) -> bool:
    """Say whether a text is an address on the web. Its scheme may be in any case (RFC 3986 §3.1)."""
    return text.lower().startswith(("http://", "https://"))


class RemoteFiles:
    """Files below a URL. A bearer token is sent where one is given: a running ledger asks one for entries."""

    def __init__(self, url: str, token: str | None = None) -> None:
        self._url = url.rstrip("/") + "/"
        self._token = token
        self._client: httpx.AsyncClient | None = None
        # A loop of its own: only there has a whole answer, head and all, a time.
        self._runner: asyncio.Runner | None = None

    def __getstate__(self) -> tuple[str, str | None]:
        return self._url, self._token

    def __setstate__(self, state: tuple[str, str | None]) -> None:
        self._url, self._token = state
        self._client = self._runner = None

    def read(self, path: str) -> bytes:
        """Return the bytes of a file. Raises FileNotFoundError for 404, SetupError for any other refusal, and for one that drips."""
        if self._runner is None:
            self._runner = asyncio.Runner()
        return self._runner.run(self._read(path))

    async def _read(self, path: str) -> bytes:
        if self._client is None:
            headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
            self._client = httpx.AsyncClient(base_url=self._url, headers=headers, timeout=TIMEOUT_S)
        data = bytearray()
        try:
            async with asyncio.timeout(TIMEOUT_S) as patience, self._client.stream("GET", path) as answer:
                self._check_status(path, answer.status_code)
                end = patience.when() or 0
                async for chunk in answer.aiter_bytes():
                    data += chunk
                    if len(data) > MAX_FILE_BYTES:
                        raise SetupError(f"{self._url}{path} is over {MAX_FILE_BYTES} bytes")
                    patience.reschedule(end + len(data) / LEAST_BYTES_PER_S)
        except TimeoutError:
            raise SetupError(
                f"{self._url}{path} comes too slowly: {number_of(len(data), 'byte')} so far, expected all within {TIMEOUT_S:g} s and "
                f"a second more for each {LEAST_BYTES_PER_S} bytes"
            ) from None
        return bytes(data)

    def _check_status(self, path: str, status: int) -> None:
        if status == 404:
            raise FileNotFoundError(2, "not found", path)
        if status in (401, 403):
            raise SetupError(
                f"{self._url}{path} is not public: give --token of the role auditor (one of the environment goes to "
                "CHANGE_LEDGER_SERVER alone)"
            )
        if status != 200:
            raise SetupError(f"{self._url}{path}: expected 200, found {status}")

    def close(self) -> None:
        if self._runner is not None:
            if self._client is not None:
                self._runner.run(self._client.aclose())
            self._runner.close()

    def names(self) -> Iterator[str] | None:
        return None
