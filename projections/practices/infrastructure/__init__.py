"""Module 3: governance of infrastructure as code."""
