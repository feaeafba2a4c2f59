"""A document is served once that is on record, as often as was granted, and to nobody else; files are worked on."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta

import pytest

from appservice.upkeep.epoch import Epoch, Stage
from policies.case import DESK, JOINT, Case, Network
from policies.documents.carrying import Cover, Erase, Hand, Recall
from policies.documents.document import Action, Label, Serving, Version
from policies.documents.rights import Wish
from policies.effects import Ingest
from policies.message import File, FileRef, MessageId
from rooms.carriers import Posting
from rooms.deliver import Deliverer
from rooms.documents import EXAMINER, DocumentWork
from rooms.homeserver import Trouble
from rooms.ids import EventId, UserId
from rooms.outcome import Cancelled, Outcome, Parked, Sent
from rooms.queue import Item, ItemId, Lane, State
from rooms.vault import Media
from tests.policies.builders import named
from tests.policies.test_document_commands import CASE, HERS
from tests.rooms.builders import AT, Site, handler, item_of

EPOCH = Epoch(2, "restored", 1, Stage.SETTLED, AT, AT, AT)
ITEM = Item(ItemId("i1"), Lane("file"), "files", CASE.id, b"", AT)


async def site_of(case: Case) -> Site:
    site = Site(case)
    await site.change(case)
    return site


async def test_what_is_served_is_on_record_and_in_its_history_and_once_is_enough() -> None:
    site, wish = await site_of(CASE), Wish(named(CASE, "Alice").id, Action.VIEW, 1, AT)
    for _ in range(2):
        async with site.database.begin() as work:
            case = await work.cases.load(CASE.id, lock=True)
            assert case is not None
            [document] = case.documents
            after = replace(document, servings=(Serving(1, wish.person, wish.action, AT, "on the page"),))
            await handler(work, "served").served(case, after, wish, "page 1 on the page")
    async with site.database.begin() as work:
        stored = await work.cases.load(CASE.id)
    assert stored is not None
    assert [serving.person for serving in stored.documents[0].servings] == [wish.person]
    lines = [line.private or "" for line in site.database.committed.record.values() if line.rule == "document-served"]
    assert lines
    sha256 = CASE.documents[0].newest.served.sha256
    assert all(f"D1.1, SHA-256 {sha256}, to Alice: page 1 on the page" in line for line in lines)
    assert len(lines) == len({line.audience for line in site.database.committed.record.values()})


async def test_a_backup_revives_no_grant_before_a_mediator_has_confirmed_the_case() -> None:
    site = await site_of(CASE)
    async with site.database.begin() as work:
        await work.epochs.begin(EPOCH)
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

    async def redact(self, item: Item, case: object, wish: Cover) -> str | None:
        self.done.append(f"redact {wish.document}")
        return self.waits

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
