"""Times are shown by the clock of whoever reads them, and always say which clock that is (B6)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from policies.acts import create
from policies.board import NOTHING, case_board
from policies.case import DESK, JOINT, Case, CaseId
from policies.commands.opening import NewCase
from policies.effects import Inform, Pose, Tell
from policies.message import Text
from policies.moderation.floor import floor_text
from policies.networks.delivery import Wait, may_disturb
from policies.outcome import Done
from policies.questions.asking import in_words
from policies.routing import decide
from policies.words.text import moment
from tests.policies.builders import (
    AT,
    alike,
    both_sides,
    caucus_of,
    done,
    facts,
    message,
    named,
    of_kind,
    refused,
)

CASE = both_sides()
HERS, HIS = caucus_of(CASE, "Smith"), caucus_of(CASE, "Jones")
CARL, ALICE = named(CASE, "Carl").id, named(CASE, "Alice").id
BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"


def zoned(*commands: str) -> Case:
    case = CASE
    for command in commands:
        case = done(case, command).case
    return case


@pytest.mark.parametrize(
    ("at", "zone", "shown"),
    [
        (datetime(2026, 1, 5, 10, 0, tzinfo=UTC), "UTC", "2026-01-05 10:00 UTC"),
        (datetime(2026, 1, 5, 10, 0, tzinfo=UTC), BERLIN, "2026-01-05 11:00 (Berlin, UTC+1)"),
        (datetime(2026, 7, 5, 23, 0, tzinfo=UTC), BERLIN, "2026-07-06 01:00 (Berlin, UTC+2)"),
        (datetime(2026, 1, 5, 3, 0, tzinfo=UTC), NEW_YORK, "2026-01-04 22:00 (New York, UTC-5)"),
        (datetime(2026, 1, 5, 10, 0, tzinfo=UTC), "Asia/Kolkata", "2026-01-05 15:30 (Kolkata, UTC+5:30)"),
        (datetime(2026, 1, 5, 10, 0, tzinfo=UTC), "Europe/London", "2026-01-05 10:00 (London, UTC)"),
        (datetime(2026, 1, 5, 10, 0, tzinfo=UTC), "Nowhere/Atlantis", "2026-01-05 10:00 UTC"),
    ],
)
def test_a_moment_names_its_clock(at: datetime, zone: str, shown: str) -> None:
    assert moment(at, zone) == shown


def test_the_hour_that_a_day_has_twice_is_told_apart() -> None:
    once = datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert moment(once, BERLIN) == "2026-10-25 02:30 (Berlin, UTC+2)"
    assert moment(once + timedelta(hours=1), BERLIN) == "2026-10-25 02:30 (Berlin, UTC+1)"


def test_a_question_is_shown_by_the_clock_of_whom_it_is_put_to() -> None:
    case = zoned("!timezone Europe/Berlin", "!timezone Carl America/New_York")
    [question] = of_kind(Pose, done(case, "!ask Carl: Does Thursday suit you?").effects)
    assert "by 2026-01-12 05:00 (New York, UTC-5)" in in_words(question, case.zone_of(CARL))
    assert case.zone_of(ALICE) == case.zone_of(None) == BERLIN


def test_the_zone_of_somebodys_quiet_hours_is_theirs_until_they_say_another() -> None:
    case = zoned("!quiet Carl 20:00-08:00 Europe/Berlin")
    assert case.zone_of(CARL) == BERLIN
    assert done(case, "!timezone Carl America/New_York").case.zone_of(CARL) == NEW_YORK
    assert case.zone_of(ALICE) == "UTC"


def test_the_desk_is_shown_its_own_clock() -> None:
    case = zoned("!timezone Europe/Berlin", "!timezone Carl America/New_York", "!ask Carl: Does Thursday suit you?")
    board = case_board(case, NOTHING, at=AT).text
    assert "until 2026-01-12 11:00 (Berlin, UTC+1)" in board
    assert "UTC-5" not in board
    assert "2026-01-05 11:30 (Berlin, UTC+1)" in done(case, "!mute Carl 30m").answer


def test_who_is_muted_or_pauses_is_told_by_their_own_clock() -> None:
    case = zoned("!timezone Carl America/New_York")
    [muted] = of_kind(Inform, done(case, "!mute Carl 30m").effects)
    assert "2026-01-05 05:30 (New York, UTC-5)" in muted.text
    paused = done(case, "!pause for 1h", replace(facts(CARL), where=HIS))
    assert "paused until 2026-01-05 06:00 (New York" in of_kind(Inform, paused.effects)[0].text
    assert "paused the mediation until 2026-01-05 11:00 UTC" in paused.answer


def test_a_pause_is_told_to_each_by_their_own_clock() -> None:
    case = zoned("!timezone Europe/Berlin", "!timezone Carl America/New_York", "!timezone Alice Asia/Kolkata")
    outcome = done(case, "!pause for 1h")
    told = {t.conversation: t.text for t in of_kind(Tell, outcome.effects)}
    assert "16:30 (Kolkata, UTC+5:30)" in told[HERS]
    assert "06:00 (New York, UTC-5)" in next(i.text for i in of_kind(Inform, outcome.effects) if i.to == CARL)
    assert "12:00 (Berlin, UTC+1)" in told[JOINT]


def test_the_joint_room_is_told_by_the_clock_of_the_case_whatever_the_parties_said_in_private() -> None:
    case = zoned("!timezone Carl Europe/Berlin", "!timezone Alice Europe/Berlin", "!mode locked for 1h")
    assert "11:00 UTC" in floor_text(case), "neither is to learn where the other is"
    apart = done(case, "!timezone Alice America/New_York").case
    assert "11:00 UTC" in floor_text(apart)
    moved = done(case, "!timezone Europe/Berlin").case
    assert "12:00 (Berlin, UTC+1)" in floor_text(moved)


def test_another_zone_is_no_news_of_the_room() -> None:
    case = zoned("!mode locked for 1h", "!pause for 2h")
    for command in ("!timezone Europe/Berlin", "!timezone Carl Europe/Berlin", "!timezone Alice Europe/Berlin"):
        outcome = done(case, command)
        assert not of_kind(Tell, outcome.effects)
        assert all("mediation" not in inform.text for inform in of_kind(Inform, outcome.effects))
        case = outcome.case


def test_a_party_sets_its_own_zone_in_its_private_room_and_no_other() -> None:
    heard = decide(CASE, message(CASE, "Carl", HIS, Text("!timezone Europe/Berlin")), replace(facts(CARL), where=HIS))
    assert heard.case.zone_of(CARL) == BERLIN
    assert heard.case.zone == "UTC"
    assert "it is 2026-01-05 11:00 (Berlin, UTC+1)" in of_kind(Inform, heard.effects)[0].text
    carl = replace(facts(CARL), where=HIS)
    assert "your own time zone alone" in refused(CASE, "!timezone Alice Europe/Berlin", carl)


def test_a_zone_that_nobody_knows_is_refused_and_one_can_be_taken_back() -> None:
    assert "written like Europe/Berlin" in refused(CASE, "!timezone Carl Atlantis")
    assert "Nobody here is called Max" in refused(CASE, "!timezone Max Europe/Berlin")
    for command in ("!timezone Europe/Berlin", "!timezone Carl Europe/Berlin"):
        assert alike(zoned(command, "!undo"), CASE)


def test_a_new_case_takes_the_organisations_zone() -> None:
    made = create(Case(CaseId("1042"), "x"), NewCase("x", ()), replace(facts(None), zone=BERLIN))
    assert isinstance(made, Done)
    assert made.case.zone == BERLIN


def test_quiet_hours_end_by_the_desks_clock_at_the_desk() -> None:
    case = zoned("!timezone Europe/Berlin", "!quiet Carl 00:00-12:00 America/New_York")
    verdict = may_disturb(case, CARL, AT)
    assert isinstance(verdict, Wait)
    assert "18:00 (Berlin, UTC+1)" in verdict.why
    assert DESK not in {HERS, HIS}
