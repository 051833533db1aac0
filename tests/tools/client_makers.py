"""Programs that make clients from OpenAPI, in places of their own: what they need is no part of the project's environment.

They are installed once, in locked versions, beside the environment of the tests, with the ordinary clients of PyPI and npm.
"""

import fcntl
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

HERE = Path(__file__).parent / "clients"
ENVIRONMENT = Path(sys.prefix)


def run(*command: str | Path, **more: object) -> str:
    """Run a program and return all it printed. What fails is shown whole."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False, **more)  # type: ignore[call-overload]
    assert done.returncode == 0, f"{command}:\n{done.stdout}{done.stderr}"
    return str(done.stdout + done.stderr)


def _installed(name: str, files: list[Path], install: Callable[[Path], object]) -> Path:
    """Return a directory into which something was installed from files; another for other files. One process installs, others wait."""
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in files)).hexdigest()[:16]
    place = ENVIRONMENT / f"{name}-{digest}"
    with (ENVIRONMENT / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (place / "installed").exists():
            shutil.rmtree(place, ignore_errors=True)
            place.mkdir()
            install(place)
            (place / "installed").touch()
    return place


def python_maker() -> Path:
    """Return an environment with openapi-python-client."""
    lock = HERE / "requirements.lock"

    def install(place: Path) -> None:
        run(sys.executable, "-m", "venv", place / "venv")
        pip = (place / "venv/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        run(*pip, "--require-hashes", "--requirement", lock)

    return _installed("python-client", [lock], install) / "venv"


def typescript_maker() -> Path:
    """Return a directory with openapi-typescript, openapi-fetch and the compiler. Needs Node.js and npm."""
    assert shutil.which("npm"), (
        "expected Node.js with npm, to make a client in TypeScript; install it, or deselect this test"
    )
    files = [HERE / name for name in ("package.json", "package-lock.json")]

    def install(place: Path) -> None:
        for file in files:
            shutil.copy(file, place)
        run("npm", "ci", "--silent", "--no-audit", "--no-fund", cwd=place)

    return _installed("typescript-client", files, install)
