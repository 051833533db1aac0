"""YAML of strangers: documents of mappings, lists and texts, read off the events of a parser. No type, tag or alias is taken.

YAML guesses: `no` is false, `12:30` a number in base sixty, `1e3` a text or not, by the library. Here every scalar is the text that
stands in the file, and what it means is the translator's to say. An alias lets nine lines stand for a billion things, and a tag may
make an object of anything: a document with either is not read.
"""

from collections.abc import Iterator
from typing import Any, Final

import yaml

from api.intake.translation import ForeignError

# As which YAML is posted: RFC 9512, and what was said before it.
MEDIA_TYPES: Final = ("application/yaml", "application/x-yaml", "text/yaml")
MAX_BYTES: Final = 1_000_000
MAX_DEPTH: Final = 32
MAX_NODES: Final = 50_000
_NOTHING: Final = ("", "~", "null", "Null", "NULL")
# The parser in C is some ten times faster; not every platform has it, and both give the same events.
_LOADER: Final = getattr(yaml, "CBaseLoader", yaml.BaseLoader)


def read_yaml(body: bytes) -> list[Any]:
    """Return the documents of a file: dicts, lists, texts, and None for what is empty or null.

    Raises ForeignError for what is no YAML in UTF-8, is too long or too deep, says a key twice, or has an alias or a tag.
    """
    if len(body) > MAX_BYTES:
        raise ForeignError("too-long")
    try:
        events = yaml.parse(body.decode("utf-8-sig"), Loader=_LOADER)
        return _Reader(events).documents()
    except (yaml.YAMLError, UnicodeDecodeError):
        raise ForeignError("not-yaml") from None


class _Reader:
    """Makes documents of events, and counts what it makes."""

    def __init__(self, events: Iterator[Any]) -> None:
        self._events = events
        self._nodes = 0

    def documents(self) -> list[Any]:
        found: list[Any] = []
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                found.append(self._node(next(self._events), 0))
        return found

    def _node(self, event: Any, depth: int) -> Any:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise ForeignError("too-long")
        if depth > MAX_DEPTH:
            raise ForeignError("too-deep")
        if isinstance(event, yaml.AliasEvent):
            raise ForeignError("alias")
        if event.tag is not None:
            raise ForeignError("tag")
        if isinstance(event, yaml.ScalarEvent):
            is_plain = not event.style
            return None if is_plain and event.value in _NOTHING else event.value
        if isinstance(event, yaml.SequenceStartEvent):
            return list(self._items(yaml.SequenceEndEvent, depth))
        return self._mapping(self._items(yaml.MappingEndEvent, depth))

    def _items(self, end: type, depth: int) -> Iterator[Any]:
        while not isinstance(event := next(self._events), end):
            yield self._node(event, depth + 1)

    def _mapping(self, items: Iterator[Any]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key in items:
            if not isinstance(key, str):
                raise ForeignError("key-not-a-text")
            if key in found:
                raise ForeignError("key-twice")
            found[key] = next(items)
        return found
