from hypothesis import given, settings
from hypothesis import strategies as st

from scrapemaster.domain.escalation import (
    HOSTS,
    LOOKS,
    MEANING,
    PLAIN_REASONS,
    RECHECK,
    RECHECK_AT_MOST,
    RETURN_AT_MOST,
    SECTIONS,
    STREAK,
    SUSPECT_PROOFS,
    Choice,
    Finding,
    HostLore,
    Lesson,
    LookLore,
    Reason,
    Signs,
    Step,
    after_rendering,
    all_learnt,
    before_asking,
    learnt,
    on_plain_page,
    section_of,
    suspicion_of,
)

unhurried = settings(deadline=None)
SUSPICIONS = (Reason.CHALLENGE, Reason.BLOCKED, Reason.SCRIPT_SHELL, Reason.PLACEHOLDERS, Reason.FIELDS_EMPTY)
looks = st.sampled_from(["a", "b", "c"])
signs = st.builds(
    Signs, looks, scripts=st.just(True), suspicion=st.one_of(st.none(), st.sampled_from(SUSPICIONS))
)
lessons = st.lists(
    st.builds(Lesson, st.just("h"), st.sampled_from(["", "shop"]), looks, st.sampled_from(Finding)),
    max_size=80,
)


def known(history):
    lore = HostLore()
    for lesson in history:
        lore = learnt(lore, lesson)
    return lore


def taught(finding, times, look="a"):
    return [Lesson("h", "", look, finding)] * times


@unhurried
@given(st.booleans(), lessons)
def test_a_page_on_which_nothing_runs_is_never_rendered(more, history):
    choice = on_plain_page(Signs(""), known(history), more=more)

    assert choice == Choice(Step.PLAIN, Reason.NO_SCRIPTS)


@unhurried
@given(signs, st.booleans())
def test_of_an_unknown_host_a_suspect_is_rendered_and_a_complete_page_only_for_the_sake_of_others(sign, more):
    choice = on_plain_page(sign, HostLore(), more=more)

    if sign.suspicion is not None:
        assert choice == Choice(Step.RENDER, sign.suspicion)
    else:
        assert choice.step is (Step.RENDER if more else Step.PLAIN)
        assert choice.sample is more


@unhurried
@given(signs, lessons, st.booleans())
def test_a_choice_has_a_reason_of_its_engine(sign, history, more):
    choice = on_plain_page(sign, known(history), more=more)

    assert (choice.why in PLAIN_REASONS) == (choice.step is Step.PLAIN)
    assert after_rendering(choice, changed=False).why in PLAIN_REASONS
    assert (after_rendering(choice, changed=True).why in PLAIN_REASONS) == (choice.step is Step.PLAIN)


@unhurried
@given(signs, lessons)
def test_what_rendering_changed_a_moment_ago_is_rendered(sign, history):
    lore = learnt(known(history), Lesson("h", "", sign.look, Finding.CHANGED))

    assert on_plain_page(sign, lore, more=False).step is Step.RENDER


@unhurried
@given(signs, lessons)
def test_what_rendering_keeps_leaving_as_it_is_is_not_rendered(sign, history):
    lore = known(history)
    for _ in range(3):
        lore = learnt(lore, Lesson("h", "", sign.look, Finding.SAME))

    assert on_plain_page(sign, lore, more=True) == Choice(Step.PLAIN, Reason.LEARNED)


def test_a_suspect_is_trusted_after_more_proofs_than_a_complete_page():
    suspect, complete = Signs("a", scripts=True, suspicion=Reason.FIELDS_EMPTY), Signs("a", scripts=True)
    once = known(taught(Finding.SAME, 1))

    assert on_plain_page(complete, once, more=True).step is Step.PLAIN
    assert on_plain_page(suspect, once, more=True).step is Step.RENDER
    assert on_plain_page(suspect, known(taught(Finding.SAME, SUSPECT_PROOFS)), more=True).step is Step.PLAIN


@unhurried
@given(st.integers(1, 30), st.booleans())
def test_a_trusted_look_is_checked_again_after_so_many_pages_and_each_time_later(checks, suspect):
    sign = Signs("a", scripts=True, suspicion=Reason.FIELDS_EMPTY if suspect else None)
    look = LookLore(same=sign.proofs - 1 + checks)
    due = min(RECHECK * 2 ** (checks - 1), RECHECK_AT_MOST)

    for since, step in ((due - 1, Step.PLAIN), (due, Step.RENDER)):
        lore = HostLore(looks={"a": LookLore(look.same, look.changed, since)})
        assert on_plain_page(sign, lore, more=False).step is step


@settings(max_examples=20, deadline=None)
@given(lessons)
def test_rechecks_cost_a_small_share_of_a_long_crawl(history):
    lore, sign, rendered = (
        learnt(known(history), Lesson("h", "", "a", Finding.SAME)),
        Signs("a", scripts=True),
        0,
    )
    for _ in range(2_000):
        choice = on_plain_page(sign, lore, more=True)
        finding = Finding.SAME if choice.step is Step.RENDER else Finding.KEPT
        rendered += finding is Finding.SAME
        lore = learnt(lore, Lesson("h", "", "a", finding))

    assert rendered <= 8


def test_a_section_whose_pages_all_need_a_browser_goes_straight_there_and_is_asked_plainly_now_and_then():
    lore, plain = HostLore(), 0
    for page in range(200):
        straight = before_asking(lore, "shop", ordered=False).step is Step.RENDER
        assert not straight or page >= STREAK
        plain += not straight
        finding = Finding.DIRECT if straight else Finding.CHANGED
        lore = learnt(lore, Lesson("h", "shop", "" if straight else "a", finding))

    assert STREAK + 200 // (RETURN_AT_MOST + 1) <= plain <= STREAK + 10
    assert before_asking(lore, "blog", ordered=False).step is Step.PLAIN


@unhurried
@given(lessons, st.sampled_from([Finding.KEPT, Finding.SAME]))
def test_one_page_that_needs_no_browser_ends_going_straight_there(history, finding):
    lore = learnt(known(history), Lesson("h", "shop", "a", finding))

    assert before_asking(lore, "shop", ordered=False).step is Step.PLAIN


@unhurried
@given(lessons, st.sampled_from(["", "shop"]))
def test_what_only_a_browser_does_goes_straight_to_it(history, section):
    assert before_asking(known(history), section, ordered=True) == Choice(Step.RENDER, Reason.ORDERED)


@unhurried
@given(
    st.lists(
        st.builds(
            Lesson,
            st.integers(0, 200).map(str),
            st.integers(0, 30).map(str),
            st.integers(0, 30).map(str),
            st.sampled_from(Finding),
        ),
        max_size=400,
    ),
    st.integers(0, 400),
)
def test_what_is_kept_is_bounded_and_the_same_however_the_lessons_are_cut_into_commits(history, cut):
    at_once = all_learnt({}, history)
    in_two = all_learnt(all_learnt({}, history[:cut]), history[cut:])

    assert at_once == in_two
    assert len(at_once) <= HOSTS
    assert all(len(lore.looks) <= LOOKS and len(lore.sections) <= SECTIONS for lore in at_once.values())


def test_sections_and_suspicions():
    assert [section_of(f"http://h{path}") for path in ("/", "/a", "/shop/1", "/shop/a/b?c=/d", "")] == ["", "", "shop", "shop", ""]  # fmt: skip
    assert suspicion_of([Reason.FIELDS_EMPTY, Reason.SCRIPT_SHELL]) is Reason.SCRIPT_SHELL
    assert suspicion_of([]) is None
    assert set(MEANING) == set(Reason)
