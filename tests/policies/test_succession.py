"""When the last mediator has left, the organisation's successor comes in, on record, and the parties are told (R12)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from policies.acts import create
from policies.case import DESK, JOINT, Case, CaseId, Network, Phase, Role
from policies.commands.opening import NewCase
from policies.commands.people import AddPerson
from policies.due import decide_due
from policies.effects import Inform, Reconcile, Tell
from policies.outcome import Done, Facts
from policies.outside import decide_successor
from policies.people.membership import conversations, readers
from policies.people.succession import AFTER, came_to_the_desk, left_the_desk
from policies.routing import decide_departure
from policies.schedule import Due, Schedule, due_key
from tests.policies.builders import AT, both_sides, caucus_of, done, facts, named, of_kind
from tests.rooms.builders import Site, handler

CASE = both_sides()
KNOWN = replace(facts(None, at=AT + AFTER), successor=("Max", "@max:example.org"))
DUE = due_key(Due.SUCCESSION)


def after_leaving(case: Case, *names: str) -> Case:
    for name in names:
        person = named(case, name)
        case = left_the_desk(decide_departure(case, person, DESK), person, AT).case
    return case


def there(case: Case, *names: str) -> Case:
    for name in names:
        case = came_to_the_desk(case, named(case, name).id)
    return case


def come(case: Case, known: Facts = KNOWN) -> Case:
    return decide_due(case, DUE, known).case


def test_when_the_last_mediator_has_left_the_successor_is_the_mediator_and_is_invited() -> None:
    decision = decide_due(after_leaving(CASE, "Mia"), DUE, KNOWN)
    max_ = named(decision.case, "Max")
    assert [seat.role for seat in decision.case.roles(max_.id)] == [Role.MEDIATOR]
    assert all(max_.id in readers(decision.case, where) for where in conversations(decision.case))
    assert of_kind(Reconcile, decision.effects)
    assert decision.rule == "succession"
    assert "Max, whom the organisation named for that, is the mediator now" in decision.reason


def test_each_party_is_told_in_private_over_its_own_channel_who_it_is() -> None:
    effects = decide_due(after_leaving(CASE, "Mia"), DUE, KNOWN).effects
    rooms = {t.conversation for t in of_kind(Tell, effects) if "Max is your mediator" in t.text}
    assert rooms == {caucus_of(CASE, "Smith"), caucus_of(CASE, "Jones")}
    assert [i.to for i in of_kind(Inform, effects) if "Max is your mediator" in i.text] == [named(CASE, "Carl").id]
    assert not [t for t in of_kind(Tell, effects) if t.conversation == JOINT and "is your mediator" in t.text]


def test_it_takes_all_of_them_and_whoever_comes_back_in_time_stays() -> None:
    two = there(done(CASE, "!mediator add Ines @ines:example.org").case, "Ines")
    assert come(after_leaving(two, "Mia")).named("Max") is None
    assert come(after_leaving(two, "Mia", "Ines")).named("Max") is not None
    back = came_to_the_desk(after_leaving(CASE, "Mia"), named(CASE, "Mia").id)
    assert come(back).named("Max") is None


def test_nobody_comes_in_where_nobody_was_named_or_who_takes_part_already() -> None:
    left = after_leaving(CASE, "Mia")
    told = decide_due(left, DUE, facts(None))
    assert (told.rule, told.case) == ("no-successor", left)
    own = caucus_of(CASE, "Jones")
    assert {t.conversation for t in of_kind(Tell, told.effects)} == {DESK, own, caucus_of(CASE, "Smith")}
    (inform,) = of_kind(Inform, told.effects)
    assert (inform.to, inform.conversation) == (named(CASE, "Carl").id, own)
    assert "no mediator is at work on this case" in inform.text
    for elsewhere in ("@alice:example.org", "@mia:example.org", "@max:elsewhere.example"):
        decision = decide_due(left, DUE, replace(KNOWN, successor=("Max", elsewhere)))
        assert (decision.rule, decision.case) == ("no-successor", replace(left, successor=elsewhere))
        assert not of_kind(Reconcile, decision.effects)


def test_nobody_comes_in_before_the_desk_was_told_that_another_one_is_named() -> None:
    """The time may be over before a service that starts with another successor has come round to the case."""
    left = replace(after_leaving(CASE, "Mia"), successor="@nina:example.org")
    decision = decide_due(left, DUE, KNOWN)
    first, second, *_ = of_kind(Tell, decision.effects)
    assert (first.conversation, second.conversation) == (DESK, DESK)
    assert "Max (@max:example.org) comes in as the mediator" in first.text
    assert "So far you were told of @nina:example.org" in first.text
    assert "Max, whom the organisation named for that, is the mediator now" in second.text
    assert decision.reason.index("the desk was told of @nina") < decision.reason.index("is the mediator now")
    assert decide_successor(decision.case, KNOWN.successor).effects == (), "once"
    named_before = replace(left, successor="@max:example.org")
    assert not [t for t in of_kind(Tell, decide_due(named_before, DUE, KNOWN).effects) if "So far" in t.text]


def test_what_they_are_told_of_what_the_successor_sees_is_true() -> None:
    (inform,) = of_kind(Inform, decide_due(after_leaving(CASE, "Mia"), DUE, KNOWN).effects)
    assert "The earlier messages in these rooms Max does not read" in inform.text
    assert "the documents, and what is held for the mediators, Max can see" in inform.text


def test_into_a_closed_case_nobody_comes_and_nobody_hears_of_a_new_mediator() -> None:
    closed = replace(after_leaving(CASE, "Mia"), phase=Phase.CLOSED)
    decision = decide_due(closed, DUE, KNOWN)
    assert (decision.rule, decision.case, decision.effects) == ("overtaken", closed, ())


def test_it_is_scheduled_also_when_the_last_one_who_was_there_is_taken_off() -> None:
    two = done(CASE, "!mediator add Ines @ines:example.org").case
    alone = after_leaving(there(two, "Ines"), "Mia")
    ines = named(alone, "Ines").id
    asked = done(alone, "!party remove Ines", facts(ines, code="6H4C")).case
    gone = done(asked, "yes 6H4C", facts(ines))
    assert [s.key for s in of_kind(Schedule, gone.effects) if s.key == DUE] == [DUE]
    assert come(gone.case).named("Max") is not None


def test_who_was_invited_and_never_came_keeps_nobody_from_coming_in() -> None:
    two = done(CASE, "!mediator add Ines @ines:example.org").case
    decision = left_the_desk(decide_departure(two, named(two, "Mia"), DESK), named(two, "Mia"), AT)
    assert of_kind(Schedule, decision.effects) == [Schedule(AT + AFTER, DUE)]
    assert come(decision.case).named("Max") is not None
    assert come(there(decision.case, "Ines")).named("Max") is None, "whoever comes within the hour stays"
    spoke = done(decision.case, "!status", facts(named(two, "Ines").id)).case
    assert come(spoke).named("Max") is None, "whoever says something there is there"


def test_a_new_case_waits_for_its_mediator_and_for_nobody_else() -> None:
    mia = AddPerson("Mia", Network.MATRIX, "@mia:example.org", Role.MEDIATOR)
    made = create(Case(CaseId("1"), "x"), NewCase("x", (mia,)), facts(None))
    assert isinstance(made, Done)
    assert made.case.expected == (named(made.case, "Mia").id,)
    assert not [s for s in of_kind(Schedule, made.effects) if s.key == DUE]


def test_a_party_that_leaves_is_no_mediator() -> None:
    assert after_leaving(CASE, "Alice").away == ()


def test_the_time_is_scheduled_once_when_the_last_one_leaves() -> None:
    mia = named(CASE, "Mia")
    first = left_the_desk(decide_departure(CASE, mia, DESK), mia, AT)
    assert of_kind(Schedule, first.effects) == [Schedule(AT + AFTER, DUE)]
    again = left_the_desk(decide_departure(first.case, mia, DESK), mia, AT + timedelta(minutes=1))
    assert not of_kind(Schedule, again.effects)


async def test_whoever_leaves_and_comes_to_the_desk_is_known_from_the_room_itself() -> None:
    site = Site(CASE)
    await site.change(CASE)
    mia = named(CASE, "Mia")
    async with site.database.begin() as work:
        await handler(work, "left").departed(CASE, mia, DESK)
    assert site.database.committed.cases[CASE.id].away == (mia.id,)
    async with site.database.begin() as work:
        await handler(work, "back").arrived(site.database.committed.cases[CASE.id], mia, DESK)
    assert site.database.committed.cases[CASE.id].away == ()
    async with site.database.begin() as work:
        await handler(work, "elsewhere").departed(CASE, mia, JOINT)
    assert site.database.committed.cases[CASE.id].away == ()


# --- whom the configuration names


def test_a_new_cases_desk_is_told_who_would_come_in() -> None:
    mia = AddPerson("Mia", Network.MATRIX, "@mia:example.org", Role.MEDIATOR)
    opened = create(Case(CaseId("1042"), "Smith"), NewCase("Smith", (mia,)), KNOWN)
    assert isinstance(opened, Done)
    assert [t.conversation for t in of_kind(Tell, opened.effects) if "Max (@max:example.org) comes in" in t.text] == [
        DESK
    ]
    assert not decide_successor(opened.case, KNOWN.successor).effects


@pytest.mark.parametrize(
    ("before", "named", "said"),
    [
        (None, ("Max", "@max:example.org"), "Max (@max:example.org) comes in as the mediator when no mediator is left"),
        ("@max:example.org", ("Eve", "@eve:example.org"), "Eve (@eve:example.org) comes in as the mediator"),
        ("@max:example.org", None, "nobody comes in when no mediator is left"),
    ],
)
def test_another_one_who_would_come_in_is_told_once_at_the_desk_alone_and_is_on_record(
    before: str | None, named: tuple[str, str] | None, said: str
) -> None:
    decision = decide_successor(replace(CASE, successor=before), named)
    (told,) = decision.effects
    assert isinstance(told, Tell)
    assert told.conversation == DESK
    assert told.text.startswith("BY AN ADMINISTRATOR, not by a mediator")
    assert said in told.text
    assert f"So far you were told of {before or 'nobody'}." in told.text
    assert said in decision.reason
    assert decision.case == replace(CASE, successor=named[1] if named else None), "nobody is let in"
    assert not decide_successor(decision.case, named).effects
