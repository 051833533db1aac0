"""Module 7: rollback and incidents."""
