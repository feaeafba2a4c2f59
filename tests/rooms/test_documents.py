"""A document is served once that is on record, as often as was granted, and to nobody else; files are worked on."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from appservice.upkeep.epoch import Epoch, Stage
from policies.case import DESK, JOINT, Case, Network
from policies.document import Action, Consent, Grant, Kept, Label, Version
from policies.documents import Denied, Wish
from policies.effects import Erase, Hand, Ingest, Recall
from policies.message import File, FileRef, MessageId
from rooms.carriers import Posting
from rooms.deliver import Deliverer
from rooms.documents import EXAMINER, DocumentWork
from rooms.homeserver import Trouble
from rooms.outcome import Cancelled, Outcome, Parked, Sent
from rooms.ports import EventId, Item, ItemId, Lane, State, UserId
from rooms.vault import Media
from tests.policies.builders import named
from tests.policies.test_document_commands import CASE, HERS
from tests.rooms.builders import AT, Site, handler, item_of

EPOCH = Epoch(2, "restored", 1, Stage.SETTLED, AT, AT, AT)
ITEM = Item(ItemId("i1"), Lane("file"), "files", CASE.id, b"", AT)


def granted(most: int | None = None) -> Case:
    """Alice's document, which Bob may view."""
    [document] = CASE.documents
    bob, mia = named(CASE, "Bob").id, named(CASE, "Mia").id
    version = replace(document.newest, label=Label.CONSENT)
    grant = Grant(1, bob, Action.VIEW, mia, AT, most=most)
    yes = Consent(version.served.sha256, bob, Action.VIEW, AT, "yes")
    return CASE.with_document(replace(document, versions=(version,), grants=(grant,), consents=(yes,)))


async def served(site: Site, name: str, action: Action = Action.VIEW, number: str = "D1") -> Kept | Denied:
    async with site.database.begin() as work:
        wish = Wish(named(site.case, name).id, action, 1, AT)
        return await handler(work, f"serve {name} {AT}").serve(site.case.id, number, wish, "page 1 on the portal")


async def site_of(case: Case) -> Site:
    site = Site(case)
    await site.change(case)
    return site


async def stored(site: Site) -> Case:
    async with site.database.begin() as work:
        found = await work.cases.load(site.case.id)
    assert found is not None
    return found


async def test_what_is_served_is_on_record_and_in_its_history_before_it_leaves() -> None:
    site = await site_of(granted())
    assert await served(site, "Bob") == CASE.documents[0].newest.served
    [serving] = (await stored(site)).documents[0].servings
    assert (serving.person, serving.how) == (named(CASE, "Bob").id, "page 1 on the portal")
    lines = [line.private or "" for line in site.database.committed.record.values()]
    assert any("document-served" in line and "D1.1" in line for line in lines)


async def test_it_is_served_as_often_as_was_granted() -> None:
    site = await site_of(granted(most=2))
    found = [await served(site, "Bob") for _ in range(3)]
    assert [isinstance(one, Kept) for one in found] == [True, True, False]


async def test_nobody_else_is_served_and_nothing_is_written_down() -> None:
    site = await site_of(granted())
    for name, action, number in (
        ("Carl", Action.VIEW, "D1"),
        ("Bob", Action.DOWNLOAD, "D1"),
        ("Bob", Action.VIEW, "D2"),
    ):
        assert isinstance(await served(site, name, action, number), Denied)
    assert (await stored(site)).documents[0].servings == ()


async def test_a_backup_revives_no_grant_before_a_mediator_has_confirmed_the_case() -> None:
    site = await site_of(granted())
    async with site.database.begin() as work:
        await work.epochs.begin(EPOCH)
    assert isinstance(await served(site, "Bob"), Denied)
    outcome, _ = await site.deliver(Hand(CASE.documents[0].id, 1, CASE.documents[0].newest.served.sha256, HERS))
    assert isinstance(outcome, Parked)


@dataclass
class FakeFiles:
    """Files that do as they are told, and remember what they were told."""

    waits: str | None = None
    may_delete: bool = True
    done: list[str] = field(default_factory=list)
    meanwhile: Callable[[], Awaitable[None]] | None = None
    """What happens while a file is on its way to the homeserver."""

    async def ingest(self, item: Item, case: object, effect: Ingest) -> str | None:
        self.done.append(f"ingest {effect.message}")
        return self.waits

    async def erase(self, message: MessageId) -> bool:
        self.done.append(f"erase {message}")
        return self.may_delete

    async def upload(self, item: Item, case: object, version: Version, name: str) -> File:
        self.done.append(f"upload {name}")
        if self.meanwhile:
            await self.meanwhile()
        return File(name, version.mimetype, version.served.size, FileRef("{}"))

    async def delete(self, item: ItemId) -> bool:
        self.done.append(f"delete {item}")
        return self.may_delete


async def working(case: Case = CASE, **how: bool | str) -> tuple[Site, FakeFiles, DocumentWork]:
    site, files = await site_of(case), FakeFiles(**how)  # type: ignore[arg-type]
    return site, files, DocumentWork(site.database, site.builder, files)


async def test_a_file_that_could_not_be_examined_is_tried_again() -> None:
    _, _, work = await working(waits="the scanner is down")
    outcome = await work.carry_out(ITEM, CASE.id, Ingest(MessageId("m1"), HERS), AT)
    assert outcome == Parked(EXAMINER, "the scanner is down")
    _, _, work = await working()
    assert isinstance(await work.carry_out(ITEM, CASE.id, Ingest(MessageId("m1"), HERS), AT), Sent)


async def test_what_may_not_be_deleted_is_said_to_be_there() -> None:
    _, _, work = await working(may_delete=False)
    assert isinstance(await work.carry_out(ITEM, CASE.id, Erase(MessageId("m1")), AT), Cancelled)


async def test_a_recall_takes_back_what_somebody_may_not_have_any_more_and_leaves_the_rest() -> None:
    site, files, work = await working()
    async with site.database.begin() as unit:
        for number, where in enumerate((HERS, JOINT, DESK)):
            event, uri = EventId(f"$e{number}"), f"mxc://x/{number}"
            await unit.vault.note(
                Media(ItemId(f"posted{number}"), CASE.id, where, AT, uri, event, CASE.documents[0].id, 1)
            )
        await unit.vault.note(
            Media(ItemId("gone"), CASE.id, JOINT, AT, "mxc://x/9", None, CASE.documents[0].id, 1, gone=AT)
        )
    await work.carry_out(ITEM, CASE.id, Recall(CASE.documents[0].id), AT + timedelta(days=1))
    assert files.done == ["delete posted1"]


HAND = Hand(CASE.documents[0].id, 1, CASE.documents[0].newest.served.sha256, HERS)
HAND_ITEM = item_of(HAND, CASE.id, "hand")


async def posting() -> tuple[Site, FakeFiles, DocumentWork]:
    """A document about to be posted in its owner's own room."""
    site, files = Site(CASE), FakeFiles()
    site.synapse.register(*(UserId(p.endpoint.address) for p in CASE.people if p.endpoint.network is Network.MATRIX))
    await site.begin()
    work = DocumentWork(site.database, site.builder, files)
    site.deliverer = Deliverer(site.database, site.builder, site.poster, {}, work, clock=lambda: AT)
    async with site.database.begin() as unit:
        await unit.outbox.put(HAND_ITEM)
    return site, files, work


def withheld(case: Case) -> Case:
    """Nobody in its room but its owner may have it any more."""
    [document] = case.documents
    return case.with_document(replace(document, versions=(replace(document.newest, label=Label.PRIVILEGED),)))


async def recalled(work: DocumentWork) -> Outcome:
    return await work.carry_out(replace(ITEM, id=ItemId("recall")), CASE.id, Recall(HAND.document), AT)


async def test_what_is_taken_back_while_it_is_uploaded_is_not_posted() -> None:
    site, files, work = await posting()

    async def take_back() -> None:
        await site.change(withheld(CASE))
        with pytest.raises(Trouble) as waits:
            await recalled(work)
        assert waits.value.transient

    files.meanwhile = take_back
    with pytest.raises(Trouble) as trouble:
        await site.deliverer.deliver(HAND_ITEM, HAND)
    assert trouble.value.transient
    outcome, _ = await site.deliverer.deliver(HAND_ITEM, HAND)
    assert isinstance(outcome, Cancelled)
    assert site.poster.posted == []
    async with site.database.begin() as unit:
        await unit.outbox.stop(HAND_ITEM.id, State.CANCELLED, outcome.why)
    assert isinstance(await recalled(work), Sent)
    assert files.done[-1] == "delete hand"


async def test_what_is_taken_back_as_it_leaves_is_redacted_once_it_is_known_where_it_stands() -> None:
    site, files, work = await posting()
    post = site.poster.post

    async def meanwhile(item: Item, posting: Posting) -> EventId:
        await site.change(withheld(CASE))
        with pytest.raises(Trouble) as waits:
            await recalled(work)
        assert waits.value.transient
        return await post(item, posting)

    site.poster.post = meanwhile  # type: ignore[method-assign]
    await site.deliverer.deliver(HAND_ITEM, HAND)
    assert len(site.poster.posted) == 1
    assert isinstance(await recalled(work), Sent)
    assert [event.content for event in site.room(HERS).timeline if event.type == "m.room.redaction"] == [
        {"redacts": "$1"}
    ]
    assert files.done[-1] == "delete hand"


async def test_what_may_stay_does_arrive_though_a_recall_comes_by() -> None:
    site, files, work = await posting()

    async def come_by() -> None:
        assert isinstance(await recalled(work), Sent)

    files.meanwhile = come_by
    await site.deliverer.deliver(HAND_ITEM, HAND)
    assert len(site.poster.posted) == 1


async def test_a_document_is_noted_only_while_it_may_be_posted() -> None:
    site, files, work = await posting()
    await site.change(withheld(CASE))
    with pytest.raises(Trouble):
        await work.file_of(HAND_ITEM, CASE, HAND, lambda: AT)
    assert files.done == []
    assert not site.database.committed.media
