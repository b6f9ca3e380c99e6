"""What a page in the browser tries to reach, and must not: real servers at a shut address that say what came."""

import asyncio
import contextlib
import os
import socket
import subprocess
from ipaddress import ip_address, ip_network

import pytest
import pytest_asyncio
from awkward import PAGES, awkward_site, fixed, response

from scrapemaster.domain.errors import GiveUpPage, RetryPage
from scrapemaster.domain.ids import UserId, new_job_id
from scrapemaster.domain.job import Job, JobConfig
from scrapemaster.domain.rendering import Rendering
from scrapemaster.engines.browser import BrowserEngine
from scrapemaster.fetch.browser.gate import Gate
from scrapemaster.fetch.browser.pool import PoolRules
from scrapemaster.fetch.egress import EgressPolicy
from scrapemaster.fetch.throttle import Throttle

pytestmark = pytest.mark.asyncio(loop_scope="module")

#: The operator opened 127.0.0.1; this is loopback too, and not open.
SHUT = "127.0.0.2"


class Trap:
    """A server over TCP and UDP at the shut address, and what reached it."""

    def __init__(self):
        self.caught = []
        self.port = 0

    @contextlib.asynccontextmanager
    async def set(self):
        async def caught(_reader, writer):
            self.caught.append("tcp")
            writer.close()

        trap = self

        class Datagrams(asyncio.DatagramProtocol):
            def datagram_received(self, data, addr):
                trap.caught.append("udp")

        server = await asyncio.start_server(caught, SHUT, 0)
        self.port = server.sockets[0].getsockname()[1]
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(Datagrams, local_addr=(SHUT, self.port))
        try:
            yield self
        finally:
            server.close()
            transport.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def trap():
    async with Trap().set() as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site():
    async with awkward_site() as running:
        yield running


async def resolver(host):
    names = {"inside.test": [SHUT], "both.test": ["127.0.0.1", SHUT], "shop.test": ["127.0.0.1"]}
    if host not in names:
        raise OSError("no such name")
    return [ip_address(text) for text in names[host]]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine():
    egress = EgressPolicy([ip_network("127.0.0.1/32")], resolver=resolver)
    made = BrowserEngine(egress, Throttle(32), PoolRules(pages=4), 2_000_000)
    made.check()
    yield made
    await made.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def free():
    """The same with the other address open too."""
    made = BrowserEngine(
        EgressPolicy([ip_network("127.0.0.0/8")]), Throttle(32), PoolRules(pages=4), 2_000_000
    )
    yield made
    await made.close()


@pytest.fixture(autouse=True)
def empty(trap, site):
    trap.caught.clear()
    site.seen.clear()


def serve(path, html, **headers):
    PAGES[path] = fixed(response(html, **headers))


async def fetch(engine, url, rendering=None, **config):
    values = {"respect_robots": False, "timeout": 25.0, "browser": rendering or Rendering(), **config}
    pages = engine.open(Job(new_job_id(), UserId("ada"), [url], {}, JobConfig(**values), 0.0))
    try:
        return await pages.fetch(url)
    finally:
        await pages.close()


#: Ways to make a browser connect somewhere; `{there}` is host and port. Each says when it is done, by the title.
WAYS = {
    "fetch": "fetch('http://{there}/').catch(()=>0).finally(done)",
    "fetch no-cors": "fetch('http://{there}/',{{mode:'no-cors'}}).catch(()=>0).finally(done)",
    "xhr": "x=new XMLHttpRequest();x.open('GET','http://{there}/');x.onloadend=done;x.send()",
    "websocket": "w=new WebSocket('ws://{there}/');w.onclose=done",
    "eventsource": "e=new EventSource('http://{there}/');e.onerror=()=>{{e.close();done()}}",
    "image": "i=new Image();i.onerror=done;i.src='http://{there}/'",
    "iframe": "f=document.createElement('iframe');f.onload=done;f.src='http://{there}/';document.body.append(f)",
    "script": "s=document.createElement('script');s.onerror=done;s.src='http://{there}/';document.body.append(s)",
    "style": "s=document.createElement('link');s.rel='stylesheet';s.onerror=done;s.href='http://{there}/';document.head.append(s)",
    "beacon": "navigator.sendBeacon('http://{there}/','x');setTimeout(done,1000)",
    "prefetch": "for(r of ['prefetch','preconnect','dns-prefetch','preload','modulepreload']){{l=document.createElement('link');"
    "l.rel=r;l.as='script';l.href='http://{there}/';document.head.append(l)}};setTimeout(done,1000)",
    "form in a frame": "document.body.innerHTML='<iframe name=t></iframe><form target=t action=http://{there}/></form>';"
    "document.forms[0].submit();setTimeout(done,1000)",
    "popup": "window.open('http://{there}/');setTimeout(done,1000)",
    "worker": "b=new Blob([\"fetch('http://{there}/',{{mode:'no-cors'}}).catch(()=>0).finally(()=>postMessage(1))\"]);"
    "new Worker(URL.createObjectURL(b)).onmessage=done",
    "redirect": "fetch('/moved?to=http://{there}/',{{mode:'no-cors'}}).catch(()=>0).finally(done)",
    "frame redirect": "f=document.createElement('iframe');f.onload=done;f.src='/moved?to=http://{there}/';document.body.append(f)",
    "webtransport": "try{{t=new WebTransport('https://{there}/');t.closed.catch(()=>0).finally(done)}}catch(e){{done()}}",
    "stun": "p=new RTCPeerConnection({{iceServers:[{{urls:'stun:{there}'}}]}});p.createDataChannel('x');"
    "p.createOffer().then(o=>p.setLocalDescription(o));p.onicegatheringstatechange=()=>p.iceGatheringState=='complete'&&done();"
    "setTimeout(done,3000)",
    "turn": "p=new RTCPeerConnection({{iceServers:[{{urls:['turn:{there}?transport=udp','turn:{there}?transport=tcp'],username:'a',credential:'b'}}]}});"
    "p.createDataChannel('x');p.createOffer().then(o=>p.setLocalDescription(o));setTimeout(done,3000)",
    "peer": "p=new RTCPeerConnection();p.createDataChannel('x');p.createOffer().then(o=>p.setLocalDescription(o)).then(()=>"
    "p.setRemoteDescription({{type:'answer',sdp:p.localDescription.sdp.replace('actpass','active')}})).then(()=>"
    "p.addIceCandidate({{candidate:'candidate:1 1 udp 2122260223 '+'{there}'.replace(':',' ')+' typ host',sdpMid:'0'}})).catch(()=>0);"
    "setTimeout(done,3000)",
}


#: Ways that need UDP, which the browser has none of, or an answer to begin with; and a window, which is not opened unasked.
NO_TCP = {"stun", "turn", "peer", "webtransport", "popup"}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("host", [SHUT, "inside.test"])
async def test_H08_a_page_reaches_no_address_that_is_shut(engine, site, trap, way, host):
    script = WAYS[way].format(there=f"{host}:{trap.port}")
    serve("/attack", f"<title>x</title><body><script>done=()=>{{document.title='done'}};{script}</script>")
    wanted = Rendering(wait_for="//title[text()='done']", block_resources=())

    page = await fetch(engine, site.url("/attack"), wanted)

    assert b"<title>done</title>" in page.body
    assert trap.caught == []


@pytest.mark.parametrize("way", [way for way in WAYS if way not in NO_TCP])
async def test_each_of_these_ways_reaches_an_address_that_is_open(free, site, trap, way):
    script = WAYS[way].format(there=f"{SHUT}:{trap.port}")
    serve("/attack", f"<title>x</title><body><script>done=()=>{{document.title='done'}};{script}</script>")

    await fetch(free, site.url("/attack"), Rendering(wait_for="//title[text()='done']", block_resources=()))

    assert set(trap.caught) == {"tcp"}


@pytest.mark.parametrize("host", [SHUT, "inside.test", "both.test", "[::1]", "10.1.2.3", "169.254.169.254"])
async def test_H08_where_a_page_leads_by_itself_is_vetted(engine, site, trap, host):
    serve("/leads", f"<title>x</title><script>location='http://{host}:{trap.port}/'</script>")

    with pytest.raises((GiveUpPage, RetryPage)) as caught:
        await fetch(engine, site.url("/leads"), Rendering(wait_for=3_000))

    assert caught.value.reason == "egress_denied"
    assert trap.caught == []


async def test_H08_a_meta_refresh_is_vetted(engine, site, trap):
    serve("/leads", f"<meta http-equiv=refresh content='0;url=http://{SHUT}:{trap.port}/'>")

    with pytest.raises(GiveUpPage) as caught:
        await fetch(engine, site.url("/leads"), Rendering(wait_for=3_000))

    assert caught.value.reason == "egress_denied"
    assert trap.caught == []


@pytest.mark.parametrize(
    "scheme", ["file:///etc/passwd", "view-source:http://127.0.0.1/", "chrome://version", "data:text/html,x"]
)
async def test_H07_a_page_cannot_lead_to_other_schemes(engine, site, scheme):
    serve(
        "/leads",
        f"<title>still here</title><a id=a href='{scheme}'>x</a><script>location='{scheme}';document.getElementById('a').click()</script>",
    )

    page = await fetch(engine, site.url("/leads"), Rendering(wait_for=500))

    assert b"<title>still here</title>" in page.body


async def test_H07_a_frame_of_a_file_stays_empty(engine, site):
    serve(
        "/frame",
        "<title>x</title><iframe src='file:///etc/passwd' onload='try{t=contentDocument.body.innerText}catch(e){t=\"shut\"};"
        'document.title="got "+t\'></iframe>',
    )

    page = await fetch(engine, site.url("/frame"), Rendering(wait_for=1_000))

    assert b"root:" not in page.body


async def test_H08_a_service_worker_reaches_no_address_that_is_shut(engine, site, trap):
    PAGES["/sw.js"] = fixed(
        response(
            f"self.addEventListener('install',()=>fetch('http://{SHUT}:{trap.port}/',{{mode:'no-cors'}}))",
            kind="text/javascript",
        )
    )
    serve(
        "/worker",
        "<title>x</title><script>navigator.serviceWorker.register('/sw.js').then(r=>document.title='registered '+!!r)"
        ".catch(()=>document.title='refused')</script>",
    )

    page = await fetch(engine, site.url("/worker"), Rendering(wait_for=1_500))

    assert b"registered true" not in page.body
    assert trap.caught == []


async def test_H04_a_page_stays_at_the_address_that_was_vetted_when_its_name_turns(site, trap):
    answers = [["127.0.0.1"], [SHUT]]

    async def turning(_host):
        return [ip_address(text) for text in (answers.pop(0) if len(answers) > 1 else answers[0])]

    egress = EgressPolicy([ip_network("127.0.0.1/32")], resolver=turning)
    engine = BrowserEngine(egress, Throttle(8), PoolRules(pages=2), 2_000_000)
    serve(
        "/turn",
        f"<title>x</title><script>setTimeout(()=>fetch('http://turn.test:{trap.port}/').catch(()=>0)"
        ".finally(()=>document.title='done'),100)</script>",
    )
    page = await fetch(engine, site.url("/turn", "turn.test"), Rendering(wait_for="//title[text()='done']"))
    egress._cache.clear()
    with pytest.raises(GiveUpPage) as caught:
        await fetch(engine, site.url("/turn", "turn.test"))
    await engine.close()

    assert page.status == 200
    assert caught.value.reason == "egress_denied"
    assert trap.caught == []


async def test_a_page_and_what_it_loads_are_bounded_together(engine, site):
    PAGES["/blob"] = fixed(response(b"x" * 300_000, kind="text/plain"))
    serve(
        "/hungry",
        "<title>x</title><script>(async()=>{for(let n=0;n<50;n++)await fetch('/blob?'+n).then(r=>r.text())})()</script>",
    )

    with pytest.raises(GiveUpPage) as caught:
        await fetch(engine, site.url("/hungry"), Rendering(wait_for=15_000))

    assert caught.value.reason == "page_too_large"


async def test_what_is_left_out_is_not_loaded(engine, site):
    PAGES["/pixel"] = fixed(response(b"GIF89a", kind="image/gif"))
    PAGES["/style"] = fixed(response("p{color:red}", kind="text/css"))
    serve("/pictures", "<title>x</title><link rel=stylesheet href=/style><img src=/pixel><p>x</p>")

    await fetch(engine, site.url("/pictures"))
    blocked = site.hits["/pixel"], site.hits["/style"]
    await fetch(engine, site.url("/pictures"), Rendering(block_resources=("stylesheet",)))

    assert blocked == (0, 1)
    assert (site.hits["/pixel"], site.hits["/style"]) == (1, 1)


async def test_H05_secret_headers_go_home_and_nowhere_else(engine, site):
    away = site.url("/moved?to=/echo", "shop.test")
    serve(
        "/calls",
        f"<title>x</title><script>(async()=>{{for(u of ['/status?code=200','{away}','/moved?to={away}'])"
        "await fetch(u,{mode:'no-cors'}).catch(()=>0);document.title='done'})()</script>",
    )

    await fetch(
        engine,
        site.url("/calls"),
        Rendering(wait_for="//title[text()='done']"),
        headers={"X-Api-Key": "secret", "Accept-Language": "de"},
    )

    home = [one for one in site.seen if one.headers["host"].startswith("127.")]
    others = [one for one in site.seen if one.headers["host"].startswith("shop.")]
    assert {one.path for one in home} >= {"/calls", "/status", "/moved"}
    assert all(one.headers.get("x-api-key") == "secret" for one in home)
    assert {one.path for one in others} == {"/moved", "/echo"}
    assert not any("x-api-key" in one.headers for one in others)
    assert all(one.headers["accept-language"] == "de" for one in others)


async def test_the_gate_turns_away_other_users(site):
    if os.geteuid() != 0:
        assert os.environ.get("CI") != "true", "CI must run as root"
        pytest.skip("needs root, to be somebody else")
    gate = Gate(EgressPolicy([ip_network("127.0.0.1/32")]), None, 10**6, lambda: None)
    await gate.open()
    program = f"exec 3<>/dev/tcp/127.0.0.1/{gate.port}; printf '\\5\\1\\0' >&3; head -c 2 <&3 | od -An -tx1"

    async def answer(*before):
        process = await asyncio.create_subprocess_exec(
            *before, "bash", "-c", program, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        return (await process.communicate())[0].strip()

    ours = await answer()
    theirs = await answer("setpriv", "--reuid=65534", "--clear-groups", "--")
    gate.close()

    assert ours == b"05 00"
    assert theirs == b""


async def test_the_gate_speaks_nothing_but_its_protocol(site):
    gate = Gate(EgressPolicy([ip_network("127.0.0.1/32")]), None, 10**6, lambda: None)
    await gate.open()
    for said in (
        b"GET / HTTP/1.1\r\n\r\n",
        b"\4\1\0\x50\x7f\0\0\1\0",
        b"\5\1\2",
        b"\5" + b"x" * 2_000,
        b"\5\1\0\5\2\0\1\x7f\0\0\1\0\x50",
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", gate.port)
        writer.write(said)
        heard = b""
        with contextlib.suppress(ConnectionResetError):
            while part := await asyncio.wait_for(reader.read(100), 10):
                heard += part
        writer.close()
        assert heard in {b"", b"\5\xff", b"\5\0", b"\5\0\5\7\0\1\0\0\0\0\0\0"}
    gate.close()


async def test_the_gate_passes_bytes_to_addresses_that_are_open_alone(site, trap):
    gate = Gate(EgressPolicy([ip_network("127.0.0.1/32")], resolver=resolver), None, 10**6, lambda: None)
    await gate.open()

    async def ask(host, port, body):
        reader, writer = await asyncio.open_connection("127.0.0.1", gate.port)
        name = host.encode()
        writer.write(b"\5\1\0\5\1\0\3" + bytes([len(name)]) + name + port.to_bytes(2, "big") + body)
        heard = await asyncio.wait_for(reader.read(4_096), 10)
        if len(heard) <= 2:
            heard += await asyncio.wait_for(reader.read(4_096), 10)
        if heard[3:4] == b"\0":
            heard += await asyncio.wait_for(reader.read(4_096), 10)
        writer.close()
        return heard[2:]

    open_ = await ask("shop.test", site.port, b"GET /page HTTP/1.1\r\nHost: shop.test\r\n\r\n")
    shut = await ask("inside.test", trap.port, b"GET / HTTP/1.1\r\n\r\n")
    gone = await ask("lost.test", 80, b"")
    closed = await ask("127.0.0.1", _free_port(), b"")
    gate.close()

    assert b"<title>page</title>" in open_
    assert (shut[1], gone[1], closed[1]) == (2, 4, 5)
    assert {name: error.reason for (name, _), error in gate.refusals.items()} == {
        "inside.test": "egress_denied",
        "lost.test": "dns_failure",
        "127.0.0.1": "connection_refused",
    }
    assert trap.caught == []


def _free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]
