BOT_NAME = "prices"
SPIDER_MODULES = ["prices.spiders"]
CONCURRENT_REQUESTS = 4
