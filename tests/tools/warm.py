"""`change-ledger` without the second that Python needs to import it: a process that has imported it forks for every command.

warm.py serve SOCKET            wait for commands, until the process is killed
warm.py run SOCKET WORD…        run one, with this process's files, directory and environment; exit as it does
warm.py run SOCKET -c CODE …    run a program of a test instead, as Python would, with the rest as its arguments
"""

import contextlib
import gc
import json
import os
import select
import signal
import socket
import sys
from typing import Any


def serve(path: str) -> None:
    """Fork for every command that comes in."""
    import api.cli
    import api.cli.local_door
    import api.cli.remote_door
    import ledger.audit.of_database  # noqa: F401
    import signing.timestamps  # noqa: F401

    for name in api.cli.COMMANDS:
        api.cli.load(name)
    # What is shared stays shared: no collection in a child touches it.
    gc.collect()
    gc.freeze()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen(64)
        print("warm", flush=True)
        # Nobody waits for the handlers.
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        while True:
            asked, _ = listening.accept()
            if os.fork():
                asked.close()
                continue
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listening.close()
            handle(asked)


def handle(asked: socket.socket) -> None:
    """Run a command in a process of its own, and answer with its exit status."""
    message, files, *_ = socket.recv_fds(asked, 1 << 20, 3)
    if not (child := os.fork()):
        asked.close()
        command(json.loads(message), files)
    asked.sendall(child.to_bytes(4))
    for file in files:
        os.close(file)
    # Until the command ends, or whoever asked for it is gone: then it ends too.
    ended, gone = os.pidfd_open(child), asked.fileno()
    if ended not in select.select([ended, gone], [], [])[0]:
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    with contextlib.suppress(OSError):
        asked.sendall(os.waitstatus_to_exitcode(status).to_bytes(2, signed=True))
    os._exit(0)


def command(wanted: dict[str, Any], files: list[int]) -> None:
    """Become the command."""
    import api.cli

    for number, file in enumerate(files):
        os.dup2(file, number)
    os.chdir(wanted["directory"])
    os.environ.clear()
    os.environ.update(wanted["environment"])
    words = wanted["words"]
    status: object = 0
    try:
        if words[0] == "-c":
            sys.argv = words[:1] + words[2:]
            exec(compile(words[1], "-c", "exec"), {"__name__": "__main__"})
        else:
            sys.argv = ["change-ledger", *words]
            api.cli.main()
    except SystemExit as ended:
        status = ended.code
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status if isinstance(status, int) else 0 if status is None else 1)


def run(path: str, words: list[str]) -> int:
    """Have a command run, and return its exit status."""
    message = json.dumps({"words": words, "directory": os.getcwd(), "environment": dict(os.environ)}).encode()
    with socket.socket(socket.AF_UNIX) as asking:
        asking.connect(path)
        socket.send_fds(asking, [message], [0, 1, 2])
        child = int.from_bytes(asking.recv(4))
        # Whoever ends this process means the command.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda received, _: os.kill(child, received))
        answer = asking.recv(2)
    status = int.from_bytes(answer, signed=True) if answer else 255
    if status < 0:
        # It was ended by a signal; so is this.
        signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    return status


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2])
    sys.exit(run(sys.argv[2], sys.argv[3:]))
