"""The benchmark: what the ledger does, beside what the machine could do and what others do with the same work.

Not a test: nothing here fails because of a time. Every ratio is made of two rates that were taken in turns in one run, so that a machine
that is slow today is slow for both.
"""
