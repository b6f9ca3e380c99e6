"""The protocols between the core and its adapters; each docstring is a contract."""
