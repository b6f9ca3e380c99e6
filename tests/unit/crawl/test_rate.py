from scrapemaster.crawl.rate import RateMeter


def test_the_rate_is_that_of_the_last_ten_seconds():
    meter = RateMeter()
    meter.restart(0.0)

    for second in range(1, 21):
        meter.add(100 if second <= 10 else 10, float(second))

    assert 9.0 <= meter.rate(20.0) <= 20.0


def test_nothing_is_said_before_half_a_second_was_seen():
    meter = RateMeter()
    meter.restart(0.0)
    meter.add(1_000, 0.1)

    assert meter.rate(0.2) == 0.0
    assert meter.rate(1.0) == 1_000.0
