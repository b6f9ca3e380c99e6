"""Scrapy around a job's pages: its engine, middlewares and pipelines over our frontier, fetcher and store. Imported when a job needs it."""
