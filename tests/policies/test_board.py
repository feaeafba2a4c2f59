"""The board says who is waited for, since when, and what is due next; its HTML says what its plain text says (R8)."""

import re
from dataclasses import replace
from datetime import timedelta
from html import unescape

from policies.board import NOTHING, QUEUE_SHOWN, SHOWN, Backlog, Shown, case_board, cases_board, waiting
from policies.case import Case, CaseId
from policies.names import JOINT, ReleaseId
from policies.networks.whatsapp import Window
from policies.releases.release import Release, Standing
from tests.policies.builders import AT, both_sides, caucus_of, done, facts, named

CASE = both_sides()
HOUR = timedelta(hours=1)


def after(*commands: str) -> Case:
    case = CASE
    for command in commands:
        case = done(case, command).case
    return case


def plain(shown: Shown) -> str:
    """What a client shows of the HTML."""
    return unescape(re.sub(r"</?strong>", "", shown.html.replace("<br>", "\n")))


def queued(case: Case) -> Case:
    release = Release(
        ReleaseId("R1"),
        named(case, "Alice").id,
        None,
        "words of hers",
        reworded=False,
        origin=caucus_of(case, "Smith"),
        to=JOINT,
        standing=Standing.QUEUED,
        at=AT - HOUR,
    )
    return replace(case, releases=(release,))


def test_where_nothing_waits_the_board_says_so() -> None:
    shown = case_board(CASE, NOTHING, at=AT)
    assert "Waiting for: nobody" in shown.text
    assert "Next: nothing is due" in shown.text
    assert "Not delivered: nothing" in shown.text


def test_a_question_names_whom_it_was_put_to_since_when_and_until_when() -> None:
    case = done(CASE, "!withdraw", facts(named(CASE, "Alice").id)).case
    text = case_board(case, NOTHING, at=AT).text
    assert "Alice: say whether they withdraw, since 2026-01-05 10:00 UTC, until 2026-01-06 10:00 UTC" in text
    assert "Next: 2026-01-06 10:00 UTC, Alice's time is up" in text


def test_what_waits_for_a_mediator_stands_there_the_oldest_first() -> None:
    case, backlog = queued(CASE), Backlog(held=2, since=AT - 2 * HOUR, undelivered=1, undecrypted=3)
    assert [one.what for one in waiting(case, backlog)] == ["2 held (!held)", "1 to be released or returned (!queue)"]
    text = case_board(case, backlog, at=AT).text
    assert "Not delivered: 1 (!dead)" in text
    assert "Can't be decrypted yet: 3" in text
    assert "words of hers" not in text


def test_what_is_to_be_released_stands_there_by_name_without_its_words() -> None:
    text = case_board(queued(CASE), NOTHING, at=AT).text
    assert (
        "In the queue: R1 of Alice's, for EVERYONE · 1042, since 2026-01-05 09:00 UTC (!release R1, !return R1)" in text
    )
    assert "words of hers" not in text
    assert "In the queue" not in case_board(CASE, NOTHING, at=AT).text


def test_of_a_long_queue_the_oldest_stand_there_and_how_many_more() -> None:
    [one] = queued(CASE).releases
    many = [replace(one, id=ReleaseId(f"R{n}"), at=AT - n * HOUR) for n in range(1, QUEUE_SHOWN + 3)]
    text = case_board(replace(CASE, releases=tuple(many)), NOTHING, at=AT).text
    lines = [line for line in text.splitlines() if "queue:" in line]
    assert len(lines) == QUEUE_SHOWN + 1
    assert lines[0].startswith(f"In the queue: R{QUEUE_SHOWN + 2} of")
    assert lines[-1] == "In the queue: and 2 more (!queue)"


def test_what_ends_by_itself_is_due() -> None:
    assert (
        "Next: 2026-01-05 10:10 UTC, something in the joint room ends"
        in case_board(after("!turn Alice 10m", "!pause for 2d"), NOTHING, at=AT).text
    )
    assert "Next: 2026-01-07 10:00 UTC, a pause ends" in case_board(after("!pause for 2d"), NOTHING, at=AT).text


def test_the_html_says_what_the_plain_text_says_and_nothing_in_it_is_markup() -> None:
    case = replace(queued(CASE), title="Smith <b>&</b> Jones")
    shown = case_board(case, Backlog(held=1, since=AT), at=AT)
    assert plain(shown) == shown.text
    assert "<b>" not in shown.html


def test_all_cases_of_a_mediator_the_most_urgent_first_and_the_quiet_ones_counted() -> None:
    urgent = replace(done(CASE, "!withdraw", facts(named(CASE, "Alice").id)).case, id=CaseId("1003"))
    older = replace(CASE, id=CaseId("1002"))
    shown = cases_board([(CASE, NOTHING), (older, Backlog(held=1, since=AT - HOUR)), (urgent, NOTHING)])
    assert [line.split(":")[0] for line in shown.text.splitlines()] == ["1002", "1003", "In the others"]
    assert "nobody is waited for" in shown.text


def test_a_board_of_very_many_cases_stays_a_board() -> None:
    cases = [(replace(CASE, id=CaseId(str(n))), Backlog(held=1, since=AT)) for n in range(1000, 2000)]
    shown = cases_board(cases)
    assert len(shown.text.splitlines()) == SHOWN + 1
    assert "more than these" in shown.text


def test_it_says_until_when_somebody_on_whatsapp_can_be_written_to() -> None:
    case = done(CASE, "!party add Bea +34600123456", replace(facts(), whatsapp=True)).case
    endpoint = named(case, "Bea").endpoint.id
    windows = (Window(endpoint, "111", AT + HOUR), Window(named(case, "Carl").endpoint.id, "222", AT))
    backlog, contacts = replace(NOTHING, windows=windows), {"111": "in private", "222": "in the joint room"}
    assert "By WhatsApp: Bea can be written to once they write" in case_board(case, NOTHING, at=AT).text
    assert "Bea can be written to until 2026-01-05 11:00 UTC" in case_board(case, backlog, at=AT).text
    two = "Bea can be written to in private until 2026-01-05 11:00 UTC, in the joint room not before they write"
    assert two in case_board(case, backlog, contacts, at=AT).text
    assert "WhatsApp" not in case_board(CASE, NOTHING, at=AT).text
