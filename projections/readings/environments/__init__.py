"""Environments: what each is for, and by which names it goes."""
