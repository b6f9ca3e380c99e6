"""Use cases: what the API, the CLI and workers ask for."""
