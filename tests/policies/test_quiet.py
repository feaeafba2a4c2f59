"""Quiet hours by the clock where somebody lives, whatever that clock does."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies import routing
from policies.board import NOTHING, case_board
from policies.commands.form import Misunderstood
from policies.commands.quiet import SetQuiet
from policies.commands.vocabulary import parse
from policies.effects import Inform, Relay, Resume, Tell
from policies.message import AuthenticatedMail, Text
from policies.networks.delivery import Go, Wait, channel_key, may_disturb
from policies.networks.quiet import AT_MOST, Quiet, awake, quiet_until, read_quiet
from policies.releases.release import CONSENT_LASTS
from tests.policies.builders import AT, both_sides, caucus_of, done, facts, message, named, of_kind, refused

ZONES = (
    *("Europe/Berlin", "America/New_York", "Asia/Kolkata", "UTC", "Pacific/Apia", "Africa/Casablanca"),
    *("Australia/Lord_Howe", "America/St_Johns"),
)
NIGHT = Quiet(20 * 60, 8 * 60, "Europe/Berlin")
CASE = both_sides()
CARL, HIS = named(CASE, "Carl"), caucus_of(CASE, "Jones")
SET = "!quiet Carl 20:00-08:00 Europe/Berlin"


def berlin(text: str, *, fold: int = 0) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo("Europe/Berlin"), fold=fold)


@pytest.mark.parametrize(
    ("at", "until"),
    [
        ("2026-01-05 19:59", None),
        ("2026-01-05 20:00", "2026-01-06 08:00"),
        ("2026-01-06 07:59", "2026-01-06 08:00"),
        ("2026-01-06 08:00", None),
        ("2026-03-28 22:00", "2026-03-29 08:00"),  # the night that lacks an hour
        ("2026-10-24 22:00", "2026-10-25 08:00"),  # the night that has one twice
    ],
)
def test_a_night_is_quiet_by_the_clock_there(at: str, until: str | None) -> None:
    assert quiet_until(NIGHT, berlin(at)) == (berlin(until).astimezone(UTC) if until else None)


def test_an_hour_that_there_is_twice_is_quiet_both_times() -> None:
    nap = Quiet(60, 150, "Europe/Berlin")  # until 02:30, when at 03:00 it is 02:00 again
    for fold in (0, 1):
        end = quiet_until(nap, berlin("2026-10-25 02:10", fold=fold))
        assert end == berlin("2026-10-25 02:30", fold=1).astimezone(UTC)


def test_an_hour_that_there_is_not_ends_right_after_it() -> None:
    nap = Quiet(60, 150, "Europe/Berlin")  # until 02:30, which there is not that night
    assert quiet_until(nap, berlin("2026-03-29 01:30")) == berlin("2026-03-29 03:30").astimezone(UTC)


MINUTE = st.integers(0, 24 * 60 - 1)
QUIET = st.builds(
    lambda start, length, zone: Quiet(start, (start + length) % (24 * 60), zone),
    MINUTE,
    st.integers(1, AT_MOST // timedelta(minutes=1)),
    st.sampled_from(ZONES),
)


@given(QUIET, st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_quiet_hours_end_soon_and_when_they_have_ended_they_have(quiet: Quiet, at: datetime) -> None:
    end = quiet_until(quiet, at)
    if end is None:
        assert awake(quiet, at) == at
        return
    assert at < end <= at + AT_MOST + timedelta(hours=2)
    assert quiet_until(quiet, end) is None


@pytest.mark.parametrize("hours", ["20-8", "25:00-08:00", "20:60-08:00", "20:00-20:00", "08:00-07:00", "x"])
def test_hours_that_are_none_are_refused_in_words(hours: str) -> None:
    assert isinstance(read_quiet(hours, "Europe/Berlin"), str)


@pytest.mark.parametrize("zone", ["Mars/Base", "", "../etc/passwd", "/etc/passwd", "Europe/..", "Europe", "CET\x00"])
def test_zones_that_nobody_knows_are_refused(zone: str) -> None:
    assert isinstance(read_quiet("20:00-08:00", zone), str)
    assert quiet_until(Quiet(0, 60, zone), AT) is None


def test_what_is_said_then_waits_until_they_end() -> None:
    case = done(CASE, SET).case
    night, day = berlin("2026-01-05 23:00"), berlin("2026-01-05 12:00")
    verdict = may_disturb(case, CARL.id, night)
    assert isinstance(verdict, Wait)
    assert (verdict.key, verdict.until) == (channel_key(case, CARL.endpoint.id), berlin("2026-01-06 08:00"))
    assert may_disturb(case, CARL.id, day) == Go()
    assert may_disturb(CASE, CARL.id, night) == Go()
    assert of_kind(Relay, routing.decide(case, message(case, "Alice", caucus_of(case, "Smith")), facts()).effects) == []


def test_to_end_them_wakes_what_waits() -> None:
    outcome = done(done(CASE, SET).case, "!quiet Carl off")
    assert named(outcome.case, "Carl").quiet is None
    assert Resume(channel_key(CASE, CARL.endpoint.id)) in outcome.effects


def test_the_person_is_told_and_the_board_shows_them() -> None:
    outcome = done(CASE, SET)
    [told] = of_kind(Inform, outcome.effects)
    assert (told.to, told.conversation) == (CARL.id, HIS)
    assert "20:00–08:00 Europe/Berlin" in told.text
    assert "Quiet hours: Carl, 20:00–08:00 Europe/Berlin" in case_board(outcome.case, NOTHING, at=AT).text


def test_a_question_is_open_until_its_person_is_awake() -> None:
    case = done(CASE, SET).case
    night = berlin("2026-01-05 23:00").astimezone(UTC)
    [ask] = done(case, "!ask Carl: Well?", facts(at=night)).case.asks
    assert ask.expires == (berlin("2026-01-06 08:00") + CONSENT_LASTS).astimezone(UTC)


def says(name: str, words: str) -> list[str]:
    said = replace(message(CASE, name, HIS, Text(words), AuthenticatedMail()))
    decision = routing.decide(CASE, said, replace(facts(said.author), where=HIS))
    told = [effect.text for effect in decision.effects if isinstance(effect, Inform | Tell)]
    return [*told, str(named(decision.case, "Carl").quiet)]


def test_a_party_sets_its_own_and_nobody_elses() -> None:
    assert says("Carl", "!quiet 20:00-08:00 Europe/Berlin")[-1] == str(NIGHT)
    refusal = says("Carl", "!quiet Alice 20:00-08:00 Europe/Berlin")
    assert "your own quiet hours alone" in refusal[0]


def test_whoever_reads_in_matrix_has_an_app_for_that() -> None:
    assert "Alice reads in Matrix" in refused(CASE, "!quiet Alice 20:00-08:00 Europe/Berlin")
    assert "Whose quiet hours?" in refused(CASE, "!quiet 20:00-08:00 Europe/Berlin")


@pytest.mark.parametrize(
    ("line", "command"),
    [
        (SET, SetQuiet("Carl", NIGHT)),
        ("!quiet 20:00–08:00 Europe/Berlin", SetQuiet(None, NIGHT)),
        ("!quiet off", SetQuiet(None, None)),
        ("!quiet Carl Mary off", SetQuiet("Carl Mary", None)),
    ],
)
def test_it_is_understood(line: str, command: SetQuiet) -> None:
    assert parse(line) == command


@pytest.mark.parametrize("line", ["!quiet", "!quiet Carl", "!quiet Carl 8-20 Europe/Berlin", "!quiet 20:00-08:00 Mars"])
def test_what_is_missing_is_said(line: str) -> None:
    assert isinstance(parse(line), Misunderstood)
