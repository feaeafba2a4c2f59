"""What a closed case keeps ends where it lies: its addresses are refused, its mails are gone; before that, neither."""

from dataclasses import replace
from datetime import timedelta

import pytest

from policies.case import JOINT, Case, Closing, Phase
from policies.message import MessageId
from policies.moderation.closing import Terms
from policies.names import CaseId
from rooms.addresses import ReplyAddress
from rooms.handle import Handler
from rooms.queue import ItemId
from tests.policies.builders import AT, both_sides, named
from tests.rooms.builders import CODEC, HOUSE, Site

TERMS = Terms(timedelta(days=3), timedelta(days=9))
CASE = replace(both_sides(), phase=Phase.CLOSED, closing=Closing(AT + TERMS.addresses, AT + TERMS.mails))
CARL = named(CASE, "Carl")
OTHER = CaseId("1001")
ADDRESS = ReplyAddress(CASE.id, CARL.id, CARL.endpoint.id, JOINT, "token")


async def site_with_mail() -> Site:
    """Carl has an address, and wrote a mail; another case has a mail, too."""
    site = await Site(CASE).begin()
    async with site.database.begin() as work:
        await work.addresses.save(ADDRESS, "hash")
        for case in (CASE.id, OTHER):
            await work.mails.keep(case, MessageId("m1"), b"raw")
    return site


@pytest.mark.parametrize(
    ("after", "takes_mail", "has_mails"),
    [
        (TERMS.addresses - timedelta(seconds=1), True, True),
        (TERMS.addresses, False, True),
        (TERMS.mails, False, False),
    ],
)
async def test_each_ends_in_its_time_and_of_this_case_alone(
    after: timedelta, takes_mail: bool, has_mails: bool
) -> None:
    site = await site_with_mail()
    async with site.database.begin() as work:
        await Handler(work, CODEC, HOUSE, ItemId("late"), AT + after).due(CASE.id, "closing:")
    async with site.database.begin() as work:
        assert (await work.addresses.by_hash("hash") is not None) is takes_mail
        assert (await work.mails.raw(CASE.id, MessageId("m1")) is not None) is has_mails
        assert await work.mails.raw(OTHER, MessageId("m1")) == b"raw"


async def test_after_it_went_on_an_address_can_be_made_anew_and_the_old_one_stays_refused() -> None:
    site = await site_with_mail()
    async with site.database.begin() as work:
        await Handler(work, CODEC, HOUSE, ItemId("late"), AT + TERMS.mails).due(CASE.id, "closing:")
    open_again: Case = replace(CASE, phase=Phase.IN_SESSION, closing=None)
    await site.change(open_again)
    new = replace(ADDRESS, token="new")
    async with site.database.begin() as work:
        assert await work.addresses.get(CASE.id, CARL.endpoint.id, JOINT) is None
        await work.addresses.save(new, "new hash")
    async with site.database.begin() as work:
        assert await work.addresses.get(CASE.id, CARL.endpoint.id, JOINT) == new
        assert await work.addresses.by_hash("hash") is None
