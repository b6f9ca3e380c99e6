"""ScrapeMaster: a scraping service for one's own machines."""

__version__ = "0.1.0"
