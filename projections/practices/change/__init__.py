"""Module 5: change and risk."""
