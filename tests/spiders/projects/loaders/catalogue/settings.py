BOT_NAME = "catalogue"
SPIDER_MODULES = ["catalogue.spiders"]
TWISTED_REACTOR = "twisted.internet.epollreactor.EPollReactor"
