"""Numbers of things in words, for whoever reads: one function for all sentences, of entries, rules and pages."""


def number_of(number: object, noun: str, plural: str = "") -> str:
    """Return a number of things, one of them in the singular. `plural` is that of nouns that do not just end in an s.

    >>> number_of(1, "approval"), number_of(2, "approval"), number_of(1, "entry", "entries"), number_of("0", "key is", "keys are")
    ('1 approval', '2 approvals', '1 entry', '0 keys are')
    """
    return f"{number} {noun if str(number) == '1' else plural or noun + 's'}"
