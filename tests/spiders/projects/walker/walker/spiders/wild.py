"""A spider that does what it must not; the argument says what."""

import os
import signal
import socket
import subprocess
import sys
import time

import scrapy


class WildSpider(scrapy.Spider):
    name = "wild"

    def __init__(self, deed="", path="", port="0", **kwargs):
        super().__init__(**kwargs)
        self.deed, self.path, self.port = deed, path, int(port)

    async def start(self):
        try:
            yield {"deed": self.deed, "result": getattr(self, self.deed)()}
        except OSError as error:
            yield {"deed": self.deed, "error": type(error).__name__}

    def environment(self):
        return sorted(os.environ)

    def read(self):
        with open(self.path, "rb") as file:
            return len(file.read())

    def write(self):
        with open(self.path, "wb") as file:
            return file.write(b"x")

    def listing(self):
        return len(os.listdir(self.path))

    def connect(self):
        with socket.create_connection(("127.0.0.1", self.port), timeout=5):
            return "connected"

    def kill(self):
        os.kill(int(self.path), signal.SIGTERM)
        return "killed"

    def peek(self):
        with open(f"/proc/{self.path}/environ", "rb") as file:
            return len(file.read())

    def scratch(self):
        with open("scratch.txt", "w") as file:
            file.write("x")
        return os.getcwd()

    def memory(self):
        return len(bytearray(4 * 1024**3))

    def children(self):
        self.started = [
            subprocess.Popen(
                [sys.executable, "-c", "import time; time.sleep(600)", self.path],
                start_new_session=True,
            )
            for _ in range(3)
        ]
        time.sleep(float(self.port))
        return len(self.started)

    def die(self):
        os.kill(os.getpid(), signal.SIGKILL)

    def spin(self):
        while True:
            pass
