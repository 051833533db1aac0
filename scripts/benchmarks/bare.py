"""The floor of HTTP: a FastAPI route that reads and validates the same body with the same classes, and stores nothing.

`python -m benchmarks.bare` serves it as the ledger serves itself. The answer has the size of a receipt.
"""

from typing import Any, Literal

import uvicorn
from fastapi import FastAPI
from fastapi.responses import Response
from pydantic import BaseModel

from ledger.events.deployment import DeploymentStarted

ANSWER = b'{"receipt":"' + b"0" * 480 + b'"}'


class CloudEvent(BaseModel):
    """The envelope that the ledger checks by hand."""

    specversion: Literal["1.0"]
    id: str
    source: str
    type: Literal["deployment.started"]
    time: str
    data: DeploymentStarted


def bare_app() -> FastAPI:
    app = FastAPI(redoc_url=None)

    @app.post("/v1/events", status_code=201)
    async def validate(event: CloudEvent) -> Any:
        return Response(ANSWER, 201, media_type="application/json")

    return app


def main() -> None:
    config = uvicorn.Config(bare_app(), host="127.0.0.1", port=0, log_level="warning", loop="uvloop", http="httptools")
    server = uvicorn.Server(config)
    listening = config.bind_socket()
    print(f"serving http://127.0.0.1:{listening.getsockname()[1]}", flush=True)
    server.run(sockets=[listening])


if __name__ == "__main__":
    main()
