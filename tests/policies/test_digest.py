"""Digests: at hours of their own, by their own clock, and nothing that has a time limit waits for one."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import routing
from policies.board import NOTHING, case_board
from policies.commands.digest import SetDigest
from policies.commands.form import Misunderstood
from policies.commands.vocabulary import parse
from policies.effects import Inform, Resume, Tell
from policies.message import AuthenticatedMail, Text
from policies.networks.delivery import Go, Wait, channel_key, may_come_alone
from policies.networks.digest import TIMES_MOST, Digest, next_digest, read_times
from policies.networks.portal import decide_digest
from policies.networks.quiet import AT_MOST, Quiet
from tests.policies.builders import AT, both_sides, caucus_of, done, facts, message, named, of_kind, refused
from tests.policies.test_quiet import QUIET, ZONES, berlin

CASE = both_sides()
CARL, HIS = named(CASE, "Carl"), caucus_of(CASE, "Jones")
EVENING = Digest((18 * 60,), "Europe/Berlin")
SET = "!digest Carl 18:00 Europe/Berlin"


@pytest.mark.parametrize(
    ("after", "then"),
    [
        ("2026-01-05 17:59", "2026-01-05 18:00"),
        ("2026-01-05 18:00", "2026-01-06 18:00"),
        ("2026-03-28 19:00", "2026-03-29 18:00"),  # a day that lacks an hour
        ("2026-10-24 19:00", "2026-10-25 18:00"),  # a day that has one twice
    ],
)
def test_it_goes_at_its_hour_by_the_clock_there(after: str, then: str) -> None:
    assert next_digest(EVENING, None, berlin(after)) == berlin(then)


def test_an_hour_that_there_is_twice_comes_once_and_one_that_there_is_not_comes_too() -> None:
    night = Digest((150,), "Europe/Berlin")  # 02:30
    first = berlin("2026-10-25 02:30", fold=0).astimezone(UTC)
    assert next_digest(night, None, berlin("2026-10-25 01:00")) == first
    assert next_digest(night, None, first) == berlin("2026-10-26 02:30").astimezone(UTC)
    assert next_digest(night, None, berlin("2026-03-29 01:00")) == berlin("2026-03-29 03:30").astimezone(UTC)


def test_what_is_due_while_it_is_quiet_goes_right_after() -> None:
    night = Quiet(20 * 60, 8 * 60, "Europe/Berlin")
    late = Digest((23 * 60,), "Europe/Berlin")
    for said in ("2026-01-05 21:00", "2026-01-05 23:30", "2026-01-06 07:00"):
        assert next_digest(late, night, berlin(said)) == berlin("2026-01-06 08:00"), said


DIGEST = st.builds(
    lambda times, zone: Digest(tuple(sorted(times)), zone),
    st.sets(st.integers(0, 24 * 60 - 1), min_size=1, max_size=TIMES_MOST),
    st.sampled_from(ZONES),
)


@given(
    DIGEST,
    st.none() | QUIET,
    st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.timedeltas(timedelta(0), timedelta(hours=30)),
)
def test_nothing_waits_much_longer_than_a_day_and_nothing_is_overtaken(
    digest: Digest, quiet: Quiet | None, said: datetime, later: timedelta
) -> None:
    then = next_digest(digest, quiet, said)
    # The zone that crossed the date line lacks a whole day.
    assert then is not None
    assert said < then <= said + timedelta(hours=49) + AT_MOST
    after = next_digest(digest, quiet, said + later)
    assert after is not None
    assert then <= after


@pytest.mark.parametrize(
    ("text", "times"), [("18:00", (1080,)), ("18:00,8:00", (480, 1080)), ("08:00, 18:00", (480, 1080))]
)
def test_times_are_read(text: str, times: tuple[int, ...]) -> None:
    assert read_times(text) == times


@pytest.mark.parametrize(
    "text", ["", "18", "24:00", "18:60", "18:00,", "18:00,18:00", "1:00,2:00,3:00,4:00,5:00,6:00,7:00", "x", "١٨:٠٠x"]
)
def test_times_that_are_none_are_refused_in_words(text: str) -> None:
    assert isinstance(read_times(text), str)


def test_words_of_others_wait_for_it_and_then_go() -> None:
    case, said = done(CASE, SET).case, berlin("2026-01-05 12:00")
    verdict = may_come_alone(case, CARL.id, said, said)
    assert isinstance(verdict, Wait)
    assert (verdict.key, verdict.until) == (channel_key(case, CARL.endpoint.id), berlin("2026-01-05 18:00"))
    assert may_come_alone(case, CARL.id, said, berlin("2026-01-05 18:00")) == Go()
    assert may_come_alone(CASE, CARL.id, said, said) == Go()
    assert may_come_alone(case, named(case, "Alice").id, said, said) == Go()


def test_a_question_brings_along_what_was_said_before_it_and_nothing_that_is_said_after_it() -> None:
    case = done(CASE, SET).case
    before, asked, after = (AT + timedelta(minutes=n) for n in (0, 1, 2))
    asking = done(case, "!ask Carl: Well?", facts(at=asked)).case
    assert may_come_alone(asking, CARL.id, before, after) == Go()
    assert isinstance(may_come_alone(asking, CARL.id, after, after), Wait)
    assert isinstance(may_come_alone(case, CARL.id, before, after), Wait)


def test_a_zone_that_a_system_forgot_holds_nothing_back() -> None:
    case = CASE.with_person(replace(CARL, digest=Digest((60,), "Mars/Base")))
    assert may_come_alone(case, CARL.id, AT, AT) == Go()


def test_to_end_it_wakes_what_waits() -> None:
    outcome = done(done(CASE, SET).case, "!digest Carl off")
    assert named(outcome.case, "Carl").digest is None
    assert Resume(channel_key(CASE, CARL.endpoint.id)) in outcome.effects


def test_the_person_is_told_the_board_shows_it_and_it_can_be_taken_back() -> None:
    outcome = done(CASE, SET)
    [told] = of_kind(Inform, outcome.effects)
    assert (told.to, told.conversation) == (CARL.id, HIS)
    assert "at 18:00 Europe/Berlin" in told.text
    assert "Digest by mail: Carl, 18:00 Europe/Berlin" in case_board(outcome.case, NOTHING, at=AT).text
    undone = done(outcome.case, "!undo")
    assert named(undone.case, "Carl").digest is None
    assert Resume(channel_key(CASE, CARL.endpoint.id)) in undone.effects


def test_without_a_zone_it_is_by_the_clock_that_the_person_is_shown() -> None:
    case = done(done(CASE, "!timezone Carl America/New_York").case, "!digest Carl 7:30,18:00").case
    assert named(case, "Carl").digest == Digest((450, 1080), "America/New_York")


def says(words: str) -> list[str]:
    said = message(CASE, "Carl", HIS, Text(words), AuthenticatedMail())
    decision = routing.decide(CASE, said, replace(facts(said.author), where=HIS))
    told = [effect.text for effect in decision.effects if isinstance(effect, Inform | Tell)]
    return [*told, str(named(decision.case, "Carl").digest)]


def test_a_party_sets_its_own_and_nobody_elses() -> None:
    assert says("!digest 18:00 Europe/Berlin")[-1] == str(EVENING)
    assert "your own digest alone" in says("!digest Alice 18:00")[0]


def test_who_does_not_take_part_by_mail_has_none() -> None:
    assert "Alice does not take part by mail" in refused(CASE, "!digest Alice 18:00")
    assert "Whose digest?" in refused(CASE, "!digest 18:00")


def test_on_the_page_it_is_chosen_too_and_the_desk_learns_of_it() -> None:
    now = decide_digest(CASE, CARL, (1080,))
    assert named(now.case, "Carl").digest == Digest((1080,), "UTC")
    assert [effect.text for effect in now.effects if isinstance(effect, Tell)]
    assert decide_digest(now.case, named(now.case, "Carl"), (1080,)).effects == ()
    back = decide_digest(now.case, named(now.case, "Carl"), None)
    assert named(back.case, "Carl").digest is None


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (SET, SetDigest("Carl", (1080,), "Europe/Berlin")),
        ("!digest 8:00,18:00", SetDigest(None, (480, 1080))),
        ("!digest Carl Mary off", SetDigest("Carl Mary", None)),
        ("!digest off", SetDigest(None, None)),
    ],
)
def test_it_is_understood(line: str, command: SetDigest) -> None:
    assert parse(line) == command


@pytest.mark.parametrize("line", ["!digest", "!digest Carl", "!digest 18:00 Mars", "!digest Carl 18-20"])
def test_what_is_missing_is_said(line: str) -> None:
    assert isinstance(parse(line), Misunderstood)
