"""A site whose texts would run as scripts wherever they are put into a page as markup (H35)."""

import contextlib
import threading
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PAYLOADS = [
    "<script>window.pwned=1</script>",
    "<img src=x onerror='window.pwned=1'>",
    "<svg onload=window.pwned=1>",
    "\"><iframe srcdoc='<script>parent.pwned=1</script>'></iframe>",
    "javascript:window.pwned=1",
    "{{constructor.constructor('window.pwned=1')()}}",
    "${window.pwned=1}",
    "</textarea><script>window.pwned=1</script>",
    "<a href='javascript:window.pwned=1'>a</a>",
    "<math><mi//xlink:href='data:x,<script>window.pwned=1</script>'>",
]
#: As a page that tries to run, to load and to leave.
PAGE = (
    "<html onclick='parent.pwned=1'><head><base href='http://elsewhere.invalid/'><meta http-equiv=refresh content='0;url=/gone'>"
    "<title>{title}</title><link rel=stylesheet href='/style.css'><style>@import 'http://elsewhere.invalid/a.css';"
    ".name{{color:rgb(1, 2, 3)}} body{{background:url(http://elsewhere.invalid/b.png)}}</style><script>parent.pwned=1;top.pwned=1</script></head>"
    "<body onload='parent.pwned=1' style='background:url(http://elsewhere.invalid/c.png)'><img src='http://elsewhere.invalid/d.png' onerror='parent.pwned=1'>"
    "<iframe src='http://elsewhere.invalid/e'></iframe><form action='http://elsewhere.invalid/f'><button>Go</button></form>"
    "<svg><use href='http://elsewhere.invalid/g#x'/><script>parent.pwned=1</script></svg><object data='http://elsewhere.invalid/h'></object>"
    "<video src='http://elsewhere.invalid/i' poster='http://elsewhere.invalid/j'></video><a class='away' href='javascript:parent.pwned=1'>away</a>"
    "<a class='link' href='/next'>next</a>{items}</body></html>"
)


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        kind = "text/html; charset=utf-8"
        if self.path == "/":
            items = "".join(f"<p class='name'>{escape(one)}</p>" for one in PAYLOADS)
            text = PAGE.format(title=escape(PAYLOADS[0]), items=items)
        else:
            self.send_error(404)
            return
        body = text.encode()
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@contextlib.contextmanager
def hostile_site():
    """The site, running; yields the URL of its page."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
