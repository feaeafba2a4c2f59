"""The page of parties who take part over another channel than mail: a link by command, a PIN by telephone."""

from dataclasses import replace
from typing import Any

import pytest

from policies import routing
from policies.case import DESK, Conversation
from policies.effects import Decision, Inform, Reconcile
from policies.message import Text
from policies.networks.portal import decide_again
from policies.people.codes import decide_entered, with_room
from policies.plan import is_told_codes
from policies.showing import GiveCode, GiveLink, GivePin
from rooms.shown import pin_text
from tests.fakes.memory import MemoryDatabase
from tests.policies.builders import both_sides, caucus_of, facts, message, named, of_kind

CASE = both_sides()
HERS, HIS = caucus_of(CASE, "Smith"), caucus_of(CASE, "Jones")
PAGE = "https://mediation.example.org/p"


def says(name: str, words: str, where: Conversation, **known: Any) -> Decision:
    told = replace(facts(named(CASE, name).id), where=where, **{"page": PAGE, "documents": True, **known})
    return routing.decide(CASE, message(CASE, name, where, Text(words), native=name != "Carl"), told)


def test_a_party_asks_for_its_link_and_gets_it_alone_in_its_private_room() -> None:
    [given] = of_kind(GiveLink, says("Alice", "!page", HERS).effects)
    assert (given.person, given.conversation, given.base) == (named(CASE, "Alice").id, HERS, PAGE)


def test_who_gets_mail_is_mailed_a_link() -> None:
    [sent] = of_kind(Inform, says("Carl", "!page", HIS).effects)
    assert (sent.to, sent.page) == (named(CASE, "Carl").id, True)


def test_without_a_page_there_is_no_link_and_no_pin() -> None:
    assert "no page" in str(says("Alice", "!page", HERS, page=None).effects)
    assert "no page" in str(says("Mia", "!page pin Alice", DESK, page=None).effects)


def test_without_documents_only_who_gets_mail_has_a_page() -> None:
    refused = says("Alice", "!page", HERS, documents=False)
    assert not of_kind(GiveLink, refused.effects)
    assert "keeps none" in str(refused.effects)
    assert of_kind(Inform, says("Carl", "!page", HIS, documents=False).effects)
    assert not of_kind(GivePin, says("Mia", "!page pin Alice", DESK, documents=False).effects)
    assert of_kind(GivePin, says("Mia", "!page pin Carl", DESK, documents=False).effects)


async def test_what_a_pin_is_good_for_is_said_as_it_is() -> None:
    async with MemoryDatabase().begin() as work:
        by_account, by_mail = [await pin_text(work, CASE, named(CASE, name).id) for name in ("Alice", "Carl")]
    assert "sees their documents" in by_account
    assert "speaks as them" not in by_account
    assert "speaks as them" in by_mail


def test_a_mediator_gives_a_pin_for_the_page_of_a_party_and_of_no_mediator() -> None:
    assert of_kind(GivePin, says("Mia", "!page pin Alice", DESK).effects) == [GivePin(named(CASE, "Alice").id)]
    assert not of_kind(GivePin, says("Mia", "!page pin Mia", DESK).effects)
    assert not of_kind(GivePin, says("Alice", "!page pin Alice", HERS).effects)


@pytest.mark.parametrize(("name", "where"), [("Alice", HERS), ("Carl", HIS)])
def test_who_used_a_link_with_the_pin_is_sent_another_where_they_are_reached(name: str, where: Conversation) -> None:
    *made, sent = decide_again(CASE, named(CASE, name), replace(facts(None), page=PAGE, documents=True)).effects
    assert made == ([Reconcile(codes_of=named(CASE, "Alice").id)] if name == "Alice" else [])
    assert isinstance(sent, GiveLink | Inform)
    assert sent.conversation == where


def test_who_asks_in_matrix_has_a_room_of_their_own_and_is_asked_in_each_time_and_nobody_else_has() -> None:
    asked = says("Alice", "!page", HERS)
    assert of_kind(Reconcile, asked.effects)
    assert [p.name for p in asked.case.people if is_told_codes(asked.case, p)] == ["Alice"]
    now, made = with_room(asked.case, named(asked.case, "Alice"))
    assert (now, made) == (asked.case, (Reconcile(codes_of=named(CASE, "Alice").id),))
    assert with_room(CASE, named(CASE, "Carl")) == (CASE, ())


def test_whoever_comes_by_an_account_is_told_a_code_for_that_very_link_alone() -> None:
    entered = decide_entered(CASE, named(CASE, "Alice"), "link")
    assert entered.effects == (Reconcile(codes_of=named(CASE, "Alice").id), GiveCode(named(CASE, "Alice").id, "link"))
    assert "link=" not in repr(entered.effects)
    assert "account of Alice" in entered.reason
