"""Mail with those who take part in no case: what anybody writes to the intake address, and what is written to them.

Nothing is answered but a mail that its sender's domain vouches for and that is addressed to us, and no machine is:
whoever is named in a forged one, or wrote to others, gets nothing of us (no backscatter).
"""

from __future__ import annotations

import asyncio
from typing import assert_never

from appservice.mail.plain import PlainMails
from appservice.mail.stored import StoredMail
from appservice.ports import ServiceDatabase
from appservice.worker import End, Fate, Finished, is_still_due
from bridges.email import ids
from bridges.email.convert_in import read_mail
from bridges.email.fields import addresses_in, split_fields
from bridges.email.incoming import IncomingMail
from bridges.email.proof import NotAReply, Proven, Trust, Unproven, is_its_senders
from policies import message as said
from policies.case import Network
from policies.frozen import frozen
from policies.message import AuthenticatedMail, Content, Proof, Text, Unreadable
from policies.people.stranger import Stranger, Writer
from policies.words.text import one_line
from rooms import triage
from rooms.house import House
from rooms.outcome import Outcome
from rooms.outgoing import Codec
from rooms.queue import Item, State

FULL = End(State.DEAD, "a stranger's mail came when too many waited")
_MACHINE = "a machine wrote it"
_NOBODY = "somebody who names no address"


@frozen
class _Read:
    """Who wrote a mail, what it says, and what proves it."""

    writer: Writer
    content: Content
    proof: Proof


class StrangerMailReader:
    """Reads mails to the intake address."""

    def __init__(self, database: ServiceDatabase, codec: Codec, house: House, trust: Trust, address: str) -> None:
        """`address`: the intake address."""
        self._database, self._codec, self._house, self._trust = database, codec, house, trust
        self._address = address

    async def read(self, item: Item) -> Fate:
        """Have one mail shown at the triage desk. It is parsed before that, beside the event loop."""
        read = await asyncio.to_thread(self._read, StoredMail.load(item.body))
        async with self._database.begin() as work:
            if not await is_still_due(work.inbox, item):
                return Finished()
            content = read.content, read.proof, item.received_at
            found_room = await triage.written(work, self._codec, self._house, item.id, writer=read.writer, said=content)
            if found_room or read.writer.doubt:
                await work.inbox.done(item.id, "a stranger's")
                return Finished()
            await work.inbox.stop(item.id, FULL.state, FULL.why)
        return FULL

    def _read(self, stored: StoredMail) -> _Read:
        mail = read_mail(stored.raw, null_sender=not stored.envelope_from)
        senders = [ids.parse_address(sender) for sender in mail.senders]
        only = senders[0] if len(senders) == 1 and isinstance(senders[0], ids.EmailAddress) else None
        doubt = self._doubt(mail) or self._elsewhere(stored.raw)
        writer = Writer(Network.EMAIL, only.spelled if only else _NOBODY, self._address, doubt=doubt)
        proof = said.Unproven(doubt, "") if doubt else AuthenticatedMail()
        return _Read(writer, _content(mail), proof)

    def _doubt(self, mail: IncomingMail) -> str | None:
        """Why it may be somebody else's, or nobody's."""
        verdict = is_its_senders(mail, self._trust)
        match verdict:
            case Proven():
                return None
            case Unproven(reason):
                return reason.in_words
            case NotAReply():
                return _MACHINE
            case _:
                assert_never(verdict)

    def _elsewhere(self, raw: bytes) -> str | None:
        """What somebody signed for others can be handed to us by whoever received it. By To alone: a field that was not
        there, or another one, can often be put on top of what is signed."""
        to = split_fields(raw).every("to")
        ours = len(to) == 1 and self._address.lower() in {one.lower() for one in addresses_in(to[0])}
        return None if ours else "it was not written to us"


def _content(mail: IncomingMail) -> Content:
    # A party who answers a mail of ours to the wrong address quotes the one by which they speak.
    text, why = ids.mask_token_addresses(mail.body.text).strip(), []
    if mail.body.obstacle:
        why.append(mail.body.obstacle.in_words)
    if mail.body.attachments:
        why.append("files came with it, and were not kept")
    if why or not text:
        return Unreadable(" and ".join(why) or "it has no words", text)
    return Text(text)


class StrangersMail:
    """Carries the organisation's words by SMTP: a `rooms.carriers.StrangerCourier`."""

    def __init__(self, mails: PlainMails, organisation: str) -> None:
        """`mails` come from the intake address, and are answered there."""
        self._mails, self._organisation = mails, organisation

    async def write(self, item: Item, to: Stranger, text: str) -> Outcome:
        """Send it once: what was begun and never answered is not repeated (I5). Raises Trouble."""
        return await self._mails.send(item, to.writer.name, one_line(self._organisation), f"{text}\n")
