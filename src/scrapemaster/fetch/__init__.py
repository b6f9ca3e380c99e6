"""Fetching one page: addresses, politeness, HTTP."""
