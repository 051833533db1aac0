"""Tags in plans: with which keys what would be created is tagged, and no value. Whether a key is there is known before any value is.

Of each value that is known, and not marked as sensitive, a fingerprint is told: whoever may say which values a tag may have sees whether it
has one of these, and nobody reads any other off it.

Of a resource whose type has no tags nothing is missing. Where tags are computed, or marked as sensitive as a whole, there may be others:

    {"tags": {"owner": "platform"}, "tags_all": {"owner": "platform"}}      all    owner, and what it has
    {"tags": {"owner": "platform"}}, and "tags_all" is known when applied   some   owner, and what it has
    {"tags": {"owner": "platform"}}, of which "owner" is sensitive          all    owner
    {"tags": null}                                                          all
    {"policy": "…"}                                                         none
"""

from typing import Any, Final

from api.intake.translation import pick
from ledger.events.iac import fingerprint_of_tag
from ledger.events.identifiers import TagKey, fits, identifier_of
from ledger.events.resource import MAX_TAGS

# As providers call them: those of the resource, and with those that the provider adds.
_NAMES: Final = ("tags", "tags_all", "labels", "effective_labels", "terraform_labels")


def cut(change: Any) -> dict[str, Any] | None:
    """Return the keys of the tags of what a change creates, whether these are all, and fingerprints of values of the first of them; None of
    what creates nothing.
    """
    actions = pick(change, "change.actions")
    if pick(change, "mode") == "data" or not isinstance(actions, list) or "create" not in actions:
        return None
    # By key the values that are told; of what is known later, or sensitive, there is another than any text.
    found: dict[str, set[str | None]] = {}
    is_taggable, is_all = False, True
    for name in _NAMES:
        told, unknown, sensitive = (
            side.get(name) if isinstance(side := pick(change, f"change.{which}"), dict) else None
            for which in ("after", "after_unknown", "after_sensitive")
        )
        is_there = name in (after if isinstance(after := pick(change, "change.after"), dict) else {})
        if not (isinstance(told, dict) or unknown is True or (is_there and told is None)):
            continue
        is_taggable = True
        if unknown is True or sensitive is True:
            is_all = False
            continue
        hidden = {
            key
            for mask in (unknown, sensitive)
            if isinstance(mask, dict)
            for key, is_so in mask.items()
            if is_so is not False
        }
        for key, value in (told or {}).items():
            if isinstance(value, str) and value.strip():
                found.setdefault(key, set()).add(None if key in hidden else value)
        for key in (key for key, later in unknown.items() if later is True) if isinstance(unknown, dict) else ():
            found.setdefault(key, set()).add(None)
    fitting = sorted(key for key in found if fits(TagKey, key))[:MAX_TAGS]
    values = {
        key: fingerprint_of_tag(identifier_of(key), identifier_of(value))
        for key in fitting
        if (value := _only(found[key])) is not None
    }
    kept = [*values, *(key for key in fitting if key not in values)]
    tagged = "none" if not is_taggable else "all" if is_all and len(kept) == len(found) else "some"
    return {"tagged": tagged} | ({"tags": kept} if kept else {}) | ({"values": list(values.values())} if values else {})


def _only(values: set[str | None]) -> str | None:
    return next(iter(values)) if len(values) == 1 else None
