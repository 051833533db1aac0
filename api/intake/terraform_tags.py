"""Tags in plans: with which keys what would be created is tagged, and no value. Whether a key is there is known before any value is.

Of a resource whose type has no tags nothing is missing. Where tags are computed, or marked as sensitive as a whole, there may be others:

    {"tags": {"owner": "platform"}, "tags_all": {"owner": "platform"}}      all    owner
    {"tags": {"owner": "platform"}}, and "tags_all" is known when applied   some   owner
    {"tags": null}                                                          all
    {"policy": "…"}                                                         none
"""

from typing import Any, Final

from api.intake.translation import pick
from ledger.events.identifiers import TagKey, fits
from ledger.events.resource import MAX_TAGS

# As providers call them: those of the resource, and with those that the provider adds.
_NAMES: Final = ("tags", "tags_all", "labels", "effective_labels", "terraform_labels")


def cut(change: Any) -> dict[str, Any] | None:
    """Return the keys of the tags of what a change creates, and whether these are all; None of what creates nothing."""
    actions = pick(change, "change.actions")
    if pick(change, "mode") == "data" or not isinstance(actions, list) or "create" not in actions:
        return None
    keys: set[str] = set()
    is_taggable, is_all = False, True
    for name in _NAMES:
        told, unknown, sensitive = (
            found.get(name) if isinstance(found := pick(change, f"change.{side}"), dict) else None
            for side in ("after", "after_unknown", "after_sensitive")
        )
        is_there = name in (after if isinstance(after := pick(change, "change.after"), dict) else {})
        if not (isinstance(told, dict) or unknown is True or (is_there and told is None)):
            continue
        is_taggable = True
        if unknown is True or sensitive is True:
            is_all = False
        else:
            keys |= {key for key, value in (told or {}).items() if isinstance(value, str) and value.strip()}
            keys |= {key for key, later in unknown.items() if later is True} if isinstance(unknown, dict) else set()
    kept = sorted(key for key in keys if fits(TagKey, key))[:MAX_TAGS]
    tagged = "none" if not is_taggable else "all" if is_all and len(kept) == len(keys) else "some"
    return {"tagged": tagged} | ({"tags": kept} if kept else {})
