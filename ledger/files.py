"""Files that must be on the disk, whole, before anybody is told so."""

import os
from pathlib import Path


def write_durably(path: Path, data: bytes) -> None:
    """Replace a file, for its owner alone. When this returns, a power failure does not bring the old one back."""
    part = path.with_name(path.name + ".part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    # Dies here: the old file stands.
    part.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
