"""`uncollected`: large files are read without looking for circles among what they hold. Not how they are read."""

import gc
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def uncollected(work: Callable[P, T]) -> Callable[P, T]:
    """Declare work that makes very many things, and no circles of them: nobody looks for circles while it lasts.

    Python looks each time that there are a quarter more things than before. Of a file of some MiB that takes longer than to read it.
    """

    @wraps(work)
    def done(*args: P.args, **kwargs: P.kwargs) -> T:
        # Of two threads the one that stopped it lets it go on; that it then goes on for the other is slower, and no harm.
        if not gc.isenabled():
            return work(*args, **kwargs)
        gc.disable()
        try:
            return work(*args, **kwargs)
        finally:
            gc.enable()

    return done
