"""The command line."""

from scrapemaster.cli.app import main

__all__ = ["main"]
