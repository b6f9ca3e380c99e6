class StampMiddleware:
    def process_request(self, request):
        request.meta["stamp"] = "stamped"
        return None


class SourceMiddleware:
    def process_spider_output(self, response, result):
        for one in result:
            if hasattr(one, "fields"):
                one["source"] = "middleware"
            yield one

    async def process_spider_output_async(self, response, result):
        async for one in result:
            if hasattr(one, "fields"):
                one["source"] = "middleware"
            yield one
