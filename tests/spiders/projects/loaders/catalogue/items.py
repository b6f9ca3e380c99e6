from dataclasses import dataclass, field

import attr


def strip(value):
    return value.strip()


def cents(value):
    return round(float("".join(c for c in value if c.isdigit() or c == ".")) * 100)


@dataclass
class Product:
    name: str | None = field(default=None)
    cents: int | None = field(default=None)
    facts: str | None = field(default=None)


@attr.s
class Category:
    name = attr.ib(default=None)
    count = attr.ib(default=None)
