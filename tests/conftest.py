"""Servers that tests share, and how properties are tested."""

from hypothesis import settings

from servers.redis import redis_server, redis_url

__all__ = ["redis_server", "redis_url"]

# How long an example takes says how busy the machine is.
settings.register_profile("scrapemaster", deadline=None)
settings.load_profile("scrapemaster")
