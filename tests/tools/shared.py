"""What takes long to make and is the same for all tests: made once in a run of them, whichever process needs it first, and copied."""

import fcntl
import shutil
from collections.abc import Callable
from pathlib import Path


def made_once(place: Path, make: Callable[[Path], object]) -> Path:
    """Return a directory that `make` has filled. One process makes it; others that want it meanwhile wait."""
    with place.with_name(f"{place.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            # Only what is whole has the name.
            begun = place.with_name(f"{place.name}.begun")
            shutil.rmtree(begun, ignore_errors=True)
            begun.mkdir()
            make(begun)
            begun.rename(place)
    return place
