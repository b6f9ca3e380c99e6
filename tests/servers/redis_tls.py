"""A real redis-server that speaks TLS only and knows one user, with a certificate authority of the test's own."""

import shutil
import socket
import ssl
import subprocess
from pathlib import Path

from servers.redis import RedisServer, must_have

USER, PASSWORD = "shop", "a:p@ss/wörd"
#: As it stands in a URL.
QUOTED = "a%3Ap%40ss%2Fw%C3%B6rd"


def make_authority(folder, name):
    """A certificate authority, made by openssl; the path of its certificate."""
    _openssl(
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
        "-subj", f"/CN={name}", "-keyout", folder / f"{name}.key", "-out", folder / f"{name}.crt",
    )  # fmt: skip
    return folder / f"{name}.crt"


def make_certificate(folder, authority, address):
    """A server's certificate for an IP address, signed by the authority; the paths of certificate and key."""
    certificate, key, asked = (folder / f"{address}.{ending}" for ending in ("crt", "key", "csr"))
    extensions = folder / f"{address}.ext"
    extensions.write_text(f"subjectAltName=IP:{address}\n")
    _openssl(
        "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-subj", "/CN=redis", "-keyout", key, "-out", asked,
    )  # fmt: skip
    _openssl(
        "x509", "-req", "-in", asked, "-CA", authority, "-CAkey", authority.with_suffix(".key"),
        "-CAcreateserial", "-days", "2", "-extfile", extensions, "-out", certificate,
    )  # fmt: skip
    return certificate, key


def _openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


class TlsRedisServer(RedisServer):
    """Listens on its port with TLS alone, for `USER` alone; `ca` is the certificate of who signed its own."""

    def __init__(self, folder: Path):
        must_have("redis-server with TLS (Debian's package redis-server)", shutil.which("redis-server"))
        self.ca = make_authority(folder, "authority")
        certificate, key = make_certificate(folder, self.ca, "127.0.0.1")
        super().__init__(
            *("--tls-cert-file", str(certificate), "--tls-key-file", str(key), "--tls-auth-clients", "no"),
            *("--user", "default", "off"),
            *("--user", USER, "on", f">{PASSWORD}", "~*", "&*", "+@all"),
        )
        # The last options win: no plain port.
        self._options = (*self._options, "--port", "0", "--tls-port", str(self.port))
        self.url = self.address()

    def address(self, *, user=USER, password=QUOTED, ca=None):
        return f"rediss://{user}:{password}@127.0.0.1:{self.port}/0?ssl_ca_certs={ca or self.ca}"

    def say(self, command):
        context = ssl.create_default_context(cafile=self.ca)
        try:
            with (
                socket.create_connection(("127.0.0.1", self.port), timeout=2) as plain,
                context.wrap_socket(plain, server_hostname="127.0.0.1") as connection,
            ):
                connection.sendall(command + b"\r\n")
                return connection.recv(100)
        except OSError:
            return b""
