"""What all GitHub webhooks say in one way: who sent it, which user it names, and of which repository or organisation it is."""

from typing import Any, Final
from urllib.parse import parse_qsl

from api.intake.translation import ForeignJsonError, Mapped, Translation, fact, need, pick, pick_text, shown
from ledger.errors import StatementError

# How a hook begins that is set to send forms instead of JSON.
FORM_PREFIX: Final = b"payload="


def json_of(body: bytes) -> bytes:
    """Return the JSON of a body, which may come as a form. Raises ForeignJsonError for what is no form."""
    if not body.startswith(FORM_PREFIX):
        return body
    try:
        fields = parse_qsl(body.decode(), keep_blank_values=True, errors="strict")
    except ValueError:
        raise ForeignJsonError("not-a-form") from None
    if [name for name, _ in fields].count("payload") != 1:
        raise ForeignJsonError("key-twice")
    return dict(fields)["payload"].encode()


def source_of(document: dict[str, Any]) -> str:
    """Return who sent it, or nothing where the body names nobody. An organisation is the source of all its repositories."""
    if (name := pick_text(document, "repository.full_name")) is not None:
        return f"https://github.com/{name}"
    organisation = pick_text(document, "organization.login")
    return f"https://github.com/{organisation}/" if organisation is not None else ""


def id_of(thing: dict[str, Any]) -> int:
    """Return the number under which GitHub knows a thing. Raises StatementError for anything else."""
    number: int = need(thing, "id", int)
    if not 0 <= number < 2**63:
        raise StatementError(f"expected id to be a number of 63 bits, found {shown(number)}", "/id")
    return number


def identity_of(user: Any) -> str | None:
    """Return who a user is: by number, and bots apart; None for what is no user."""
    try:
        return f"{'github-bot' if pick(user, 'type') == 'Bot' else 'github'}:{id_of(user)}"
    except StatementError:
        return None


def one_fact(document: dict[str, Any], event_type: str, time: str, data: dict[str, Any]) -> Translation:
    """Return the only fact of a body. An empty time stands for when it came in."""
    return Mapped((fact(source_of(document), event_type, time, data),))
