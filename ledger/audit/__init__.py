"""The audit: one walk over entries, their database or files, and everything that is recomputed from them."""
