"""What the shop sells: made from short lists, always the same."""

from __future__ import annotations

from dataclasses import dataclass

PAGE_SIZE = 12

_KINDS = {
    "lamps": ("Lamp", 3900, "#f59e0b"),
    "chairs": ("Chair", 8900, "#0ea5e9"),
    "tables": ("Table", 14900, "#10b981"),
    "shelves": ("Shelf", 11900, "#8b5cf6"),
    "rugs": ("Rug", 5900, "#f43f5e"),
}
_NAMES = "Aalto Birk Calla Dune Ebba Fjord Gale Holm Iris Juno Kelp Lark".split()
_MATERIALS = "oak birch steel linen wool glass".split()


@dataclass(slots=True, frozen=True)
class Product:
    """One thing for sale. `price` is in cents, `rating` from 1 to 5."""

    number: int
    slug: str
    name: str
    category: str
    material: str
    colour: str
    price: int
    stock: int
    rating: float
    reviews: int

    @property
    def sku(self) -> str:
        """The shop's own number of it."""
        return f"{self.category[:2].upper()}-{self.number:03d}"

    @property
    def shown_price(self) -> str:
        """The price as a page shows it."""
        return f"€{self.price // 100:,}.{self.price % 100:02d}"


def _make() -> list[Product]:
    products = []
    for number in range(1, 61):
        category = list(_KINDS)[(number * 7) % len(_KINDS)]
        kind, base, colour = _KINDS[category]
        name = _NAMES[(number * 5) % len(_NAMES)]
        material = _MATERIALS[(number * 11) % len(_MATERIALS)]
        products.append(
            Product(
                number=number,
                slug=f"{name}-{kind}-{number}".lower(),
                name=f"{name} {material.capitalize()} {kind}",
                category=category,
                material=material,
                colour=colour,
                price=base + (number * 1_370) % 9_000 + 95,
                stock=(number * 13) % 9,
                rating=round(2.5 + (number * 17 % 26) / 10, 1),
                reviews=(number * 29) % 140,
            )
        )
    return products


PRODUCTS = _make()
CATEGORIES = list(_KINDS)
