"""Answers that a process of its own gives, line by line: walks over all entries, which must not hold up whoever appends.

One at a time: a server has as many cores as it has, and they are for others too. Not what the lines say, which is the command's.
"""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from typing import Any, Final

from fastapi import Request
from fastapi.responses import StreamingResponse

from api.desk.problems import RequestError
from api.http.state import ledger_of

# As routes that answer so are described.
LINES: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "Lines of JSON: progress as it goes, then the report.",
        "content": {"application/x-ndjson": {"schema": {"type": "string"}}},
    },
    409: {"description": "Such a walk is running already."},
}


def answer_of_command(request: Request, *words: str) -> StreamingResponse:
    """Return what `change-ledger` prints on this ledger, as it prints it. Raises RequestError while another such answer is given."""
    lock: asyncio.Lock = request.app.state.walking
    if lock.locked():
        raise RequestError(409, "Busy", "a walk over all entries is running already; ask again when it has ended")
    # The address of the database may hold a password: by the environment, not where `ps` shows it.
    inherited = {k: v for k, v in request.app.state.environment.items() if k != "CHANGE_LEDGER_SERVER"}
    url = ledger_of(request).database.url.render_as_string(hide_password=False)
    command = [sys.executable, "-m", "api.cli", *words]
    lines = _lines(command, inherited | {"CHANGE_LEDGER_DATABASE_URL": url}, lock)
    return StreamingResponse(lines, media_type="application/x-ndjson")


async def _lines(command: list[str], environment: dict[str, str], lock: asyncio.Lock) -> AsyncIterator[bytes]:
    process = None
    # Taken only when the answer starts: a caller that is gone before then must not leave it locked.
    await lock.acquire()
    try:
        process = await asyncio.create_subprocess_exec(
            *command, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, limit=1 << 26
        )
        if process.stdout is not None:
            async for line in process.stdout:
                yield line
        status = await process.wait()
        if status == 2 and process.stderr is not None:
            detail = (await process.stderr.read())[-500:].decode(errors="replace").strip()
            yield json.dumps({"verdict": "not checked", "detail": detail}).encode() + b"\n"
    finally:
        if process is not None and process.returncode is None:
            process.kill()
        lock.release()
