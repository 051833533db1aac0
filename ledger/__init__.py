"""What may be written, and the chain: statements, entries, the only way to append, and the audit of all of it."""
