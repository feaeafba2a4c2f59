"""The mediators' room as its policies have it: who is in it, what can be said there, and what becomes of a file."""

from dataclasses import replace

import pytest

from policies import routing
from policies.acts import perform
from policies.case import DESK, Case, Network, Role
from policies.commands.form import Misunderstood
from policies.commands.people import AddPerson
from policies.commands.vocabulary import parse
from policies.documents.carrying import Hand
from policies.documents.document import BlobId, Kept
from policies.documents.files import Kind
from policies.documents.filing import Filing, Passed, decide_filed
from policies.effects import Announce, Inform, Introduce, Reconcile, Relay, Tell
from policies.message import File, FileRef, SignedWebhook, Text
from policies.outcome import Refused
from policies.people.colleagues import ROOM, home_of, new_room
from policies.people.joining import invited
from policies.people.manning import decide_manned, manned
from policies.people.membership import caucuses_of, language_in, language_to, readers
from policies.people.succession import decide_succession
from policies.plan import desk_label, plan
from policies.questions.answering import lapse
from policies.status import readers_text, status_text
from policies.words.language import Language
from tests.policies.builders import done, facts, message, named, new_case, of_kind, refused

KNOWN = replace(facts(), whatsapp=True)
EMPTY = manned(new_room(Language.GERMAN, "UTC"), {"@mia:example.org": "Mia", "@max:example.org": "Max"})
INVITED = done(EMPTY, "!colleague add Nora +491601234567", KNOWN).case


def code_of(case: Case) -> str:
    return case.asks[-1].code


def with_nora() -> Case:
    words = Text(f"yes {code_of(INVITED)}")
    said = message(INVITED, "Nora", ROOM, words, SignedWebhook("1", named(INVITED, "Nora").endpoint.id), native=False)
    return routing.decide(INVITED, said, facts(named(INVITED, "Nora").id)).case


CASE = with_nora()


def test_everybody_there_is_told_who_came_and_over_which_leg() -> None:
    text = str(readers_text(CASE, ROOM))
    assert "Nora (mediator, by WhatsApp)" in text
    assert "Meta's servers" in text
    words = Text(f"yes {code_of(INVITED)}")
    said = message(INVITED, "Nora", ROOM, words, SignedWebhook("1", named(INVITED, "Nora").endpoint.id), native=False)
    decision = routing.decide(INVITED, said, facts(named(INVITED, "Nora").id))
    assert [e.conversation for e in of_kind(Announce, decision.effects)] == [ROOM]
    assert [e.person for e in of_kind(Introduce, decision.effects)] == [named(CASE, "Nora").id]


def test_who_is_not_in_yet_has_the_room_for_a_home_and_reads_nothing() -> None:
    nora = named(INVITED, "Nora").id
    assert home_of(INVITED, nora) == (ROOM,)
    assert caucuses_of(INVITED, nora) == ()
    assert not [c for c in (DESK, ROOM) if nora in readers(INVITED, c)]
    assert home_of(INVITED, named(INVITED, "Mia").id) == ()


def test_nobody_is_reminded_or_to_be_telephoned_for_the_code_has_its_own_time() -> None:
    assert invited(EMPTY, INVITED) == ()


def test_what_a_colleague_says_is_told_to_nobody_but_those_who_read_it() -> None:
    said = message(CASE, "Nora", ROOM, Text("at nine"), SignedWebhook("1", named(CASE, "Nora").endpoint.id))
    decision = routing.decide(CASE, said, facts(named(CASE, "Nora").id))
    assert not of_kind(Tell, decision.effects)
    assert {e.conversation for e in decision.effects if hasattr(e, "conversation")} == {ROOM}


def test_mediators_are_written_to_in_english_also_there() -> None:
    assert language_to(CASE, named(CASE, "Nora").id, ROOM) is Language.ENGLISH
    assert language_in(EMPTY, ROOM) is Language.ENGLISH


def test_no_space_shows_the_room_but_that_of_its_desk() -> None:
    assert [(room.name, set(room.children)) for room in plan(CASE) if room.is_space] == [
        ("Mediators", {"desk", "caucus-mediators"})
    ]
    assert desk_label(ROOM, CASE) == "The mediators' room"


def test_the_status_says_whose_code_has_not_come() -> None:
    assert "Nora: colleague on Mediators; by WhatsApp at +491601234567: invited, THE CODE HAS NOT COME yet" in (
        status_text(INVITED)
    )
    assert "consent recorded by Nora" in status_text(CASE)
    assert "No party yet" not in status_text(EMPTY)


@pytest.mark.parametrize("role", [Role.PARTY, Role.COUNSEL, Role.EXPERT, Role.OBSERVER])
def test_nobody_but_mediators_comes_in(role: Role) -> None:
    added = AddPerson("Carl", Network.EMAIL, "carl@example.net", role, "Mediators").perform(EMPTY, facts())
    assert isinstance(added, Refused)


def test_a_colleague_comes_into_no_case() -> None:
    added = AddPerson("Nora", Network.WHATSAPP, "+491601234567", Role.COLLEAGUE, "Smith").perform(new_case(), KNOWN)
    assert isinstance(added, Refused)


@pytest.mark.parametrize("address", ["", "nowhere", "@nora:example.org", "12"])
def test_it_takes_a_number_or_an_address(address: str) -> None:
    parsed = parse(f"!colleague add Nora {address}")
    assert isinstance(parsed, Misunderstood) or isinstance(perform(EMPTY, parsed, KNOWN), Refused)


def test_whoever_is_there_is_not_added_again_and_it_says_what_to_do() -> None:
    for command in ("!colleague add Nora +491600000000", "!colleague add Olga 00491601234567"):
        assert "!colleague remove Nora first" in refused(INVITED, command, KNOWN)
    assert "!party" not in refused(EMPTY, "!colleague add Nora nowhere@", KNOWN)
    assert "!party" not in refused(EMPTY, "!colleague add PRIVATE nora@example.org", KNOWN)


def test_a_mediator_in_matrix_is_the_administrators_to_remove() -> None:
    assert "Ask your administrator" in refused(CASE, "!colleague remove Max")


def test_who_is_manned_anew_keeps_its_colleagues_and_a_new_one_is_no_colleague() -> None:
    after = decide_manned(CASE, {"@max:example.org": "Max", "@ina:example.org": "Ina"}, is_new=False, steps="").case
    assert {p.name for p in after.people} == {"Max", "Ina", "Nora"}
    assert [p.name for p in after.people if not after.is_staff(p.id)] == ["Nora"]
    assert readers(after, ROOM) == {p.id for p in after.people}


def test_whom_the_configuration_brings_or_takes_away_those_who_stay_are_told() -> None:
    decision = decide_manned(CASE, {"@max:example.org": "Max", "@ina:example.org": "Ina"}, is_new=False, steps="")
    told, *follows = decision.effects
    assert isinstance(told, Tell)
    assert told.conversation == DESK
    assert told.text.startswith("BY AN ADMINISTRATOR, not by a mediator")
    assert "Ina reads here from now on, and Mia reads here no more." in told.text
    assert of_kind(Reconcile, follows)
    again = decide_manned(decision.case, {"@max:example.org": "Max", "@ina:example.org": "Ina"}, is_new=False, steps="")
    assert again.effects == ()


def test_a_lapsed_code_puts_them_out_and_what_they_were_asked_goes_with_them() -> None:
    after = lapse(INVITED, INVITED.asks[-1])
    assert after.case.named("Nora") is None
    assert not after.case.asks
    assert "Nothing was sent there" in of_kind(Tell, after.effects)[0].text


def test_a_code_after_they_came_in_is_no_way_out() -> None:
    assert lapse(CASE, INVITED.asks[-1]).case.named("Nora")


def test_the_successor_is_nobodys_mediator_there() -> None:
    left = replace(CASE, away=tuple(p.id for p in CASE.people if CASE.is_staff(p.id)))
    known = replace(facts(None), successor=("Sue", "@sue:example.org"))
    decision = decide_succession(left, known)
    assert decision.case.named("Sue")
    assert not [e for e in decision.effects if isinstance(e, Inform) or "your mediator" in getattr(e, "text", "")]


def test_a_file_of_a_colleagues_is_read_at_the_desk_and_goes_nowhere_else() -> None:
    nora, known = named(CASE, "Nora"), replace(facts(), documents=True)
    brought = message(CASE, "Nora", ROOM, File("a.pdf", "application/pdf", 9, FileRef("x")), native=False)
    brought = replace(brought, proof=SignedWebhook("1", nora.endpoint.id))
    assert not of_kind(Relay, routing.decide(CASE, brought, replace(known, by=nora.id)).effects)
    kept = Passed(
        Kind.PDF, "application/pdf", Kept(BlobId("b1"), "a1" * 32, 9), Kept(BlobId("b2"), "b2" * 32, 9), 1, ()
    )
    filed = decide_filed(CASE, Filing(None, nora.id, ROOM, ROOM, "a.pdf", kept), known).case
    handed = of_kind(Hand, done(filed, "!doc show D1 file", known).effects)
    assert [hand.conversation for hand in handed] == [DESK]
    assert "That is said in a case" in refused(filed, "!doc grant D1 view to all", known)
