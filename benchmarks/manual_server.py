"""Sites served by nginx on one pinned core: files, and pages that its configuration makes from nothing."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_CONFIG = """
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log stderr error;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  log_not_found off;
  types {{ text/html html htm; text/css css; image/png png; image/svg+xml svg; application/javascript js; }}
  default_type application/octet-stream;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  keepalive_requests 1000000;
  open_file_cache max=10000;
  server {{ {listen} root {root}; index index.html; {locations} }}
}}
"""


def free_port() -> int:
    """Find a TCP port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def nginx(
    root: Path, core: int | None = None, *, locations: str = "", addresses: Sequence[str] = ("127.0.0.1",)
) -> Iterator[str]:
    """Serve `root`, on one core if given; yields the base URL, of the first address.

    `locations`: more of nginx's configuration, of its server. `addresses`: those of loopback that it listens on, all on one port.
    """
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        raise SystemExit("nginx is not installed: apt-get install nginx-light")
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        # nginx's worker gives up root for `nobody`, who must be able to reach its folders.
        Path(folder).chmod(0o755)
        config = Path(folder) / "nginx.conf"
        listen = " ".join(f"listen {address}:{port};" for address in addresses)
        config.write_text(_CONFIG.format(folder=folder, listen=listen, root=root, locations=locations))
        pin = ["taskset", "-c", str(core)] if core is not None else []
        process = subprocess.Popen([*pin, program, "-c", str(config), "-e", "stderr"])
        try:
            wait_for_port(port, address=addresses[0])
            yield f"http://{addresses[0]}:{port}"
        finally:
            process.terminate()
            process.wait()


def wait_for_port(port: int, seconds: float = 15.0, address: str = "127.0.0.1") -> None:
    """Return once something listens there."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with socket.socket() as probe:
            if probe.connect_ex((address, port)) == 0:
                return
        time.sleep(0.02)
    raise SystemExit(f"nothing listens on port {port} after {seconds} s")
