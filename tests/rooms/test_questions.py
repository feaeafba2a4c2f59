"""A question goes to its person, over that person's own channel, while it is open."""

from datetime import UTC, datetime

from policies.case import Case
from policies.effects import Inform, Pose
from policies.message import Text
from policies.words.phrase import verbatim
from rooms.outcome import Cancelled, Outcome, Parked, Sent
from rooms.outgoing import MATRIX, PEOPLE
from tests.policies.builders import agreed_case, done, facts, named
from tests.rooms.builders import ALICE, MIA, Site, applier, item_of

CASE, (TO_ALICE, TO_CARL) = agreed_case()


async def deliver(site: Site, pose: Pose | Inform, kind: str) -> Outcome:
    return (await site.deliverer.deliver(item_of(pose, CASE.id, kind=kind), pose))[0]


def without_questions(case: Case) -> Case:
    return done(done(case, "!agreement accepted Alice: x").case, "!agreement accepted Carl: x").case


async def test_it_is_asked_in_matrix_with_the_code_and_the_exact_words() -> None:
    site = await Site(CASE).begin()
    await deliver(site, TO_ALICE, MATRIX)
    [posting] = site.poster.posted
    assert posting.is_notice
    assert posting.room == site.room(TO_ALICE.conversation).id
    assert isinstance(posting.content, Text)
    assert f"“yes {TO_ALICE.code}”" in posting.content.body
    assert "> We talk to each other." in posting.content.body


async def test_it_waits_for_its_person_and_not_for_any_reader() -> None:
    site = await Site(CASE).begin(joined=False)
    room = site.room(TO_ALICE.conversation).id
    await site.synapse.rooms.join(room, as_user=MIA)
    await site.changed(room)
    assert isinstance(await deliver(site, TO_ALICE, MATRIX), Parked)
    await site.synapse.rooms.join(room, as_user=ALICE)
    await site.changed(room)
    assert isinstance(await deliver(site, TO_ALICE, MATRIX), Sent)


async def test_a_bridged_person_is_asked_by_letter_even_before_a_consent_to_words_by_mail() -> None:
    site = await Site(CASE).begin()
    assert isinstance(await deliver(site, TO_CARL, PEOPLE), Sent)
    [letter] = site.courier.carried
    assert letter.content == TO_CARL
    assert letter.to == TO_CARL.to


async def test_a_question_about_somebodys_words_reaches_who_gets_links() -> None:
    case = done(CASE, "!party add Bea bea@example.net").case
    bea = named(case, "Bea").id
    site = await Site(case).begin()
    where = next(a.where for a in case.asks if a.asked == bea)
    code = next(a.code for a in case.asks if a.asked == bea)
    pose = Pose(
        bea,
        where,
        code,
        verbatim("May I?"),
        "a secret",
        verbatim("All read it."),
        datetime(2026, 2, 1, tzinfo=UTC),
        True,
    )
    assert isinstance(await deliver(site, pose, PEOPLE), Sent)
    assert isinstance(await deliver(site, Inform(bea, where, verbatim("noted")), PEOPLE), Sent)


async def test_a_closed_question_is_not_asked() -> None:
    site = await Site(CASE).begin()
    await site.change(without_questions(site.case))
    assert isinstance(await deliver(site, TO_ALICE, MATRIX), Cancelled)
    assert isinstance(await deliver(site, TO_CARL, PEOPLE), Cancelled)


async def test_nobody_is_asked_who_has_left() -> None:
    site = await Site(CASE).begin()
    await site.change(done(site.case, "!party remove Carl", facts(None)).case)
    assert isinstance(await deliver(site, TO_CARL, PEOPLE), Cancelled)
    assert isinstance(await deliver(site, Inform(TO_CARL.to, TO_CARL.conversation, verbatim("x")), PEOPLE), Cancelled)


async def test_each_channel_has_its_own_lane() -> None:
    site = await Site(CASE).begin()
    async with site.database.begin() as work:
        made = applier(work)
        for pose in (TO_ALICE, TO_CARL):
            await made._effect(site.case, pose)
    kinds = {(i.kind, i.lane) for i in site.database.committed.outbox.items.values()}
    assert kinds == {
        (MATRIX, f"room:1042:{TO_ALICE.conversation.id}"),
        (PEOPLE, f"person:1042:{TO_CARL.to}"),
    }
