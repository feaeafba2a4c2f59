"""Whatever comes in: nothing crashes, no bad item keeps a good one, and no flood to one case keeps another waiting.

Single functions are tried with any shape where they are tested; here the whole service takes what was made of genuine
transactions, beside the genuine.
"""

import asyncio
import random
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from appservice.matrix.transaction import parse
from appservice.reading import EVENT, TO_DEVICE
from appservice.storage.receiving import item_identity
from policies.case import DESK, CaseId
from rooms.queue import State
from tests.bridges.email.test_hostile import ATTACKS, corpora
from tests.faults.house import House, answer_to, standing
from tests.faults.mutation import STRANGE, mutated
from tests.invariants.world import ALICE, BOT, CARL, MALLORY, MIA

ROUNDS, EACH = 8, 12
MAIL_ROUNDS = 2


class Enemy:
    """Stands between the homeserver and the service, and sends more than there is."""

    def __init__(self, house: House, chance: random.Random) -> None:
        self.house, self.chance = house, chance
        self.seen: list[dict[str, Any]] = []
        self._numbers = count()

    def transaction(self) -> dict[str, Any]:
        """The genuine one, among others made of it, and of earlier ones."""
        body = self.genuine()
        if not any(body.values()):
            return body
        self.seen.append(body)
        for name in ("events", "to_device"):
            own = body[name]
            bad = [self._bad(item) for item in own for _ in range(EACH)]
            old = [item for earlier in self.seen[-5:-1] for item in earlier[name]]
            others = [*bad, *self.chance.sample(old, min(len(old), 3)), *STRANGE[:8]]
            for item in others:
                own = [*own]
                own.insert(self.chance.randrange(len(own) + 1), item)
            body = {**body, name: own}
        counts = {BOT: {"X": {"signed_curve25519": self.chance.choice(STRANGE)}}, MALLORY: self.chance.choice(STRANGE)}
        return {**body, "device_one_time_keys_count": counts, "device_lists": {"changed": list(STRANGE)}}

    def _bad(self, item: dict[str, Any]) -> dict[str, Any]:
        bad = mutated(item, self.chance)
        # The very message under its own name would be taken for the genuine one, which then is the replay.
        return {**bad, "event_id": f"$bad{next(self._numbers)}"} if "event_id" in item else bad

    def genuine(self) -> dict[str, Any]:
        """As the homeserver has it."""
        return self.house.synapse.transaction()


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.e2e), pytest.param(3, marks=pytest.mark.e2e)])
async def test_the_good_arrives_whatever_comes_with_it(
    seed: int, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    chance = random.Random(seed)
    async with standing(tmp_path) as house:
        joint = await house.room()
        enemy = Enemy(house, chance)
        house.next_transaction = enemy.transaction
        for number in range(ROUNDS):
            await house.rotate()
            await house.post(ALICE, joint, f"round {number} by Alice")
            await house.mail(house.letter(CARL, "EVERYONE"), f"round {number} by Carl")
            await house.work_off()
        await house.drain()
        by_alice, by_carl = ([f"round {number} by {who}" for number in range(ROUNDS)] for who in ("Alice", "Carl"))
        mails = [mail.text for mail in house.post_office.mailbox(CARL)]
        assert [text for mail in mails for text in by_alice if f"| {text}\n" in mail] == by_alice
        assert [text for text in await house.reads(MIA, joint) if text.endswith("by Carl")] == by_carl
        unforeseen = [record.getMessage() for record in caplog.records if "unexpectedly" in record.getMessage()]
        assert unforeseen == []


async def test_a_bad_mail_keeps_no_other_waiting_and_ends_somewhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Damaged copies of genuine answers, attacks on parsers, and public mails where there are any, each before a good
    mail to the same room: no time passes until that stands there, though a bad one may have failed."""
    chance, small = random.Random(1), [made() for name, made in ATTACKS.items() if name in QUICK]
    public = chance.sample(corpora(), 20) if corpora() else []
    async with standing(tmp_path) as house:
        own = await house.caucus_of("Carl")
        room = await house.room(own)
        letter = house.letter(CARL, "PRIVATE")
        for number in range(MAIL_ROUNDS):
            genuine = answer_to(letter, f"damaged {number}", {"plan": b"%PDF-1.4"})
            for raw in (*(_damaged(genuine, chance) for _ in range(EACH)), *small, *public):
                stamp = genuine.partition(b"\n")[0] + b"\nFrom: carl@example.net\n"
                await house.hand_in(letter, stamp + raw if chance.random() < 0.5 else raw)
            small, public = [], []
            await house.mail(letter, f"good {number}")
            await house.work_off()
            assert f"good {number}" in await house.reads(MIA, room)
        assert [text for text in await house.reads(MIA, room) if text.startswith("good")] == [
            f"good {number}" for number in range(MAIL_ROUNDS)
        ]
        async with house.database.begin() as work:
            assert await work.inbox.in_state((State.DEAD, State.READY)) == ()
        assert [record.getMessage() for record in caplog.records if "unexpectedly" in record.getMessage()] == []


QUICK = frozenset({"nested mails", "a slow codec", "header lines", "quotes", "results", "signatures", "many parts"})


def _damaged(raw: bytes, chance: random.Random) -> bytes:
    found = bytearray(raw)
    for _ in range(chance.randrange(1, 8)):
        start = chance.randrange(len(found))
        found[start : start + chance.randrange(30)] = chance.choice(
            [b"", b"\0", b"\r\n\r\n", b"--", b"=?x?b?", b"Content-Type: message/rfc822\r\n", chance.randbytes(9)]
        )
    return bytes(found)


async def test_a_flood_of_messages_to_our_devices_keeps_nobodys_words_waiting_for_their_key(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        arrivals, inbox = house.service.parts.arrivals, house.service.parts.inbox
        await house.rotate()
        await house.post(ALICE, await house.room(), "in the flood")
        genuine = house.synapse.transaction()
        for number in range(10):
            strangers = [MALLORY] * 100, [f"@stranger{number}x{n}:elsewhere.example" for n in range(100)]
            for senders in strangers:
                await arrivals.accept(parse("flood", {"to_device": [_letter(who) for who in senders]}))
        await arrivals.accept(parse("genuine", genuine))
        words = item_identity(EVENT, genuine["events"][-1]["event_id"])
        for _ in range(TURNS):
            assert await inbox._next_lane("me")
        async with house.database.begin() as work:
            read = await work.inbox.get(words)
            flood = [one for one in await work.inbox.in_state({State.READY}) if one.kind == TO_DEVICE]
        assert read is not None
        assert (read.state, read.attempts) == (State.DONE, 0), "its key was there when its turn came"
        assert len(flood) > 100, "the flood was over before"


TURNS = 8
"""One each, and no second: for the flooder, all strangers, Alice’s keys for each of our devices, and her case."""
_numbers = count()


def _letter(sender: str) -> dict[str, Any]:
    """A message to the bot's device, like no other."""
    content = {"algorithm": "m.olm.v1.curve25519-aes-sha2", "ciphertext": {}, "number": f"{sender}{next(_numbers)}"}
    addressee = {"to_user_id": BOT, "to_device_id": "ANY"}
    return {"type": "m.room.encrypted", "sender": sender, "content": content, **addressee}


FLOOD = 80


@pytest.mark.e2e
async def test_a_flood_to_one_case_keeps_no_other_waiting(tmp_path: Path) -> None:
    async with standing(tmp_path) as house:
        other = CaseId("1002")
        await house.open_case()
        await house.drain()
        await house.enrol(CARL, other)
        await house.post(MIA, await house.room(DESK, other), "!mode open")
        await house.drain()
        for number in range(FLOOD):
            await house.post(ALICE, await house.room(), f"flood {number}")
        await house.post(ALICE, await house.room(case=other), "the other case")
        while await house._deliver():
            pass

        async def slowly(call: str) -> None:
            await asyncio.sleep(0.005)

        house.post_office.hazard = slowly
        before = len(house.post_office.delivered)
        parts = house.service.parts
        workers = [asyncio.create_task(worker.run()) for worker in (parts.inbox, parts.outbox)]
        async with asyncio.timeout(600):
            while len(house.post_office.delivered) < before + FLOOD + 1:  # noqa: ASYNC110 (nobody tells us)
                await asyncio.sleep(0.05)
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        mails = [mail.text for mail in house.post_office.delivered[before:]]
        place = next(number for number, text in enumerate(mails) if "the other case" in text)
        assert place < FLOOD // 2
        assert [text for text in mails if "| flood" in text] == sorted(
            (text for text in mails if "| flood" in text), key=lambda text: int(text.split("| flood ")[1].split()[0])
        )
