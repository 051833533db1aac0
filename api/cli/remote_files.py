"""The files of a log behind a web server: a static export, a running ledger, or anybody's C2SP log."""

from collections.abc import Iterator
from typing import Final

import httpx

from ledger.errors import SetupError
from ledger.published.durable import MAX_FILE_BYTES

TIMEOUT_S: Final = 30.0


class RemoteFiles:
    """Files below a URL. A bearer token is sent where one is given: a running ledger asks one for entries."""

    def __init__(self, url: str, token: str | None = None) -> None:
        self._url = url.rstrip("/") + "/"
        self._token = token
        self._client: httpx.Client | None = None

    def __getstate__(self) -> tuple[str, str | None]:
        return self._url, self._token

    def __setstate__(self, state: tuple[str, str | None]) -> None:
        self._url, self._token = state
        self._client = None

    def read(self, path: str) -> bytes:
        """Return the bytes of a file. Raises FileNotFoundError for 404, SetupError for any other refusal."""
        if self._client is None:
            headers = {"Authorization": f"Bearer {self._token}"} if self._token else {}
            self._client = httpx.Client(base_url=self._url, headers=headers, timeout=TIMEOUT_S)
        with self._client.stream("GET", path) as answer:
            if answer.status_code == 404:
                raise FileNotFoundError(2, "not found", path)
            if answer.status_code in (401, 403):
                raise SetupError(
                    f"{self._url}{path} is not public: give --token of the role auditor (one of the environment goes to "
                    "CHANGE_LEDGER_SERVER alone)"
                )
            if answer.status_code != 200:
                raise SetupError(f"{self._url}{path}: expected 200, found {answer.status_code}")
            data = bytearray()
            for chunk in answer.iter_bytes():
                data += chunk
                if len(data) > MAX_FILE_BYTES:
                    raise SetupError(f"{self._url}{path} is over {MAX_FILE_BYTES} bytes")
        return bytes(data)

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    def names(self) -> Iterator[str] | None:
        return None
