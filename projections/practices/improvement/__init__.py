"""Module 8: audit and improvement."""
