"""A backup is taken, people go on, the database is lost, and the backup restored, while something is cut off (O7, I11).

before the backup …… what is done by then; what waits to be sent; what waits to be read
after it …………………… what the lost database did, and what it only heard
while there is none … what is said meanwhile
then ………………………… the start on the restored database, from where on something is cut; what is said; !repair
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from unittest.mock import patch

from appservice.backups.claim import claim
from appservice.crypto.ids import UserId as CryptoUserId
from appservice.service import Service
from appservice.storage.database import SqlDatabase
from appservice.upkeep.epoch import OlderDatabase
from policies.case import DESK
from rooms.queue import State
from tests.faults.clock import Clock
from tests.faults.house import PEOPLE, House, Setting
from tests.faults.scenarios import ROOMS_OF_A_CASE, Broken, Scenario, agreed_by_mia
from tests.invariants.world import ALICE, BOT, CARL, MIA

SAID = ("before", "waits", "unread", "after", "last", "meanwhile", "new")
"""What Alice says for all."""
MAILED = ("before", "waits", "unread", "after")
"""What Alice says that was mailed by the lost database."""
DOUBTED = ("waits", "unread", "last", "meanwhile")
"""What the restored one can't know to be mailed or not."""
WRITTEN = ("mailed before", "mailed and waits", "mailed and unread", "mailed after", "mailed new")
"""What Carl says, in that order."""


@contextmanager
def _patient(_: House) -> Iterator[None]:
    """Who waits for the homeserver, or for a dead process's claim to run out, waits by our clock."""

    async def waited(*_: object) -> None:
        Clock.ahead += timedelta(seconds=1)

    with patch.object(Service, "_wait_for_homeserver", waited):
        yield


async def a_backup_is_restored(house: House, word: str) -> None:
    """All up to the restore is done by then."""
    async with house.calm():
        joint, desk = await house.room(), await house.room(DESK)
        letter = house.letter(CARL, "EVERYONE")
        house.read = len(await house.reads(MIA, desk))
        await _goes_on(house, word)
    await house.start()
    await _the_lost_database_counts_no_more(house)  # nothing was sent yet
    await house.drain()
    await _devices_are_told_of(house)
    await house.post(ALICE, joint, f"{word} new")
    await house.mail(letter, f"{word} mailed new")
    await house.drain()
    await agreed_by_mia(house, "!repair")


async def _goes_on(house: House, word: str) -> None:
    """Up to where the database is lost, and the backup restored."""
    joint, hers = await house.room(), await house.room(await house.caucus_of("Alice"))
    letter, file = house.letter(CARL, "EVERYONE"), house.folder / "backup"
    await house.post(ALICE, joint, f"{word} before")
    await house.mail(letter, f"{word} mailed before")
    await house.drain()
    await house.post(ALICE, joint, f"{word} waits")
    await house.mail(letter, f"{word} mailed and waits")
    await house.decide()
    await house.post(ALICE, joint, f"{word} unread")
    await house.mail(letter, f"{word} mailed and unread")
    await house.hear()
    await house.back_up(file)
    await house.drain()
    await house.post(ALICE, joint, f"{word} after")
    await house.post(ALICE, hers, f"{word} private")
    await house.mail(letter, f"{word} mailed after")
    await house.drain()
    await house.post(ALICE, joint, f"{word} last")
    await house.hear()
    await house.lose_all_but(file, f"restored{word}")
    await house.post(ALICE, joint, f"{word} meanwhile")


async def _devices_are_told_of(house: House) -> None:
    """The homeserver tells everybody's that ours have changed."""
    ours = [CryptoUserId(user) for user in house.synapse.users if user.startswith(house.synapse.ours)]
    async with house.calm():
        for device in house.clients.devices:
            async with device.client.database.begin() as tx:
                await tx.mark_changed(ours)


# --- what must have come of it


async def nothing_is_lost_or_doubled(house: House, word: str) -> None:
    """And the desk knows what it has to know."""
    await _each_stands_once_where_it_was_said(house, word)
    await _the_desk_was_told(house, word)
    await _the_lost_database_counts_no_more(house)
    await _its_devices_are_gone(house)
    made = [room for room in house.synapse.all_rooms.values() if BOT in room.joined]
    if len(made) != ROOMS_OF_A_CASE:
        raise Broken(f"the bot is in {len(made)} rooms")


async def _each_stands_once_where_it_was_said(house: House, word: str) -> None:
    joint, hers = await house.room(), await house.room(await house.caucus_of("Alice"))
    said = [f"{word} {one}" for one in SAID]
    written = [f"{word} {one}" for one in WRITTEN]
    for user in PEOPLE:
        for room in house.synapse.all_rooms.values():
            shown = [text for text in await house.reads(user, room) if word in text]
            if room is joint:
                by_alice = [text for text in shown if text in said]
                _equal([text for text in shown if text in written], written, f"of Carl's words {user} reads")
                _equal(by_alice, [] if user == ALICE else said, f"of Alice's words {user} reads")
                shown = [text for text in shown if text not in (*said, *written)]
            _equal(shown, [f"{word} private"] if (user, room) == (MIA, hers) else [], f"{user} reads in {room.id}")


async def _the_desk_was_told(house: House, word: str) -> None:
    """Of the restore, and of each mail that a person has to decide about; of those none left by itself."""
    mails = [mail.text for mail in house.post_office.mailbox(CARL) if f"{word} " in mail.text]
    sent = [one for mail in mails for one in (*SAID, "private") if f"{word} {one}\n" in mail]
    is_new = "new" in sent
    _equal(sent, [*MAILED, *(["new"] if is_new else [])], "mailed")
    texts = (await house.reads(MIA, await house.room(DESK)))[house.read :]
    unknown = await house.items(State.UNKNOWN)
    told = len([text for text in texts if text.startswith("Perhaps not delivered: a mail to Carl from EVERYONE")])
    restored = len([text for text in texts if text.startswith("This case was restored from a backup of")])
    _equal([restored, told], [1, unknown], "restores that the desk was told of, and mails that are unknown")
    # Whoever is killed when the last one has left can't know that it has.
    if unknown not in {len(DOUBTED) + (not is_new), len(DOUBTED) + 1}:
        raise Broken(f"{unknown} mails are unknown")
    noticed = [len([text for text in texts if text.startswith(f"{who} wrote in")]) for who in ("Alice", "Carl")]
    _equal(noticed, [len(SAID) + 1, len(WRITTEN)], "posts that the desk was told of")


async def _its_devices_are_gone(house: House) -> None:
    """Each user of ours has one."""
    ours = [user for user, _ in house.synapse.keys.devices if user.startswith(house.synapse.ours)]
    if len(ours) != len(set(ours)):
        raise Broken(f"devices of ours: {ours}")


async def _the_lost_database_counts_no_more(house: House) -> None:
    """If it turns up again, it does not start."""
    async with house.calm():
        lost = SqlDatabase(house.lost_database, house.sealer)
        await lost.open()
        try:
            await claim(lost, house.synapse.accounts, BOT)
        except OlderDatabase:
            return
        finally:
            await lost.close()
    raise Broken("the lost database counts again")


def _equal(found: Sequence[object], wanted: Sequence[object], what: str) -> None:
    if found != wanted:
        raise Broken(f"{what}: {found} instead of {wanted}")


RESTORED = Scenario("a backup is restored", a_backup_is_restored, nothing_is_lost_or_doubled, Setting(around=_patient))
