"""What a head must be that the parser lets pass, and what is said of one that it does not (RFC 9112).

A parser that takes an offer of another protocol stops at the end of the head, and reads neither the body nor what comes
after. No other protocol is spoken here, and a server may ignore an offer (RFC 9110 §7.8): the head is read again without it.
"""

import re
from collections.abc import Iterable
from typing import Final

# Lower-case names with their values, as they came.
Headers = Iterable[tuple[bytes, bytes]]

_HOST: Final = re.compile(rb"(?:[A-Za-z0-9._~%!$&'()*+,;=-]*|\[[0-9A-Fa-f:.vV]+\])(?::[0-9]*)?")
_OFFERS: Final = (b"upgrade", b"http2-settings")
# By what the parser says, in lower case.
_WORDS: Final = (
    ("can't be present with", "expected Content-Length or Transfer-Encoding, found both"),
    ("duplicate content-length", "expected Content-Length once, found it twice"),
    ("content-length", "expected Content-Length in digits"),
    ("invalid `transfer-encoding`", "expected Transfer-Encoding: chunked, found another coding last"),
    ("whitespace after header value", "expected each header on one line, found one that is folded"),
    ("header token", "expected the name of a header and a colon right after it"),
    ("header value char", "expected the value of a header without control characters"),
    ("method", "expected a request line, METHOD /path HTTP/1.1, found no method"),
    ("url", "expected a path of ASCII without spaces, the rest percent-encoded"),
    ("http version", "expected HTTP/1.1 or HTTP/1.0, found another version"),
    ("pri/upgrade", "expected HTTP/1.1, found the preface of HTTP/2"),
    ("chunk size", "expected the size of a chunk in hexadecimal digits"),
    ("chunk", "expected a body in chunks, each with CRLF after it"),
    ("cr", "expected each line of the head to end in CRLF"),
    ("lf", "expected each line of the head to end in CRLF"),
)


def fault_of(method: bytes, version: str, headers: Headers) -> tuple[int, str] | None:
    """Return the status and the words for a whole head that is no HTTP/1 that is spoken here, None for any other."""
    if version not in ("1.1", "1.0"):
        return 505, f"expected HTTP/1.1 or HTTP/1.0, found HTTP/{version}"
    if method == b"CONNECT":
        return 501, "expected a request for this server, found CONNECT: it is no proxy"
    hosts = [value for name, value in headers if name == b"host"]
    if len(hosts) > 1 or (not hosts and version == "1.1"):
        return 400, f"expected one header Host, found {len(hosts) or 'none'}"
    if hosts and not _HOST.fullmatch(hosts[0]):
        return 400, "expected the header Host to be a name or an address, and a port if need be"
    return None


def without_offer(method: bytes, url: bytes, version: str, headers: Headers) -> bytes:
    """Return the bytes of a head that was read, without the offer of another protocol."""
    lines = [name + b": " + value + b"\r\n" for name, value in headers if name not in _OFFERS]
    return b"%b %b HTTP/%b\r\n%b\r\n" % (method, url, version.encode(), b"".join(lines))


def words_for(reason: str) -> str:
    """Return what was expected, for what a parser says of bytes that it refuses."""
    said = reason.lower()
    return next((words for part, words in _WORDS if part in said), f"expected HTTP/1.1, found: {reason[:80]}")
