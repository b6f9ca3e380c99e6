"""The time that all processes of a service agree on."""

import time

import pytest

from scrapemaster.domain.errors import StoreUnavailable
from scrapemaster.services.clock import StoreClock


class Shown:
    """A store whose clock shows what it is told to."""

    def __init__(self, ahead):
        self.ahead = ahead

    async def now(self):
        if self.ahead is None:
            raise StoreUnavailable("away")
        return time.time() + self.ahead


@pytest.mark.parametrize("ahead", [-3_600.0, 0.0, 3_600.0])
async def test_H46_the_store_s_clock_is_gone_by_whatever_the_machine_s_says(ahead):
    async with StoreClock(Shown(ahead)) as clock:
        assert clock() == pytest.approx(time.time() + ahead, abs=2.0)


async def test_H46_a_jump_of_the_machine_s_clock_changes_nothing(monkeypatch):
    async with StoreClock(Shown(0.0)) as clock:
        before = clock()
        monkeypatch.setattr(time, "time", lambda: before + 3_600.0)

        assert clock() == pytest.approx(before, abs=2.0)


async def test_a_store_that_is_away_leaves_the_clock_as_it_was():
    shown = Shown(3_600.0)
    async with StoreClock(shown) as clock:
        shown.ahead = None
        with pytest.raises(StoreUnavailable):
            await clock.look()

        assert clock() == pytest.approx(time.time() + 3_600.0, abs=2.0)
