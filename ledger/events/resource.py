"""Resources: the tags that each carries, by which its cost and its owner are known."""

from typing import ClassVar, Final

from ledger.events.base import Event
from ledger.events.identifiers import Environment, Flag, Part, Resource, TagKey, TagValue, many

MAX_TAGS: Final = 50


class Tag(Part):
    """One tag: a key, and its value."""

    key: TagKey
    value: TagValue


class ResourceTagged(Event):
    """All tags that a resource was seen with; or that it is there no more."""

    type = "resource.tagged"
    says = "{resource} in {environment} was seen with its tags"
    refs: ClassVar[tuple[str, ...]] = ("resource", "environment")
    resource: Resource
    environment: Environment
    tags: tuple[Tag, ...] = many(at_most=MAX_TAGS)
    is_there: Flag = True
