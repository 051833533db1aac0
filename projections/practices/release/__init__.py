"""Module 1: release strategy."""
