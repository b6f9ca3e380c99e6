"""The demo shop: a small, complete site to try scraping on."""
