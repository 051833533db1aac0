"""Whose word takes the place of whose: nobody takes back what somebody else said, and nobody acquits themselves, without the power to.

Not whether a statement counts: that is `powers`. Of one thing, with a scanner and a pipeline that both may say what they see:

    10:00 scanner     the database has no owner         stands
    11:00 pipeline    the database has an owner         stands beside it: whoever judges finds the one of 10:00
    12:00 scanner     the database has an owner         takes the place of its own of 10:00
    13:00 inventory   the database has no cost centre   enrolled for this type of event: takes the place of all before

Power is an operator's, is given by a role that the policy names for the type, or is of a source that an operator enrolled: with the
type, or as an authority for the actor.
"""

from collections.abc import Callable, Collection, Iterable
from typing import TypeVar

from projections.engine.view import Reads
from projections.readings.people.powers import fault_of_speaker, kind_of, persons_behind, rests_on_grants
from projections.readings.people.voices import Said, Spoken, has_root_power, in_time, is_vouched, voice_fault

T = TypeVar("T", bound=Said)
W = TypeVar("W")


def has_power(reads: Reads, event_type: str, said: Spoken) -> bool:
    """Say whether somebody who may say something has the power to say it against others, and of themselves."""
    return (
        has_root_power(reads, event_type, said) or is_vouched(reads, said) or rests_on_grants(reads, event_type, said)
    )


def standing(
    reads: Reads, event_type: str, words: Iterable[T], environment: str | Callable[[T], str | None] | None = None
) -> list[T]:
    """Return what stands of what several said of one thing, in the order of its time: the last word of each that counts, and of
    nobody what was said before somebody with the power spoke.

    A role that is held in one environment gives power there: that of the thing, or of each word, where these differ.
    """
    counting: list[tuple[str, bool, T]] = []
    for one in sorted(words, key=in_time):
        where = environment(one) if callable(environment) else environment
        if not fault_of_speaker(reads, event_type, one.said, where):
            counting.append((one.said.principal, has_power(reads, event_type, one.said), one))
    return last_words(counting)


def last_words(words: Iterable[tuple[str, bool, W]]) -> list[W]:
    """Return what stands of words by whom, and whether with the power to, as one after the other was told."""
    found: dict[str, W] = {}
    for who, is_powerful, word in words:
        if is_powerful:
            found.clear()
        found.pop(who, None)
        found[who] = word
    return list(found.values())


def acquits(reads: Reads, event_type: str, said: Spoken, accused: Collection[str]) -> bool:
    """Say whether a statement may speak for persons: it counts, and is by none of them, unless they have the power to say it."""
    if fault_of_speaker(reads, event_type, said):
        return False
    return has_power(reads, event_type, said) or not persons_behind(reads, said) & set(accused)


def may_take_back(reads: Reads, event_type: str, said: Spoken, since: Spoken) -> bool:
    """Say whether somebody may say that something is so no longer: whoever said that it is, or whoever has the power to."""
    return bool(persons_behind(reads, said) & persons_behind(reads, since)) or has_power(reads, event_type, said)


def may_end(reads: Reads, event_type: str, said: Spoken, before: Spoken) -> bool:
    """Say whether somebody may end what was seen, or told, before: a human who speaks for themselves, whoever told it, or whoever has the
    power to. A machine ends nothing of another.
    """
    return (
        said.principal == before.principal
        or has_power(reads, event_type, said)
        or (not voice_fault(reads, said, "human") and kind_of(reads, said.speaker, said) == "human")
    )


def in_place(reads: Reads, event_type: str, words: Iterable[T]) -> T | None:
    """Return the word that holds of what several said of one thing, in the order of its time: the first, until somebody says otherwise who
    may end that.
    """
    held: T | None = None
    for one in sorted(words, key=in_time):
        if held is None or may_end(reads, event_type, one.said, held.said):
            held = one
    return held
