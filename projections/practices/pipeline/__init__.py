"""Module 2: pipelines."""
