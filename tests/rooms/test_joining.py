"""Whoever says something with proof, answers, confirms their address or comes into a room, is in (R9)."""

import pytest

from policies.case import JOINT, Case
from policies.message import AuthenticatedMail, PinnedLink, Text, Unproven
from policies.names import CaseId
from policies.questions.asking import Answer
from tests.policies.builders import AT, both_sides, caucus_of, message, named
from tests.rooms.builders import Site, handler

CASE = both_sides()
CARL, ALICE, OWN = named(CASE, "Carl"), named(CASE, "Alice"), caucus_of(CASE, "Jones")


def is_in(site: Site, name: str) -> bool:
    case: Case = site.database.committed.cases[CaseId(CASE.id)]
    joining = named(case, name).joining
    return joining is not None and joining.came == AT


@pytest.mark.parametrize("proof", [AuthenticatedMail(), Unproven("no DKIM", "")])
async def test_a_proven_mail_shows_it_and_an_unproven_one_does_not(proof: AuthenticatedMail | Unproven) -> None:
    site = await Site(CASE).begin()
    async with site.database.begin() as work:
        said = message(CASE, "Carl", OWN, Text("hello"), proof, native=False)
        await handler(work).message(CASE.id, said, None, None)
    assert is_in(site, "Carl") is isinstance(proof, AuthenticatedMail)


@pytest.mark.parametrize("proof", [PinnedLink(), Unproven("an old link", "")])
async def test_a_proven_answer_shows_it_whatever_it_answers(proof: PinnedLink | Unproven) -> None:
    site = await Site(CASE).begin()
    async with site.database.begin() as work:
        await handler(work).answer(CASE.id, Answer("4F2A", True, CARL.id, OWN, proof), AT)
    assert is_in(site, "Carl") is isinstance(proof, PinnedLink)


async def test_who_comes_into_a_room_is_in_and_who_confirms_the_address_is() -> None:
    site = await Site(CASE).begin()
    async with site.database.begin() as work:
        await handler(work).arrived(CASE, ALICE, JOINT)
    assert is_in(site, "Alice")
    assert not is_in(site, "Carl")
    async with site.database.begin() as work:
        case = await work.cases.load(CASE.id)
        assert case is not None
        await handler(work, "other").enrolled(case, CARL, words=False)
    assert is_in(site, "Carl")
    assert named(site.database.committed.cases[CASE.id], "Carl").endpoint.enrolled == AT
