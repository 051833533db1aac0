"""Resources: the tags that each carries, by which its cost and its owner are known."""

from typing import ClassVar

from ledger.events.base import Event
from ledger.events.identifiers import Environment, Flag, Part, Resource, TagKey, TagValue, many


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
    tags: tuple[Tag, ...] = many(at_most=50)
    is_there: Flag = True
