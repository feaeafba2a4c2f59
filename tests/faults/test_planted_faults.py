"""The kill matrix can fail: each fault planted here is noticed at some boundary, and nothing is noticed without it."""

import asyncio
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from appservice import provisioning, service
from appservice.backups import settling
from appservice.backups.aftermath import Aftermath
from appservice.building import Builder
from appservice.crypto.machine import OlmMachine
from appservice.documents import intake
from appservice.e2ee import writing
from appservice.e2ee.sweeping import Sweeper
from appservice.mail import courier, plain, reports
from appservice.mail.courier import MailCourier
from appservice.mail.plain import PlainMails
from appservice.mail.reports import ReportReader
from appservice.portal import papers
from appservice.portal.page import Press, store_press
from appservice.ports import ServiceDatabase
from appservice.sending import OutboxWork
from appservice.storage.mail_inbox import MailInbox
from appservice.upkeep.epoch import Epoch, Searched
from appservice.whatsapp import courier as whatsapp
from appservice.whatsapp.courier import WhatsAppCourier
from appservice.worker import End, Worker
from bridges.email.reception import InboxVerdict
from policies.case import Doubt, Seen
from rooms.deliver import Deliverer
from rooms.ids import EventId
from rooms.queue import Item, ItemId
from tests.fakes.synapse import FakeRooms
from tests.faults.agreeing import AGREEMENT
from tests.faults.announcing import BROADCAST, PAUSE
from tests.faults.api import API
from tests.faults.bounces import BOUNCE
from tests.faults.boundaries import Cut, Killed
from tests.faults.house import House, empty
from tests.faults.intruding import MEDDLED
from tests.faults.lost import LOST
from tests.faults.pages import BEHIND_A_LINK
from tests.faults.refusals import DOUBT, REFUSED, WINDOW
from tests.faults.restoring import RESTORED
from tests.faults.scenarios import FAR, MAIL, POST, Broken, Scenario, cut_at
from tests.faults.strangers import TRIAGE_BY_MAIL
from tests.faults.test_documents import MAILING
from tests.faults.undoing import UNDO
from tests.faults.unread import UNREAD

pytestmark = pytest.mark.e2e

Patch = pytest.MonkeyPatch


@dataclass(frozen=True)
class Plant:
    """A fault, and the scenario and the boundaries where it shows."""

    plant: Callable[[Patch], None]
    scenario: Scenario
    boundary: str
    cut: Cut = Cut.KILL

    def __str__(self) -> str:
        return f"{self.plant.__name__}, {self.cut.name.lower()} at {self.boundary}"


def mails_are_acknowledged_before_they_are_stored(patch: Patch) -> None:
    """Of events the same would do less harm: the bot's sweep finds them in their rooms."""
    accept = MailInbox.accept

    async def wrong(self: MailInbox, mail: Any) -> InboxVerdict:
        async def later() -> None:
            with suppress(Killed):
                await accept(self, mail)

        tasks.append(asyncio.create_task(later()))
        return InboxVerdict.STORED

    tasks: list[asyncio.Task[None]] = []
    patch.setattr(MailInbox, "accept", wrong)


def mails_are_acknowledged_though_the_database_failed(patch: Patch) -> None:
    accept = MailInbox.accept

    async def wrong(self: MailInbox, mail: Any) -> InboxVerdict:
        await accept(self, mail)
        return InboxVerdict.STORED

    patch.setattr(MailInbox, "accept", wrong)


def ciphertext_is_not_kept(patch: Patch) -> None:
    patch.setattr(writing, "_stored", lambda item: None)


def each_attempt_is_another_transaction(patch: Patch) -> None:
    send = FakeRooms.send

    async def wrong(self: FakeRooms, room: Any, kind: str, content: Any, txn_id: str, **who: Any) -> Any:
        return await send(self, room, kind, content, secrets.token_hex(4), **who)

    patch.setattr(FakeRooms, "send", wrong)


def an_item_is_done_before_it_is_sent(patch: Patch) -> None:
    one = OutboxWork.one

    async def wrong(self: OutboxWork, item: Item) -> Any:
        async with self._database.begin() as work:
            await work.outbox.done(item.id)
        return await one(self, item)

    patch.setattr(OutboxWork, "one", wrong)


def a_mail_is_sent_again_after_a_crash(patch: Patch) -> None:
    carry = MailCourier.carry

    async def wrong(self: MailCourier, item: Item, letter: Any) -> Any:
        return await carry(self, replace(item, sending=False), letter)

    async def nobody(*_: object) -> bool:
        return False

    patch.setattr(MailCourier, "carry", wrong)
    patch.setattr(courier, "is_with_another", nobody)


def a_stranger_is_answered_again_after_a_crash(patch: Patch) -> None:
    send = PlainMails.send

    async def wrong(self: PlainMails, item: Item, *what: str) -> Any:
        return await send(self, replace(item, sending=False), *what)

    async def nobody(*_: object) -> bool:
        return False

    patch.setattr(PlainMails, "send", wrong)
    patch.setattr(plain, "is_with_another", nobody)


def a_report_is_done_before_it_is_handled(patch: Patch) -> None:
    read = ReportReader.read

    async def wrong(self: ReportReader, item: Item) -> Any:
        async with self._database.begin() as work:
            await work.inbox.done(item.id)
        return await read(self, item)

    async def still(*_: object) -> bool:
        return True

    patch.setattr(ReportReader, "read", wrong)
    patch.setattr(reports, "is_still_due", still)


def a_message_to_a_telephone_is_sent_again_after_a_crash(patch: Patch) -> None:
    patch.setattr(whatsapp, "_unanswered", lambda *_: None)


def a_doubt_is_told_after_it_is_stored(patch: Patch) -> None:
    doubt = WhatsAppCourier._doubt

    async def wrong(self: WhatsAppCourier, item: Item, line: Any, why: str) -> None:
        async with self._database.begin() as work:
            case = await work.cases.load(line.case.id, lock=True)
            assert case
            endpoint = replace(line.person.endpoint, doubt=Doubt(why, Seen()))
            await work.cases.save(case.with_person(replace(line.person, endpoint=endpoint)))
        async with self._database.begin() as work:
            await work.cases.save(case)
        await doubt(self, item, line, why)

    patch.setattr(WhatsAppCourier, "_doubt", wrong)


def a_file_has_another_name_each_time(patch: Patch) -> None:
    patch.setattr(intake, "_named", lambda *_: ItemId(secrets.token_hex(4)))


def whoever_asks_again_asks_anew(patch: Patch) -> None:
    patch.setattr(provisioning, "_identity", lambda *_: ItemId(secrets.token_hex(4)))


def the_epoch_is_not_announced(patch: Patch) -> None:
    async def wrong(database: ServiceDatabase, *_: object) -> Epoch:
        async with database.begin() as work:
            return await work.epochs.current()

    patch.setattr(service, "claim", wrong)


def what_was_sent_since_the_backup_is_not_looked_for(patch: Patch) -> None:
    async def wrong(*_: object) -> None:
        return None

    patch.setattr(Aftermath, "_already", wrong)


def rooms_are_not_searched_for_it(patch: Patch) -> None:
    async def wrong(*_: object) -> tuple[dict[str, EventId], Searched]:
        return {}, Searched(gaps=False)

    patch.setattr(Aftermath, "_look_back", wrong)


def a_restore_goes_on_with_the_ratchets(patch: Patch) -> None:
    async def wrong(*_: object, **__: object) -> None: ...

    patch.setattr(OlmMachine, "renew", wrong)


def desks_are_told_of_a_restore_at_each_start(patch: Patch) -> None:
    patch.setattr(settling, "item_id", lambda _: ItemId(secrets.token_hex(4)))


def each_press_is_another(patch: Patch) -> None:
    async def wrong(work: Any, press: Press, at: Any) -> None:
        await store_press(work, replace(press, nonce=secrets.token_hex(4)), at)

    patch.setattr(papers, "store_press", wrong)


def nothing_is_swept(patch: Patch) -> None:
    async def wrong(self: Sweeper, user: Any, device: Any, *, hurries: bool) -> None:
        return

    patch.setattr(Sweeper, "_sweep", wrong)


def a_room_that_was_made_is_not_looked_for(patch: Patch) -> None:
    async def nowhere(*_: object) -> None:
        return None

    patch.setattr(Builder, "find_room", nowhere)


def a_board_is_noted_before_it_is_posted(patch: Patch) -> None:
    post = Deliverer._post

    async def wrong(self: Deliverer, item: Item, case: Any, effect: Any, **more: Any) -> Any:
        if more.get("replaces"):
            async with self._database.begin() as work:
                await work.cases.note_board(case, effect.text)
        return await post(self, item, case, effect, **more)

    patch.setattr(Deliverer, "_post", wrong)


def nobody_is_told_before_it_is_dead(patch: Patch) -> None:
    """But after, by whoever is not killed in between."""
    became, announce = Worker._became, Worker._announce

    async def told(self: Worker, item: Item, fate: Any, last: Any) -> None:
        await became(self, item, fate, last)
        if isinstance(fate, End):
            await announce(self, item, fate)

    async def silent(*_: object) -> None:
        return

    patch.setattr(Worker, "_became", told)
    patch.setattr(Worker, "_announce", silent)


PLANTS = (
    Plant(mails_are_acknowledged_before_they_are_stored, MAIL, "begin in mail_inbox._store"),
    Plant(mails_are_acknowledged_though_the_database_failed, MAIL, "end in mail_inbox._store", Cut.DATABASE),
    Plant(ciphertext_is_not_kept, MAIL, "send"),
    Plant(each_attempt_is_another_transaction, MAIL, "send"),
    Plant(an_item_is_done_before_it_is_sent, POST, "smtp"),
    Plant(an_item_is_done_before_it_is_sent, MAIL, "/sendToDevice"),
    Plant(a_mail_is_sent_again_after_a_crash, POST, "smtp"),
    Plant(a_stranger_is_answered_again_after_a_crash, TRIAGE_BY_MAIL, "smtp"),
    Plant(a_report_is_done_before_it_is_handled, BOUNCE, "begin in reports.read"),
    Plant(a_message_to_a_telephone_is_sent_again_after_a_crash, WINDOW, "whatsapp"),
    Plant(a_message_to_a_telephone_is_sent_again_after_a_crash, REFUSED, "whatsapp"),
    Plant(a_doubt_is_told_after_it_is_stored, DOUBT, "commit in courier._refused"),
    Plant(a_file_has_another_name_each_time, MAILING, "commit in intake._file_away"),
    Plant(whoever_asks_again_asks_anew, API, "commit in provisioning._carried_out"),
    Plant(each_press_is_another, BEHIND_A_LINK, "commit in papers.redact"),
    Plant(nothing_is_swept, POST, "end in receiving.accept", Cut.DATABASE),
    Plant(a_room_that_was_made_is_not_looked_for, LOST, "create"),
    Plant(a_board_is_noted_before_it_is_posted, BROADCAST, "send"),
    Plant(an_item_is_done_before_it_is_sent, PAUSE, "send"),
    Plant(an_item_is_done_before_it_is_sent, UNDO, "redact"),
    Plant(an_item_is_done_before_it_is_sent, AGREEMENT, "kick"),
    Plant(the_epoch_is_not_announced, RESTORED, "account_data"),
    Plant(what_was_sent_since_the_backup_is_not_looked_for, RESTORED, "commit in settling.tell_desks"),
    Plant(rooms_are_not_searched_for_it, RESTORED, "commit in aftermath._search"),
    Plant(a_restore_goes_on_with_the_ratchets, RESTORED, "commit in settling.tell_desks"),
    Plant(desks_are_told_of_a_restore_at_each_start, RESTORED, "commit in settling.tell_desks"),
    Plant(an_item_is_done_before_it_is_sent, MEDDLED, "put_state"),
    Plant(nobody_is_told_before_it_is_dead, UNREAD, "commit in worker._became"),
)


@pytest.mark.parametrize("planted", PLANTS, ids=str)
async def test_a_planted_fault_is_noticed(planted: Plant, monkeypatch: Patch, tmp_path: Path) -> None:
    async with empty(tmp_path, planted.scenario.setting) as house:
        await planted.scenario.begins(house)
        assert await cut_at(house, planted.scenario, planted.cut, FAR) is None
        planted.plant(monkeypatch)
        await house.restart()
        assert await was_noticed(house, planted)


async def was_noticed(house: House, planted: Plant) -> bool:
    """Whether it was, at any of the boundaries of that name."""
    for boundary in count():
        try:
            if await cut_at(house, planted.scenario, planted.cut, boundary, planted.boundary) is None:
                break
        except Broken:
            return True
    return False
