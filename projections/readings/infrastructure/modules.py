"""Modules of infrastructure: what somebody said may be used, in which versions and until when; and whether a use is let by that.

    terraform-aws-modules/vpc/aws    approved `~> 5.0` until 2027, deprecated `< 5.1`
    git:github.com/acme/vpc          approved at 51d4…

An approval that was given again after a deprecation counts again. A use whose configuration admits versions that nobody approved is not
approved: which one is taken, no plan says. A commit is approved by itself, or with every version; a branch may be any commit.
"""

from dataclasses import dataclass
from typing import Final, Literal

from ledger.events.module import ModuleApproved, ModuleDeprecated
from projections.engine.reads import Look
from projections.engine.view import EntryInfo, Moment, View, moment, replace
from projections.readings.infrastructure.plan_modules import Use
from projections.readings.people.powers import fault_of_speaker
from projections.readings.people.voices import Spoken, by_whom, in_time, spoken
from projections.rules.keeping import kept
from projections.rules.leave import Clocks, Instant, was_there
from projections.rules.versions import is_within, may_meet

# Of what was said of one module, the last ones are kept.
KEPT: Final = 200


@dataclass(frozen=True)
class ModuleWord:
    """Somebody approved a module, or deprecated it: in which versions, and of an approval until when, and exactly which one."""

    said: Spoken
    is_approval: bool
    versions: str | None = None
    digest: str | None = None
    expires_at: Moment | None = None
    replaced_by: str | None = None
    commit: str | None = None


@dataclass(frozen=True)
class Module:
    """One module, and what was said of it, whether that counts or not."""

    module: str
    words: tuple[ModuleWord, ...] = ()


modules = View(
    "modules",
    version=3,
    row=Module,
    kind="module",
    doc="Modules of infrastructure: who approved each, in which versions and until when, and who deprecated it.",
)


@modules.on(ModuleApproved, key=lambda event: event.module)
def approved(row: Module, event: ModuleApproved, entry: EntryInfo) -> Module:
    expires_at = moment(event.expires_at) if event.expires_at is not None else None
    said = ModuleWord(spoken(entry, event.actor), True, event.versions, event.digest, expires_at, commit=event.commit)
    return replace(row, words=kept((*row.words, said), said, by_whom, KEPT))


@modules.on(ModuleDeprecated, key=lambda event: event.module)
def deprecated(row: Module, event: ModuleDeprecated, entry: EntryInfo) -> Module:
    said = ModuleWord(spoken(entry, event.actor), False, event.versions, replaced_by=event.replaced_by)
    return replace(row, words=kept((*row.words, said), said, by_whom, KEPT))


# -- whether it may be used ------------------------------------------------------------------------------------------------

Word = Literal["approved", "not-approved", "expired", "deprecated", "not-known"]


@dataclass(frozen=True)
class Standing:
    """Whether a module may be used, why, and which entries say so."""

    word: Word
    why: str
    positions: tuple[int, ...] = ()


def standing_of(look: Look, use: Use, instant: Instant | None = None, clocks: Clocks | None = None) -> Standing:
    """Return whether a module may be used, by what counts of what was said of it: now, or as was on record at an instant."""
    row = look.row(modules, use.module)
    best = Standing("not-approved", f"nobody approved {use.words}")
    for said in sorted(row.words if row is not None else (), key=in_time)[::-1]:
        if not _counts(look, said, instant, clocks):
            continue
        is_over = said.expires_at is not None and (
            said.expires_at <= instant.at if instant is not None else look.has_come(said.expires_at)
        )
        found = _approval(said, use, is_over=is_over) if said.is_approval else _deprecation(said, use)
        if found is None:
            continue
        if found.word in ("approved", "deprecated") or not said.is_approval:
            return found
        # An older approval may let it be used; else the last that speaks of it says why not.
        best = found if best.word == "not-approved" and not best.positions else best
    return best


def _counts(look: Look, word: ModuleWord, instant: Instant | None, clocks: Clocks | None) -> bool:
    if instant is not None and not was_there(word.said, instant, clocks or Clocks()):
        return False
    event = ModuleApproved if word.is_approval else ModuleDeprecated
    return not fault_of_speaker(look, event.type, word.said)


def _approval(word: ModuleWord, use: Use, *, is_over: bool) -> Standing | None:
    positions = (word.said.position,)
    is_the_commit = word.commit is not None and use.commit == word.commit
    is_in = is_the_commit or is_within(use.asked, word.versions)
    if is_in is None:
        return Standing("not-known", f"nobody knows which versions {use.words} is", positions)
    if not is_in:
        if may_meet(use.asked, word.versions):
            return Standing("not-approved", f"{use.words} may be more than {word.versions}, as approved", positions)
        return None
    if is_over:
        return Standing("expired", f"the approval of {use.words} was until {word.expires_at}", positions)
    if word.commit is not None and not is_the_commit:
        # What a branch or a tag led to, no plan says.
        return Standing("not-approved", f"{use.words} may be another than {word.commit}, as approved", positions)
    if word.digest is not None and use.digest != word.digest:
        if use.digest is None:
            return Standing("not-known", f"nobody says whether {use.words} is {word.digest}, as approved", positions)
        return Standing("not-approved", f"{use.words} is {use.digest}, and not {word.digest} as approved", positions)
    return Standing("approved", f"{word.said.speaker} approved {use.words}", positions)


def _deprecation(word: ModuleWord, use: Use) -> Standing | None:
    positions = (word.said.position,)
    instead = f", for {word.replaced_by}" if word.replaced_by is not None else ""
    is_in = is_within(use.asked, word.versions)
    if is_in:
        return Standing("deprecated", f"{word.said.speaker} deprecated {use.words}{instead}", positions)
    if is_in is None or may_meet(use.asked, word.versions):
        return Standing("not-known", f"{use.words} may be {word.versions}, which is deprecated{instead}", positions)
    return None
