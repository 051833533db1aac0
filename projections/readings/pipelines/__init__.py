"""Pipelines: what ran before anything was deployed, and what that showed."""
