BOT_NAME = "shopcrawl"
SPIDER_MODULES = ["shopcrawl.spiders"]
NEWSPIDER_MODULE = "shopcrawl.spiders"
ROBOTSTXT_OBEY = True
ITEM_PIPELINES = {
    "shopcrawl.pipelines.PricePipeline": 300,
    "shopcrawl.pipelines.DropSoldOut": 400,
}
DOWNLOADER_MIDDLEWARES = {
    "shopcrawl.middlewares.StampMiddleware": 543,
}
SPIDER_MIDDLEWARES = {
    "shopcrawl.middlewares.SourceMiddleware": 543,
}
