"""Forms: what a page posts, read strictly, once, and only with the word that its own session put into it."""

from collections.abc import Collection
from typing import Final
from urllib.parse import parse_qsl

from fastapi import Request

from api.console.sessions import Session
from api.console.signed_in import check_origin, sessions_of
from api.desk.problems import RequestError
from api.http.body import read_body
from ledger.errors import ForbiddenError

FORM: Final = "application/x-www-form-urlencoded"
MAX_FORM_BYTES: Final = 65_536
# The field that carries it.
FORM_TOKEN: Final = "form_token"


async def read_form(request: Request, fields: Collection[str]) -> dict[str, str]:
    """Return the fields of a form, without blanks around them; those that were left empty are not there.

    Raises RequestError for what is no form, a field that it has not, or one that comes twice.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != FORM:
        raise RequestError(415, "Unsupported media type", f"expected a form ({FORM}), found {kind[:80] or 'none'}")
    body = await read_body(request, MAX_FORM_BYTES)
    try:
        pairs = parse_qsl(body.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=100)
    except ValueError:
        raise RequestError(422, "Not admissible", "expected a form in UTF-8, percent-encoded", "/") from None
    found: dict[str, str] = {}
    for name, value in pairs:
        if name not in fields or name in found:
            raise RequestError(
                422,
                "Not admissible",
                f"expected each of {', '.join(fields)} once; found {name[:80]!r}",
                f"/{name[:80]}",
            )
        if "\x00" in value:
            raise RequestError(422, "Not admissible", f"expected {name} without U+0000: no text holds it", f"/{name}")
        found[name] = value.strip()
    return {name: value for name, value in found.items() if value}


async def read_own_form(request: Request, session: Session, fields: Collection[str]) -> dict[str, str]:
    """The same of a form that a page of this session showed. Raises ForbiddenError for any other."""
    check_origin(request)
    form = await read_form(request, (FORM_TOKEN, *fields))
    if not sessions_of(request).check_form(session, form.pop(FORM_TOKEN, "")):
        raise ForbiddenError(
            "the form is of another session than this one: look at the page again, and send it from there"
        )
    return form
