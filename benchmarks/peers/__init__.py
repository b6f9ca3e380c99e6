"""Crawlers that ours is measured against; each prints one line of JSON."""
