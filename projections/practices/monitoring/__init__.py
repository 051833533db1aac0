"""Module 6: monitoring and validation."""
