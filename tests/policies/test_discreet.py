"""Discreet contact and rests: who sets them, who ends them, and what they change."""

from dataclasses import replace
from datetime import timedelta

import pytest

from policies import routing
from policies.board import NOTHING, case_board
from policies.case import Case
from policies.commands.discreet import SetDiscreet
from policies.commands.form import Misunderstood
from policies.commands.quiet import SetRest
from policies.commands.vocabulary import parse
from policies.effects import Decision, Inform, Introduce, Resume, Tell
from policies.message import AuthenticatedMail, Text
from policies.networks.delivery import Go, Wait, by_link, may_disturb
from policies.networks.discreet import LOOKS, Discreet, may_show
from policies.networks.portal import decide_discreet
from policies.people.membership import conversations, readers
from policies.releases.release import CONSENT_LASTS
from rooms.clearance import AT_ONCE, kept_back
from rooms.outcome import Cancelled, Parked
from tests.policies.builders import AT, both_sides, caucus_of, done, facts, message, named, of_kind, refused

CASE = both_sides()
CARL, HIS = named(CASE, "Carl"), caucus_of(CASE, "Jones")
DAY = timedelta(days=1)


def says(case: Case, words: str) -> Decision:
    """What Carl says in private, by mail."""
    said = message(case, "Carl", HIS, Text(words), AuthenticatedMail())
    return routing.decide(case, said, replace(facts(said.author), where=HIS))


@pytest.mark.parametrize(("given", "said"), [("says", "asked for"), ("set", "has")])
def test_whoever_takes_off_somebody_discreet_is_told_to_add_them_again_as_that(given: str, said: str) -> None:
    discreet = says(CASE, "!discreet on").case if given == "says" else done(CASE, "!discreet Carl on").case
    preview = done(discreet, "!party remove Carl").answer
    assert f"Carl {said} contact that tells nothing" in preview
    assert "`discreetly`" in preview
    assert "discreetly" not in done(CASE, "!party remove Carl").answer


def test_whoever_agreed_to_words_by_mail_gets_links_while_that_lasts() -> None:
    discreet = done(CASE, "!discreet Carl on")
    assert not by_link(CARL)
    assert by_link(named(discreet.case, "Carl"))
    assert of_kind(Resume, discreet.effects)
    assert not by_link(named(done(discreet.case, "!discreet Carl off").case, "Carl"))


def test_the_person_is_told_what_it_hides_and_what_can_not_be_hidden() -> None:
    outcome = done(CASE, "!discreet Carl on")
    [told] = of_kind(Inform, outcome.effects)
    assert (told.to, told.conversation) == (CARL.id, HIS)
    assert "can't be hidden that a mail came" in told.text
    assert "Safe contact: Carl, discreet" in case_board(outcome.case, NOTHING, at=AT).text


def test_what_somebody_asked_for_themselves_nobody_else_ends() -> None:
    decision = says(CASE, "!discreet on")
    assert named(decision.case, "Carl").discreet is Discreet.OWN
    assert "nobody else can end it" in refused(decision.case, "!discreet Carl off")
    assert "nobody else can end it" in refused(decision.case, "!discreet Carl on")
    assert named(says(decision.case, "!discreet off").case, "Carl").discreet is None


def test_what_a_mediator_set_the_party_may_make_its_own_or_end() -> None:
    case = done(CASE, "!discreet Carl on").case
    assert named(says(case, "!discreet on").case, "Carl").discreet is Discreet.OWN
    assert named(says(case, "!discreet off").case, "Carl").discreet is None
    assert decide_discreet(case, named(case, "Carl"), on=True).case.person(CARL.id).discreet is Discreet.OWN  # type: ignore[union-attr]


def test_only_the_desk_and_the_person_hear_of_it() -> None:
    for words in ("!discreet on", "!quiet for 3d"):
        decision = says(CASE, words)
        for effect in decision.effects:
            assert isinstance(effect, Tell | Inform | Resume)
            assert not isinstance(effect, Inform) or effect.to == CARL.id
            assert not isinstance(effect, Tell) or effect.conversation.id == "desk"


def test_somebody_comes_in_so_that_the_first_letter_tells_nothing_already() -> None:
    outcome = done(CASE, "!party add Bea bea@example.org as counsel on Jones discreetly")
    assert named(outcome.case, "Bea").discreet is Discreet.MEDIATOR
    assert "tells anything" in outcome.answer
    assert all(introduced.as_link for introduced in of_kind(Introduce, outcome.effects))
    assert named(done(CASE, "!party add Bea bea@example.org discreetly on Jones").case, "Bea").discreet
    assert named(done(CASE, "!party add Bea bea@example.org on Jones").case, "Bea").discreet is None
    assert "reads in Matrix" in refused(CASE, "!party add Dora @dora:example.org on Jones discreetly")


def test_nobody_sets_it_for_another_party_nor_for_whoever_reads_in_matrix() -> None:
    [told] = of_kind(Inform, says(CASE, "!discreet Alice on").effects)
    assert "your own discreet contact alone" in told.text
    assert "Alice reads in Matrix" in refused(CASE, "!discreet Alice on")
    assert "so already" in refused(CASE, "!discreet Carl off")


def test_a_mediator_takes_back_what_a_mediator_set() -> None:
    case = done(done(CASE, "!discreet Carl on").case, "!undo").case
    assert named(case, "Carl").discreet is None
    case = done(done(CASE, "!quiet Carl for 3d").case, "!undo").case
    assert named(case, "Carl").rests is None


def test_for_some_days_nothing_is_sent_and_then_all_of_it() -> None:
    case = done(CASE, "!quiet Carl for 3d").case
    verdict = may_disturb(case, CARL.id, AT + DAY)
    assert isinstance(verdict, Wait)
    assert verdict.until == AT + 3 * DAY
    assert may_disturb(case, CARL.id, AT + 3 * DAY) == Go()
    assert may_disturb(done(case, "!quiet Carl off").case, CARL.id, AT + DAY) == Go()
    assert "nothing is sent until" in case_board(case, NOTHING, at=AT).text


def test_a_rest_that_ends_in_quiet_hours_lasts_until_those_are_over() -> None:
    case = done(done(CASE, "!quiet Carl 09:00-11:00 UTC").case, "!quiet Carl for 3d").case
    verdict = may_disturb(case, CARL.id, AT + DAY)
    assert isinstance(verdict, Wait)
    assert verdict.until == AT + 3 * DAY + timedelta(hours=1)


def test_a_question_is_open_as_long_after_a_rest_as_it_would_be_now() -> None:
    case = done(done(CASE, "!quiet Carl for 30d").case, "!ask Carl: Well?").case
    assert case.asks[0].expires == AT + 30 * DAY + CONSENT_LASTS


def test_words_come_to_a_telephone_only_right_after_its_owner_wrote() -> None:
    assert may_show(None, None, AT)
    assert not may_show(Discreet.OWN, None, AT)
    assert may_show(Discreet.OWN, AT - LOOKS + timedelta(seconds=1), AT)
    assert not may_show(Discreet.MEDIATOR, AT - LOOKS, AT)


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("!discreet on", SetDiscreet(None, True)),
        ("!discreet Carl Mary OFF", SetDiscreet("Carl Mary", False)),
        ("!quiet for 3d", SetRest(None, 3 * DAY)),
        ("!quiet Carl Mary for 2h", SetRest("Carl Mary", timedelta(hours=2))),
    ],
)
def test_it_is_understood(line: str, command: object) -> None:
    assert parse(line) == command


@pytest.mark.parametrize("line", ["!discreet", "!discreet Carl", "!quiet for", "!quiet Carl for ever"])
def test_what_is_missing_is_said(line: str) -> None:
    assert isinstance(parse(line), Misunderstood)


def test_a_rest_that_is_over_is_not_on_the_board_and_nothing_is_said_of_it_when_it_is_taken_back() -> None:
    case = done(CASE, "!quiet Carl for 3d").case
    assert "nothing is sent until" not in case_board(case, NOTHING, at=AT + 3 * DAY).text
    assert not of_kind(Inform, done(case, "!undo 0", facts(at=AT + 4 * DAY)).effects)
    [told] = of_kind(Inform, done(case, "!undo").effects)
    assert "What waited for you is sent now" in told.text


@pytest.mark.parametrize("words", ["!quiet for 3d", "!quiet 09:00-11:00 UTC"])
def test_whoever_says_it_themselves_is_answered_at_once(words: str) -> None:
    decision = says(CASE, words)
    [told] = of_kind(Inform, decision.effects)
    assert "Nothing is sent to you" in told.text
    assert isinstance(kept_back(decision.case, replace(told, at_once=False), AT, AT), Parked)
    assert isinstance(kept_back(decision.case, told, AT, AT + AT_ONCE), Cancelled)
    assert kept_back(decision.case, told, AT, AT) is None


def test_whoever_is_given_a_rest_by_a_mediator_is_not_told_of_it_when_it_is_over() -> None:
    outcome = done(CASE, "!quiet Carl for 3d")
    assert not of_kind(Inform, outcome.effects)
    assert "Carl is not told" in outcome.answer


def test_whoever_gets_words_again_gets_the_first_letters_that_say_who_reads_where() -> None:
    case = done(CASE, "!discreet Carl on").case
    rooms = {c for c in conversations(case) if CARL.id in readers(case, c)}
    by_command, taken_back = done(case, "!discreet Carl off").effects, done(case, "!undo").effects
    pressed = decide_discreet(case, named(case, "Carl"), on=False).effects
    for effects in (by_command, taken_back, pressed):
        letters = of_kind(Introduce, effects)
        assert {letter.conversation for letter in letters} == rooms
        assert not any(letter.as_link for letter in letters)


def test_whoever_did_not_agree_to_words_gets_no_first_letters_by_that() -> None:
    channel = replace(CARL.endpoint, content_consent=None)
    case = done(CASE.with_person(replace(CARL, endpoint=channel)), "!discreet Carl on").case
    assert not of_kind(Introduce, done(case, "!discreet Carl off").effects)


def test_links_of_somebody_discreet_begin_with_the_name_that_tells_nothing_where_there_is_one() -> None:
    known = replace(facts(), page="https://town.example/p", discreet_page="https://letters.example/p", documents=True)
    hidden = replace(CARL, discreet=Discreet.OWN)
    assert known.page_elsewhere(CARL) == "https://town.example/p"
    assert known.page_elsewhere(hidden) == "https://letters.example/p"
    assert replace(known, discreet_page=None).page_elsewhere(hidden) == "https://town.example/p"
    assert replace(known, documents=False).page_elsewhere(hidden) is None
