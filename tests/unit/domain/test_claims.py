"""Who may use a store beside whom."""

from hypothesis import given
from hypothesis import strategies as st

from scrapemaster.domain.claims import Claim, Held, Kind, rival_of

CLAIMS = st.builds(Claim, st.sampled_from(Kind), st.sampled_from("abcd"), st.just("on a machine"))
HELD = st.lists(st.builds(Held, CLAIMS, st.floats(0, 100)), max_size=6)


@given(CLAIMS, HELD, st.floats(0, 100))
def test_an_embedded_service_is_alone_and_fleets_are_together(claim, held, now):
    rival = rival_of(claim, held, now)

    others = [one for one in held if one.ends_at > now and one.claim.holder != claim.holder]
    alone = claim.kind is Kind.EMBEDDED
    in_the_way = [one for one in others if alone or one.claim.kind is Kind.EMBEDDED]
    assert (rival is None) == (not in_the_way)
    if rival is not None:
        assert rival in in_the_way
        assert rival.ends_at == max(one.ends_at for one in in_the_way)


@given(CLAIMS, st.floats(0, 100))
def test_nobody_is_in_the_way_of_what_it_was_before(claim, now):
    assert rival_of(claim, [Held(claim, now + 5)], now) is None
