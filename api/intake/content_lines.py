"""Content lines of RFC 5545: components, properties and parameters, read and written. Not what any of them means.

    BEGIN:VEVENT                                   Component("VEVENT", [Property("DTSTART", {"TZID": "Europe/Berlin"}, "20261223T000000")])
    DTSTART;TZID=Europe/Berlin:20261223T000000
    END:VEVENT

Lines that are folded are joined (§3.1), also where they end without a carriage return, and after a byte order mark. A line that is
none is passed over, as all programs do: calendars in the wild have them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from api.intake.translation import ForeignError

MAX_BYTES: Final = 4_000_000
MAX_DEPTH: Final = 8
_LINE_BYTES: Final = 75
_is_line = re.compile(
    r'([A-Za-z0-9-]+)((?:;[A-Za-z0-9-]+=(?:"[^"]*"|[^";:,]*)(?:,(?:"[^"]*"|[^";:,]*))*)*):(.*)', re.DOTALL
).fullmatch
_parameters_of = re.compile(r';([A-Za-z0-9-]+)=("[^"]*"|[^";:]*)').findall


@dataclass(frozen=True, slots=True)
class Property:
    """One line: its name and the names of its parameters in upper case."""

    name: str
    parameters: dict[str, str]
    value: str


@dataclass(frozen=True, slots=True)
class Component:
    """What stands between a BEGIN and its END."""

    name: str
    properties: list[Property] = field(default_factory=list)
    parts: list["Component"] = field(default_factory=list)

    def all(self, name: str) -> Iterator[Property]:
        """Yield the properties of a name."""
        return (one for one in self.properties if one.name == name)

    def first(self, name: str) -> Property | None:
        return next(self.all(name), None)

    def text(self, name: str) -> str:
        """Return the value of the first property of a name, without blanks around; "" where there is none."""
        found = self.first(name)
        return found.value.strip() if found is not None else ""


def read_components(body: bytes) -> list[Component]:
    """Return what stands at the top of a file. Raises ForeignError for what is no UTF-8, has no component, or breaks off within one."""
    if len(body) > MAX_BYTES:
        raise ForeignError("too-long")
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ForeignError("not-utf-8") from None
    top: list[Component] = []
    around: list[Component] = []
    for line in re.split(r"\r?\n|\r", re.sub(r"\r?\n[ \t]", "", text)):
        found = _is_line(line)
        if found is None:
            continue
        name, value = found[1].upper(), found[3]
        if name == "BEGIN":
            if len(around) >= MAX_DEPTH:
                raise ForeignError("too-deep")
            component = Component(value.strip().upper())
            (around[-1].parts if around else top).append(component)
            around.append(component)
        elif name == "END":
            if not around or around.pop().name != value.strip().upper():
                raise ForeignError("an-end-without-its-beginning")
        elif around:
            told = {key.upper(): said.strip('"') for key, said in _parameters_of(found[2])}
            around[-1].properties.append(Property(name, told, value))
    if around:
        raise ForeignError("cut-off")
    if not top:
        raise ForeignError("not-icalendar")
    return top


def write_components(components: list[Component]) -> bytes:
    """Return components as they are sent: lines of at most 75 bytes, each ended by CRLF."""
    return "".join(f"{_folded(line)}\r\n" for component in components for line in _lines(component)).encode()


def _lines(component: Component) -> Iterator[str]:
    yield f"BEGIN:{component.name}"
    for one in component.properties:
        told = "".join(f";{key}={_quoted(value)}" for key, value in one.parameters.items())
        yield f"{one.name}{told}:{one.value}"
    for part in component.parts:
        yield from _lines(part)
    yield f"END:{component.name}"


def _quoted(value: str) -> str:
    return f'"{value}"' if re.search("[,;:]", value) else value


def _folded(line: str) -> str:
    """Return a line folded between characters, never within one."""
    if len(line.encode()) <= _LINE_BYTES:
        return line
    rows, length = [""], 0
    for char in line:
        size = len(char.encode())
        if length + size > _LINE_BYTES:
            rows.append(" ")
            length = 1
        rows[-1] += char
        length += size
    return "\r\n".join(rows)


def escaped(text: str) -> str:
    """Return a text as the value of a property has it (§3.3.11)."""
    return re.sub(r"([\\;,])", r"\\\1", text).replace("\r\n", "\n").replace("\n", "\\n")
