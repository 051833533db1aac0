"""Settings: what policies may say. Each is declared in the module that reads it, as an object, and a policy is asked with that object.

Not a list that somebody keeps, and no values: those are in `policies`. `SETTINGS` has all that were declared, for the reference
page and for whoever judges what a policy says.

    QUORUM: Final = Number("quorum", "how many people must approve", applies_to="band of risk", default=1)
    policy.number(QUORUM, ticket.risk_band)
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from projections.engine.view import DeclarationError

# What a setting applies to that is for all.
ANY: Final = "any"
_is_name = re.compile(r"[a-z]+(-[a-z]+)*").fullmatch
# By their names, in the order of declaration.
SETTINGS: Final[dict[str, "Declared"]] = {}


@dataclass(frozen=True, kw_only=True, eq=False)
class Declared:
    """One setting. `applies_to` says in words what it may be told apart by; a policy says `any` for all of them."""

    name: str = field(kw_only=False)
    doc: str = field(kw_only=False)
    applies_to: str = ""

    def __post_init__(self) -> None:
        if not _is_name(self.name) or not self.doc.strip():
            raise DeclarationError(f"the setting {self.name!r}: expected a name such as revoke-within-days, and a doc")
        if self.name in SETTINGS:
            raise DeclarationError(f"the setting {self.name} is declared twice")
        SETTINGS[self.name] = self

    @property
    def holds(self) -> str:
        """What its value is, in words."""
        raise NotImplementedError

    @property
    def otherwise(self) -> str:
        """What holds where a policy says nothing, in words."""
        raise NotImplementedError

    def fault(self, value: str) -> str | None:
        """Say why a value means nothing; None for one that does."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True, eq=False)
class Number(Declared):
    """A whole number. `defaults` are those of what it applies to; `zero` says in words what 0 means."""

    default: int = 0
    defaults: Mapping[str, int] = field(default_factory=dict)
    zero: str = ""

    @property
    def holds(self) -> str:
        return "a whole number"

    @property
    def otherwise(self) -> str:
        default = self.zero if self.zero and self.default == 0 else str(self.default)
        return ", ".join([default, *(f"{number} in {whom}" for whom, number in self.defaults.items())])

    def fault(self, value: str) -> str | None:
        return None if is_whole(value) else f"{value} is no whole number"

    def default_for(self, *applies_to: str | None) -> int:
        """Return what holds for the first of `applies_to` that has a default of its own, else for everybody."""
        return next(
            (self.defaults[whom] for whom in applies_to if whom is not None and whom in self.defaults), self.default
        )


@dataclass(frozen=True, kw_only=True, eq=False)
class Words(Declared):
    """A word, or several: then the policy has it several times. With `choices`, another word means nothing."""

    default: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    is_several: bool = False
    nothing: str = ""

    @property
    def holds(self) -> str:
        one = f"`{'` or `'.join(self.choices)}`" if self.choices else "a word"
        return f"{one}, may be given several times" if self.is_several else one

    @property
    def otherwise(self) -> str:
        return ", ".join(f"`{word}`" for word in self.default) or self.nothing

    def fault(self, value: str) -> str | None:
        return None if not self.choices or value in self.choices else f"{value} is not one of {', '.join(self.choices)}"


def fault_of(name: str, value: str) -> str | None:
    """Say why a setting of a policy means nothing: nothing reads it, or its value has no meaning. None for one that means something."""
    return SETTINGS[name].fault(value) if name in SETTINGS else "nothing reads it"


def faults_of(settings: Iterable[tuple[str, str, str]]) -> list[str]:
    """Say all that is wrong with the settings of a policy, each by name, for whom and value: also what is said twice, or for nobody."""
    faults: list[str] = []
    said: set[tuple[str, str]] = set()
    for name, applies_to, value in settings:
        where = name if applies_to == ANY else f"{name} ({applies_to})"
        known = SETTINGS.get(name)
        if (fault := fault_of(name, value)) is not None:
            faults.append(f"{where}: {fault}")
        elif known is not None and applies_to != ANY and not known.applies_to:
            faults.append(f"{where}: it holds for all; expected {ANY}")
        elif (name, applies_to) in said and not getattr(known, "is_several", False):
            faults.append(f"{where}: expected one value, found several")
        said.add((name, applies_to))
    return list(dict.fromkeys(faults))


def is_whole(value: str) -> bool:
    """Say whether a value of a policy is a whole number."""
    return value.isascii() and value.isdigit()
