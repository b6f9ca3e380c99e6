"""Sending signed webhooks."""
