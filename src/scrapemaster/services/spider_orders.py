"""Orders to run spiders: which project, which version, and whether there is such a spider."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import replace

from scrapemaster.domain.errors import InvalidInput
from scrapemaster.domain.spider import ProjectVersion, SpiderOrder, check_settings
from scrapemaster.ports.projects import ProjectStore


def check_scrapy() -> None:
    """Raise `InvalidInput` where Scrapy is not installed; loads nothing of it."""
    if importlib.util.find_spec("scrapy") is None:
        raise InvalidInput(
            "spiders need an extra that is not installed: run pip install 'scrapemaster[scrapy]'", ("engine",)
        )


class SpiderOrders:
    """Makes orders whole. `check` raises a `UserError` where spiders cannot be run at all."""

    def __init__(self, projects: ProjectStore, check: Callable[[], None] = check_scrapy) -> None:
        self._projects = projects
        self._check = check

    async def resolved(self, order: SpiderOrder) -> SpiderOrder:
        """The order with its project and version; raises `InvalidInput` when there is no such spider, or more than one."""
        self._check()
        check_settings(order.settings)
        version = await self._version_of(order)
        if order.name not in version.spiders:
            known = ", ".join(version.spiders) or "none"
            raise InvalidInput(
                f"version {version.version} of the project {version.project} has no spider {order.name[:100]!r}; its spiders: {known}",
                ("spider",),
            )
        return replace(order, project=version.project, version=version.version)

    async def _version_of(self, order: SpiderOrder) -> ProjectVersion:
        if order.project:
            found = await self._projects.get(order.project, order.version or None)
            if found is not None:
                return found
            if order.version and await self._projects.get(order.project) is not None:
                raise InvalidInput(
                    f"the project {order.project} has no version {order.version[:100]!r}; GET /projects lists them",
                    ("version",),
                )
            raise InvalidInput(
                f"there is no project {order.project[:100]!r}; GET /projects lists them", ("project",)
            )
        latest = {version.project: version for version in await self._projects.find()}
        having = [version for version in latest.values() if order.name in version.spiders]
        if len(having) == 1:
            return having[0]
        if not having:
            raise InvalidInput(
                f"no project has a spider {order.name[:100]!r}; GET /projects lists them", ("spider",)
            )
        names = ", ".join(sorted(version.project for version in having))
        raise InvalidInput(f"several projects have a spider {order.name}: name one of {names}", ("project",))
