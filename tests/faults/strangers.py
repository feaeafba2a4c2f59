"""Somebody who takes part in no case writes a mail, and is answered, while something is cut off (R13)."""

import re
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from appservice.setup.config import Config
from appservice.setup.desks import Intake
from appservice.storage.mail_inbox import MailInbox
from bridges.email.convert_out import OutgoingMail
from bridges.email.ids import IntakeAddress
from bridges.email.proof import Trust
from bridges.email.reception import InboxVerdict, received
from policies.case import DESK
from policies.people.stranger import TRIAGE
from rooms.queue import State
from tests.faults.house import PEOPLE, House, Setting
from tests.faults.scenarios import Broken, Scenario
from tests.invariants.world import AUTHSERV_ID, MIA, REPLY_DOMAIN, configuration

INTAKE = f"info@{REPLY_DOMAIN}"
_AUTOMATIC = "This is an automatic answer"


def with_an_intake_address(_: Path) -> Config:
    """Where anybody may write."""
    mail = configuration().email
    assert mail
    return configuration().model_copy(
        update={"email": mail.model_copy(update={"intake_address": INTAKE}), "intake": Intake()}
    )


AT_TRIAGE = Setting(with_an_intake_address)


async def a_stranger_mails(house: House, address: str, text: str, *, vouched: bool = True) -> None:
    """Our mail server tries until it was taken; `vouched`: it says that it is from there."""
    domain = address.partition("@")[2]
    message = EmailMessage(policy=policy.SMTP)
    message["From"], message["To"], message["Subject"] = address, INTAKE, "A question"
    message["Message-ID"] = f"<{text.replace(' ', '')}@example.net>"
    message.set_content(text)
    result = "pass" if vouched else "fail"
    head = (
        f"Authentication-Results: {AUTHSERV_ID}; dkim={result} header.d={domain}; dmarc={result} header.from={domain}"
    )
    mail = received(IntakeAddress(), address, f"{head}\r\n".encode() + message.as_bytes(), recipients=1)
    trust = Trust(AUTHSERV_ID, REPLY_DOMAIN)
    while (
        await house.alive(MailInbox(house.database, trust, takes_strangers=True).accept(mail))
        is not InboxVerdict.STORED
    ):
        pass


async def two_strangers_write_and_one_is_answered(house: House, word: str) -> None:
    """Of the other one nothing shows that they wrote."""
    await a_stranger_mails(house, _who(word), f"{word} asks")
    await a_stranger_mails(house, _forged(word), f"{word} forged", vouched=False)
    await house.drain()
    for text in (f"{word} asks", f"{word} forged"):
        desk = await house.room(DESK, TRIAGE)
        await house.post(MIA, desk, f"!intake answer {await number_of(house, text)}: {word} answered")
        await house.drain()
    await a_stranger_mails(house, _who(word), f"{word} thanks")
    await house.drain()


async def number_of(house: House, text: str) -> str:
    """What the triage desk calls whoever wrote that."""
    shown = [one for one in await house.reads(MIA, await house.room(DESK, TRIAGE)) if f"> {text}" in one]
    if not shown:
        raise Broken(f"the triage desk was not shown “{text}”")
    return shown[0].split()[0]


def _who(word: str) -> str:
    return f"{word.lower()}@example.net"


def _forged(word: str) -> str:
    return f"not{word.lower()}@example.net"


async def each_is_shown_once_and_one_is_answered_once(house: House, word: str) -> None:
    """At the triage desk, in the order in which it came, and nowhere else; nobody is answered who may be another."""
    await read_at_the_triage_desk_alone(house, word)
    desk = await house.reads(MIA, await house.room(DESK, TRIAGE))
    shown = re.findall(rf"> ({word} \w+)", "\n".join(desk))
    if shown != [f"{word} asks", f"{word} forged", f"{word} thanks"]:
        raise Broken(f"the triage desk reads {shown}")
    mailed = [(mail.recipient, written(mail)) for mail in house.post_office.taken]
    if any(to == _forged(word) for to, _ in mailed):
        raise Broken("whoever may be another was written to")
    if any(to != _who(word) for to, text in mailed if word in text):
        raise Broken("the answer went to somebody else")
    arrived = [
        next(one for one in (_AUTOMATIC, f"{word} answered") if one in text) for to, text in mailed if to == _who(word)
    ]
    if arrived != [one for one in (_AUTOMATIC, f"{word} answered") if one in arrived]:
        raise Broken(f"they were sent {arrived}")
    unknown = await house.items(State.UNKNOWN)
    told = len([text for text in desk if text.startswith("Perhaps not delivered: an answer to")])
    if len(arrived) + unknown != 2 or told < unknown:
        raise Broken(f"{arrived} arrived, {unknown} are unknown, and the desk was told {told} times")


async def read_at_the_triage_desk_alone(house: House, word: str) -> None:
    """What a stranger wrote is read at the triage desk by whoever sits there, and by nobody in any other room."""
    desk = await house.room(DESK, TRIAGE)
    for user in PEOPLE:
        for room in house.synapse.all_rooms.values():
            if (user, room) != (MIA, desk) and (found := [t for t in await house.reads(user, room) if word in t]):
                raise Broken(f"{user} reads {found} in {room.id}")


def written(mail: OutgoingMail) -> str:
    """The words of a mail without HTML."""
    message = message_from_bytes(mail.raw, EmailMessage, policy=policy.default)
    body = message.get_body(("plain",))
    assert body
    return str(body.get_content())


TRIAGE_BY_MAIL = Scenario(
    "strangers write by mail",
    two_strangers_write_and_one_is_answered,
    each_is_shown_once_and_one_is_answered_once,
    AT_TRIAGE,
)
