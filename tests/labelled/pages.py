"""Labelled pages: for each, whether plain HTTP is enough for its rows or a browser is needed.

Each site is one host with pages of one kind (one of them has two), as a job meets them. The applications are built by `apps/build.sh` with their own tools;
`built` has what that made.
"""

import json
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

HERE = Path(__file__).parent
ITEMS = json.loads((HERE / "apps/items.json").read_text())
BUILT = {app: (HERE / f"built/{app}/app.js").read_bytes() for app in ("react", "vue", "svelte", "angular")}
PRERENDERED = {
    app: json.loads((HERE / f"built/{app}/pages.json").read_text()) for app in ("react", "vue", "svelte")
}
ROOT = {"react": "root", "vue": "app", "svelte": "svelte"}

ITEM = {
    "title": "h1.title::text",
    "price": "p.price::text",
    "stock": "p.stock::text",
    "specs": {"selector": "ul.specs li::text", "many": True},
}
CARDS = {"name": "h2 a::text", "price": ".price::text", "link": "h2 a::attr(href)"}

HTTP, BROWSER = "http", "browser"


@dataclass(frozen=True)
class Reply:
    """What the server sends. `challenge`: only to those who come with the cookie that the page's script sets; others get a challenge of that status."""

    body: bytes
    kind: str = "text/html; charset=utf-8"
    challenge: int = 0


@dataclass
class Site:
    """A host: what is wanted of its pages, the pages by path, and their labels. `volatile` are fields whose values change by themselves."""

    name: str
    selectors: dict
    config: dict = field(default_factory=dict)
    replies: dict[str, Reply] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    volatile: frozenset[str] = frozenset()

    def add(self, path, body, label, **reply):
        self.replies[path] = Reply(body.encode() if isinstance(body, str) else body, **reply)
        self.labels[path] = label
        return self


def document(title, body, head=""):
    return f"<!doctype html><html lang=en><head><meta charset=utf-8><title>{escape(title)}</title>{head}</head><body>{body}</body></html>"


NAVIGATION = "<nav>" + "".join(f"<a href=/item/{n}>Thing {n}</a> " for n in range(1, 7)) + "</nav>"


def markup(item, *, price=True):
    specs = "".join(f"<li>{one}</li>" for one in item["specs"])
    shown = f"<p class=price>{item['price']}</p>" if price else ""
    return (
        f"<main class=item><h1 class=title>{item['name']}</h1>{shown}<p class=stock>{item['stock']}</p>"
        f"<p class=text>{item['text']}</p><ul class=specs>{specs}</ul></main>"
    )


def cards(items):
    return "<section class=cards>" + "".join(
        f'<article class=card><h2><a href="/item/{one["n"]}">{one["name"]}</a></h2><span class=price>{one["price"]}</span></article>'
        for one in items
    ) + "</section>"  # fmt: skip


def application(app, boot, inside="", around=("", ""), title="Shop"):
    """A page of an application: its root with what is `inside` it, `around` that what a server wrote, its data for the start, its script."""
    name = boot.get("root") or ROOT.get(app)
    root = "<app-root>{}</app-root>" if app == "angular" else f"<div id={name}>{{}}</div>"
    start = json.dumps(boot, ensure_ascii=False).replace("<", "\\u003c")
    script = (
        f'<script id=boot type="application/json">{start}</script><script type=module src=/{app}.js></script>'
    )
    return document(title, around[0] + root.format(inside) + around[1] + script)


def plain():
    site = Site("plain", ITEM)
    for item in ITEMS[:10]:
        site.add(f"/item/{item['n']}", document(item["name"], NAVIGATION + markup(item)), HTTP)
    return site


#: What shops load beside their pages: counters, banners, a menu.
TRACKERS = """<script>window.dataLayer=window.dataLayer||[];function gtag(){dataLayer.push(arguments)}gtag('js',new Date());gtag('config','G-1')</script>
<script src=/tracker.js async></script>"""
TRACKER_JS = b"""(function(){var d=document;function ready(f){d.readyState!='loading'?f():d.addEventListener('DOMContentLoaded',f)}
ready(function(){d.body.className+=' js';var b=d.createElement('div');b.className='cookie-banner';b.innerHTML='<p>We value your privacy</p><button>Accept</button>';
d.body.appendChild(b);var s=0;for(var i=0;i<2e5;i++){s+=Math.sqrt(i)}d.documentElement.dataset.sum=s;
d.querySelectorAll('nav a').forEach(function(a){a.addEventListener('click',function(){})})})})();"""


def tracked():
    site = Site("tracked", ITEM)
    site.replies["/tracker.js"] = Reply(TRACKER_JS, "text/javascript")
    for item in ITEMS[:12]:
        page = document(item["name"], NAVIGATION + markup(item), TRACKERS)
        site.add(f"/item/{item['n']}", page, HTTP)
    return site


def no_script_texts():
    site = Site("noscript", CARDS, {"item": "article.card"})
    note = "<noscript><p>Please enable JavaScript to use all of this site.</p></noscript>"
    script = "<script>document.body.classList.add('js');document.querySelectorAll('.card').forEach(c=>c.onclick=()=>{})</script>"
    for page in range(8):
        body = note + NAVIGATION + cards(ITEMS[page * 4 : page * 4 + 4]) + script
        site.add(f"/list/{page}", document(f"Page {page}", body), HTTP)
    return site


def structured():
    site = Site("structured", {})
    for item in ITEMS[:8]:
        data = {
            "@context": "https://schema.org",
            "@type": "Product",
            "name": item["name"],
            "offers": {"price": item["price"]},
        }
        head = f'<meta name=description content="{item["text"]}"><script type="application/ld+json">{json.dumps(data)}</script>'
        page = document(
            item["name"], NAVIGATION + markup(item) + "<script>window.t0=Date.now()</script>", head
        )
        site.add(f"/item/{item['n']}", page, HTTP)
    return site  # fmt: skip


def optional_fields():
    site = Site("optional", ITEM)
    site.replies["/tracker.js"] = Reply(TRACKER_JS, "text/javascript")
    for item in ITEMS[:12]:
        page = document(item["name"], NAVIGATION + markup(item, price=item["n"] % 3 > 0), TRACKERS)
        site.add(f"/item/{item['n']}", page, HTTP)
    return site


def about_loading():
    """Pages whose real texts look like placeholders."""
    site = Site("about-loading", {"title": "h1::text", "sign": "p.sign::text", "text": "p.text::text"})
    script = "<script>document.querySelectorAll('p').forEach(p=>p.dataset.seen='1')</script>"
    for n, sign in enumerate(["Loading…", "{{ price }}", "—", "...", "Loading...", "Please wait", "…", "--"]):
        body = f"<h1>How to show {n}</h1><p class=sign>{sign}</p><p class=text>{ITEMS[n]['text']}</p>{NAVIGATION}{script}"
        site.add(f"/howto/{n}", document("How to", body), HTTP)
    return site


def hydrated(app):
    """Rendered by a server, then taken over by the application, which changes nothing."""
    site = Site(f"hydrated-{app}", ITEM)
    for item in ITEMS[:12]:
        boot = {"view": "item", "data": item, "hydrate": True}
        page = application(app, boot, PRERENDERED[app][f"item/{item['n']}"], (NAVIGATION, ""), item["name"])
        site.add(f"/item/{item['n']}", page, HTTP)
    return site


def corrected(app):
    """Rendered by a server from a cache; the application then shows what is so now."""
    site = Site(f"corrected-{app}", ITEM)
    for item in ITEMS[:9]:
        now = {**item, "price": "€1.00", "stock": "Last one"}
        site.replies[f"/data/{item['n']}.json"] = _json(now)
        boot = {"view": "item", "data": item, "hydrate": True, "src": f"/data/{item['n']}.json"}
        page = application(app, boot, PRERENDERED[app][f"item/{item['n']}"], (NAVIGATION, ""), item["name"])
        site.add(f"/item/{item['n']}", page, BROWSER)
    return site


def data_files():
    site = Site("data", {"name": {"selector": "$.name", "type": "jsonpath"}})
    for item in ITEMS[:6]:
        site.add(f"/item/{item['n']}.json", json.dumps(item), HTTP, kind="application/json")
    return site


def volatile():
    """Pages of which a part is another each time, whoever asks."""
    site = Site("volatile", {**ITEM, "seen": "p.seen::text"}, volatile=frozenset({"seen"}))
    script = "<script>document.title+=' *'</script>"
    for item in ITEMS[:8]:
        body = NAVIGATION + markup(item) + "<p class=seen>$COUNTER people looked at this</p>" + script
        site.add(f"/item/{item['n']}", document(item["name"], body), HTTP)
    return site


def islands():
    """Shells that carry their data with them, where the order reads it."""
    site = Site("island", {"name": {"selector": r'"name": "([^"]+)"', "type": "regex"}})
    for item in ITEMS[:8]:
        site.add(f"/item/{item['n']}", application("react", {"view": "item", "data": item}), HTTP)
    return site


def shells(app):
    site = Site(f"shell-{app}", ITEM)
    for item in ITEMS[:9]:
        site.replies[f"/data/{item['n']}.json"] = _json(item)
        boot = {"view": "item", "src": f"/data/{item['n']}.json", "late": 40 * (item["n"] % 4)}
        site.add(f"/item/{item['n']}", application(app, boot), BROWSER)
    return site


def shell_lists(app):
    site = Site(f"list-{app}", CARDS, {"item": "article.card"})
    for page in range(6):
        site.replies[f"/data/list{page}.json"] = _json(ITEMS[page * 5 : page * 5 + 5])
        boot = {"view": "list", "src": f"/data/list{page}.json"}
        around = (
            "<header><p>Everything for the house, made by small workshops.</p></header>"
            + NAVIGATION * (page % 2),
            "",
        )
        site.add(f"/list/{page}", application(app, boot, around=around), BROWSER)
    return site  # fmt: skip


def skeletons(app):
    """The server writes placeholders where the order looks for values."""
    site = Site(f"skeleton-{app}", {"title": "h1.title::text", "price": "p.price::text"})
    body = "<main class=item><h1 class=title>{}</h1><p class=price>{}</p></main>"
    for item, (title, price) in zip(
        ITEMS, [("Loading…", "—"), ("Loading...", "€ --"), ("…", "…")] * 2, strict=False
    ):
        site.replies[f"/data/{item['n']}.json"] = _json(item)
        boot = {"view": "item", "src": f"/data/{item['n']}.json", "skeleton": True}
        page = application(
            app, boot, body.format(title, price), (NAVIGATION, f"<footer><p>{item['text'] * 3}</p></footer>")
        )
        site.add(f"/item/{item['n']}", page, BROWSER)
    return site  # fmt: skip


def half_filled(app):
    """What is dear to the shop is filled in by an application in a corner of a page that its server wrote."""
    site = Site(f"half-{app}", ITEM)
    for item in ITEMS[:8]:
        site.replies[f"/data/{item['n']}.json"] = _json(item)
        boot = {"view": "price", "root": "buy", "src": f"/data/{item['n']}.json"}
        around = (
            NAVIGATION + f"<h1 class=title>{item['name']}</h1>",
            f"<ul class=specs><li>{item['specs'][0]}</li></ul><p>{item['text'] * 4}</p>",
        )
        site.add(f"/item/{item['n']}", application(app, boot, around=around), BROWSER)
    return site  # fmt: skip


def written_by_scripts():
    site = Site("written", CARDS, {"item": "article.card"})
    script = (
        "<script>var things={};document.getElementById('list').innerHTML=things.map(function(t){{return "
        "'<article class=card><h2><a href=\"/item/'+t.n+'\">'+t.name+'</a></h2><span class=price>'+t.price+'</span></article>'}}).join('')</script>"
    )
    for page in range(8):
        things = json.dumps(ITEMS[page * 3 : page * 3 + 3])
        body = NAVIGATION + "<h1>All things</h1><div id=list></div>" + script.format(things)
        site.add(f"/list/{page}", document("Things", body), BROWSER)
    return site


def challenged(name, status):
    """Whoever has not run the challenge's script gets nothing else."""
    site = Site(name, ITEM)
    for item in ITEMS[:8]:
        page = document(item["name"], NAVIGATION + markup(item))
        site.add(f"/item/{item['n']}", page, BROWSER, challenge=status)
    return site


CHALLENGE = document(
    "Just a moment...",
    "<h1>Checking your browser</h1><div id=cf-content>This takes a moment.</div>",
    "<script>window._cf_chl_opt={cvId:'3'};setTimeout(function(){document.cookie='passed=1; path=/';location.reload()},60)</script>",
).encode()


def mixed():
    """A host with articles that its server writes, and a shop that is an application."""
    site = Site("mixed", {"title": "h1.title::text", "text": "p.text::text"})
    for item in ITEMS[:8]:
        script = "<script>document.body.dataset.ready='1'</script>"
        article = document(item["name"], NAVIGATION + markup(item) + script)
        site.add(f"/articles/{item['n']}", article, HTTP)
        site.replies[f"/data/{item['n']}.json"] = _json(item)
        boot = {"view": "item", "src": f"/data/{item['n']}.json"}
        site.add(f"/shop/{item['n']}", application("vue", boot), BROWSER)
    return site


def _json(value):
    return Reply(json.dumps(value, ensure_ascii=False).encode(), "application/json")


def all_sites():
    """Every site, in an order that does not matter."""
    sites = [
        plain(), tracked(), no_script_texts(), structured(), optional_fields(), about_loading(), data_files(), volatile(), islands(),
        written_by_scripts(), half_filled("react"), half_filled("svelte"), challenged("challenge-403", 403),
        challenged("challenge-503", 503), challenged("challenge-200", 200), mixed(),
    ]  # fmt: skip
    sites += [hydrated(app) for app in PRERENDERED]
    sites += [corrected(app) for app in ("react", "vue", "svelte")]
    sites += [make(app) for make in (shells, shell_lists) for app in BUILT]
    sites += [skeletons(app) for app in ("react", "vue", "angular")]
    return sites
