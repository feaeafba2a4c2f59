"""At sending, what was decided may be cancelled or wait; it never goes further (I3)."""

from dataclasses import replace

import pytest

from policies.case import JOINT, Phase
from policies.networks.delivery import Cancel, Go, Wait, by_link, channel_key, may_post, may_relay
from tests.policies.builders import CARL_JOINS, both_sides, case_with, caucus_of, confirmed, done, facts, named


def test_what_may_go_goes() -> None:
    case = both_sides()
    carl = named(case, "Carl").id
    assert may_relay(case, JOINT, carl) == Go()
    assert may_post(case, caucus_of(case, "Jones"), carl) == Go()
    assert may_post(case, JOINT, None) == Go()


def test_without_a_consent_words_go_by_a_link_to_them() -> None:
    case = case_with(CARL_JOINS)
    carl = named(case, "Carl")
    assert isinstance(may_relay(case, caucus_of(case, "Jones"), carl.id), Go)
    assert by_link(carl)
    agreed = done(case, "!consent Carl: yes").case
    # A slip in the address would show the words to a stranger, whatever a mediator wrote down.
    assert by_link(named(agreed, "Carl"))
    assert not by_link(named(confirmed(agreed), "Carl"))


def test_words_wait_for_a_channel_that_is_stopped() -> None:
    case = case_with(CARL_JOINS, "!mail pause Carl")
    carl = named(case, "Carl")
    verdict = may_relay(case, caucus_of(case, "Jones"), carl.id)
    assert isinstance(verdict, Wait)
    assert verdict.key == channel_key(case, carl.endpoint.id)


@pytest.mark.parametrize("who", ["Carl", "Alice"])
def test_somebody_who_left_gets_nothing_and_says_nothing(who: str) -> None:
    before = both_sides()
    person = named(before, who).id
    case = done(before, f"!party remove {who}", facts(None)).case
    for where in (JOINT, caucus_of(case, "Smith"), caucus_of(case, "Jones")):
        assert isinstance(may_relay(case, where, person), Cancel)
        assert isinstance(may_post(case, where, person), Cancel)


def test_the_other_side_gets_nothing_and_says_nothing() -> None:
    case = both_sides()
    carl = named(case, "Carl").id
    assert isinstance(may_relay(case, caucus_of(case, "Smith"), carl), Cancel)
    assert isinstance(may_post(case, caucus_of(case, "Smith"), carl), Cancel)


def test_a_room_that_is_no_more_gets_nothing() -> None:
    case = replace(both_sides(), phase=Phase.CONVENED, opened=False)
    assert isinstance(may_relay(case, JOINT, named(case, "Carl").id), Cancel)


def test_leaving_and_coming_again_does_not_bring_what_was_missed() -> None:
    before = both_sides()
    carl = named(before, "Carl").id
    case = done(done(before, "!party remove Carl", facts(None)).case, CARL_JOINS).case
    assert isinstance(may_relay(case, JOINT, carl), Cancel)
