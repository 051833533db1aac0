"""`Practice`: one of the forty-eight practices of release governance, by its number and name. What serves it is in its file."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Practice:
    """A practice of the curriculum: module and place, such as 3.3, and its name."""

    number: str
    name: str
