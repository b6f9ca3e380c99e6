"""The shop's pages, as HTML."""

from __future__ import annotations

import json
from html import escape

from scrapemaster.demo.catalogue import CATEGORIES, PAGE_SIZE, PRODUCTS, Product

_STYLE = """
:root{color-scheme:light dark;--ink:#1c1917;--soft:#78716c;--line:#e7e5e4;--card:#fff;--back:#fafaf9;--accent:#0f766e}
@media(prefers-color-scheme:dark){:root{--ink:#f5f5f4;--soft:#a8a29e;--line:#292524;--card:#1c1917;--back:#0c0a09;--accent:#2dd4bf}}
*{box-sizing:border-box}body{margin:0;font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--back)}
header,main,footer{max-width:1080px;margin:auto;padding:1rem 1.25rem}header{display:flex;gap:1.5rem;align-items:baseline;flex-wrap:wrap}
.brand{font-weight:700;font-size:1.25rem;color:var(--ink)}a{color:var(--accent);text-decoration:none}a:hover{text-decoration:underline}
.grid{display:grid;grid-template-columns:repeat(auto-fill,minmax(220px,1fr));gap:1.25rem}
.product{background:var(--card);border:1px solid var(--line);border-radius:14px;padding:1rem;display:flex;flex-direction:column;gap:.35rem}
.product img,.detail img{width:100%;border-radius:10px}.product h2{font-size:1rem;margin:.25rem 0 0}.price{font-weight:700}
.stock,.rating,footer{color:var(--soft);font-size:.9rem}.pager{display:flex;gap:1rem;justify-content:center;margin:2rem}
.detail{display:grid;grid-template-columns:1fr 1fr;gap:2rem}@media(max-width:640px){.detail{grid-template-columns:1fr}}
table{border-collapse:collapse}td,th{text-align:left;padding:.35rem 1.5rem .35rem 0;border-bottom:1px solid var(--line)}
"""


def page(title: str, body: str, head: str = "") -> bytes:
    """A whole page."""
    menu = " ".join(f'<a href="/category/{name}">{name.capitalize()}</a>' for name in CATEGORIES)
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)} · Nordhus</title>'
        f'<meta name="viewport" content="width=device-width,initial-scale=1">{head}<style>{_STYLE}</style></head><body>'
        f'<header><a class="brand" href="/">Nordhus</a><nav>{menu} <a href="/deals">Deals</a></nav></header>'
        f"<main>{body}</main><footer>A shop that sells nothing: the demo site of ScrapeMaster.</footer></body></html>"
    ).encode()


def listing(path: str, number: int, category: str | None = None) -> bytes | None:
    """A page of the catalogue; None if there is none with that number."""
    products = [one for one in PRODUCTS if category is None or one.category == category]
    last = (len(products) + PAGE_SIZE - 1) // PAGE_SIZE
    if not 1 <= number <= last:
        return None
    shown = products[(number - 1) * PAGE_SIZE : number * PAGE_SIZE]
    heading = "All products" if category is None else category.capitalize()
    cards = "".join(card(one) for one in shown)
    links = []
    head = ""
    if number > 1:
        links.append(f'<a rel="prev" href="{path}?page={number - 1}">← Previous</a>')
    if number < last:
        links.append(f'<a rel="next" href="{path}?page={number + 1}">Next →</a>')
        head = f'<link rel="next" href="{path}?page={number + 1}">'
    body = (
        f'<h1>{heading}</h1><p class="count">{len(products)} products</p><div class="grid">{cards}</div>'
        f'<nav class="pager">{" ".join(links)}</nav>'
    )
    return page(heading, body, head)


def card(product: Product) -> str:
    """A product in a listing."""
    return (
        f'<article class="product" data-sku="{product.sku}"><img src="/image/{product.slug}.svg" alt="{escape(product.name)}">'
        f'<h2><a href="/product/{product.slug}">{escape(product.name)}</a></h2>'
        f'<span class="price">{product.shown_price}</span><span class="stock">{stock(product)}</span></article>'
    )


def stock(product: Product) -> str:
    """How many there are, in words."""
    return f"{product.stock} in stock" if product.stock else "Sold out"


def product_page(product: Product) -> bytes:
    """A product's own page, with JSON-LD."""
    data = {
        "@context": "https://schema.org",
        "@type": "Product",
        "name": product.name,
        "sku": product.sku,
        "material": product.material,
        "offers": {
            "@type": "Offer",
            "price": f"{product.price / 100:.2f}",
            "priceCurrency": "EUR",
            "availability": f"https://schema.org/{'InStock' if product.stock else 'OutOfStock'}",
        },
        "aggregateRating": {
            "@type": "AggregateRating",
            "ratingValue": product.rating,
            "reviewCount": product.reviews,
        },
    }
    head = (
        f'<link rel="canonical" href="/product/{product.slug}"><meta property="og:title" content="{escape(product.name)}">'
        f'<meta property="og:type" content="product"><script type="application/ld+json">{json.dumps(data)}</script>'
    )
    body = (
        f'<div class="detail"><img src="/image/{product.slug}.svg" alt="{escape(product.name)}"><div>'
        f'<p><a href="/category/{product.category}">{product.category.capitalize()}</a></p>'
        f'<h1 class="product-title">{escape(product.name)}</h1><p class="price">{product.shown_price}</p>'
        f'<p class="stock">{stock(product)}</p>'
        f'<p class="rating" data-rating="{product.rating}">{product.rating} of 5 ({product.reviews} reviews)</p>'
        f'<table class="facts"><tr><th>SKU</th><td>{product.sku}</td></tr><tr><th>Material</th><td>{product.material}</td></tr>'
        f"<tr><th>Category</th><td>{product.category}</td></tr></table></div></div>"
    )
    return page(product.name, body, head)


def image(product: Product) -> bytes:
    """A picture of sorts."""
    turn = product.number * 23 % 360
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 320 220">'
        f'<rect width="320" height="220" fill="{product.colour}" opacity=".18"/>'
        f'<g transform="rotate({turn} 160 110)" fill="{product.colour}"><rect x="100" y="96" width="120" height="28" rx="14"/>'
        '<rect x="146" y="50" width="28" height="120" rx="14" opacity=".6"/></g></svg>'
    ).encode()


def deals() -> bytes:
    """A page that shows nothing until its script ran."""
    script = (
        "fetch('/api/deals.json').then(r=>r.json()).then(deals=>{document.getElementById('deals').innerHTML="
        'deals.map(d=>`<article class="product deal"><h2>${d.name}</h2><span class="price">${d.price}</span></article>`).join(\'\')})'
    )
    return page("Deals", f'<h1>Deals</h1><div id="deals" class="grid"></div><script>{script}</script>')


def deals_json() -> bytes:
    """What that script asks for."""
    cheapest = sorted(PRODUCTS, key=lambda one: one.price)[:8]
    return json.dumps(
        [{"name": one.name, "price": one.shown_price, "sku": one.sku} for one in cheapest]
    ).encode()
