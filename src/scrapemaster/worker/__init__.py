"""The crawler process, and who looks after it."""
