"""What a scan found, in words: the same where it is found to stand, and where a code host tells that somebody let it pass."""


def standing_error(tool: str | None, rule: str | None, path: str | None, series: str) -> str:
    """Return how the finding of an error in code is worded.

    >>> standing_error("tfsec", "AVD-1", "main.tf", "api:tfsec")
    'tfsec found AVD-1 in main.tf (api:tfsec)'
    """
    where = f" in {path}" if path is not None else ""
    return f"{tool} found {rule}{where} ({series})"
