"""Delivery: deployments, freezes, rollbacks and their triggers, incidents, and the metrics of all of it."""
