"""Adapters of the task engine."""
