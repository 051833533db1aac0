"""Module 4: environments."""
