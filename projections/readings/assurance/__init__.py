"""Assurance: what becomes of findings by somebody's decision."""
