"""What operators do to a ledger: tokens, sources, keys, the clock, commitments, removals, the way back. Functions over a `Ledger`."""
