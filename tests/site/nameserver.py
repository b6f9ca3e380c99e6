"""A real DNS server on port 53 of an address of this machine, whose answers change from one question to the next."""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle

from dnslib import AAAA, QTYPE, RR, A, DNSRecord
from dnslib.server import BaseResolver, DNSHandler, DNSLogger, DNSServer

#: Nothing else listens there; systemd's own resolver is at 127.0.0.53.
ADDRESS = "127.0.0.153"


class Names(BaseResolver):
    """For each name the answers to give, in turn and over again: each a list of addresses of one kind."""

    def __init__(self, answers: Mapping[str, Sequence[Sequence[str]]]) -> None:
        self.asked: Counter[str] = Counter()
        self._answers = {name: cycle(turns) for name, turns in answers.items()}

    def resolve(self, request: DNSRecord, handler: DNSHandler) -> DNSRecord:
        reply = request.reply()
        name = str(request.q.qname).rstrip(".")
        if name in self._answers and request.q.qtype == QTYPE.A:
            self.asked[name] += 1
            self._turn = next(self._answers[name])
            for address in self._turn:
                if ":" not in address:
                    reply.add_answer(RR(request.q.qname, QTYPE.A, rdata=A(address), ttl=0))
        elif name in self._answers and request.q.qtype == QTYPE.AAAA:
            for address in getattr(self, "_turn", ()):
                if ":" in address:
                    reply.add_answer(RR(request.q.qname, QTYPE.AAAA, rdata=AAAA(address), ttl=0))
        return reply


@contextlib.contextmanager
def nameserver(answers: Mapping[str, Sequence[Sequence[str]]]) -> Iterator[Names]:
    """Serve the names while the block runs; needs the right to listen on port 53."""
    names = Names(answers)
    server = DNSServer(names, address=ADDRESS, port=53, logger=DNSLogger(log="-request,-reply"))
    server.start_thread()
    try:
        yield names
    finally:
        server.stop()
        server.server.server_close()
