"""CloudEvents 1.0 over HTTP: attributes in `ce-` headers, and whether two places say the same.

Source: the HTTP protocol binding, §3.1.3.2. What an attribute may say is for `ledger.statement`.
"""

import re
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from ledger.clock import from_text
from ledger.errors import StatementError

PREFIX: Final = "ce-"
_quoted = re.compile(r'"((?:[^"\\]|\\.)*+)("?)')


def attributes(headers: Any) -> dict[str, str]:
    """Return the attributes of the `ce-` headers: double-quoted strings unescaped, then percent-decoded once.

    Raises StatementError naming an attribute that comes twice, or is no UTF-8 when it is decoded: both MUST be refused.
    """
    found: dict[str, str] = {}
    for header, value in headers.items():
        name = header.lower().removeprefix(PREFIX)
        if name == header.lower():
            continue
        if name in found:
            raise StatementError(f"the header {PREFIX}{name} comes twice; expected it once", f"/{name}")
        try:
            found[name] = unquote_to_bytes(_unquoted(value).encode("latin-1")).decode()
        except UnicodeError:
            raise StatementError(
                f"expected the header {PREFIX}{name} to be percent-encoded UTF-8; found {value!r}"[:200], f"/{name}"
            ) from None
    return found


def _unquoted(value: str) -> str:
    # A quote that nothing closes stands for itself, with all that follows: looked for anew from every escaped quote, the end of
    # one header of 30 KB takes eleven seconds to be missed, and every other request waits for it.
    return _quoted.sub(lambda found: re.sub(r"\\(.)", r"\1", found[1]) if found[2] else found[0], value)


def is_same(name: str, said: Any, inside: Any) -> bool:
    """Say whether an attribute as a header or an envelope writes it is what another place holds. Times may be written differently."""
    if said == inside or (isinstance(inside, int) and said == str(inside).lower()):
        return True
    if name != "time" or not isinstance(said, str) or not isinstance(inside, str):
        return False
    try:
        return from_text(said) == from_text(inside)
    except ValueError:
        return False
