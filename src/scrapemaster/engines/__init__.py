"""Engines: they turn a job's requests into pages."""
