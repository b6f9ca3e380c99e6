class Nothing:
    def process_request(self, request):
        return None
