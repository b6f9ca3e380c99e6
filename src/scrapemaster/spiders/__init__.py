"""Spiders that others wrote: their projects, the processes they run in, and how their pages come into the store."""
