"""Alice has an account and a mailbox, and is one voice: at real clients, with real mail (B5, R11)."""

from __future__ import annotations

import asyncio

from sandbox.client import Client
from sandbox.mail import MailboxItem
from sandbox.node import CommandFailed
from tests.e2e.cases import (
    Arrive,
    Desk,
    Staff,
    code_in,
    enter,
    enter_room,
    events_of,
    flaws,
    mail_address,
    sits_in,
    told,
    until,
)

pytest_plugins = ["tests.e2e.cases"]


async def agreed(desk: Desk, command: str, expected: str) -> None:
    """A command that asks first, and its yes."""
    asked = await desk.ask(command, "say “yes")
    await desk.ask(f"yes {code_in(asked)}", expected)


async def mailed(desk: Desk, mailbox: str, words: str) -> MailboxItem:
    """The mail that has these words."""
    return await desk.world.mail.wait_for(mailbox, lambda mail: words in " ".join(mail.text.split()))


async def mails(desk: Desk, mailbox: str, words: str, letter: MailboxItem) -> None:
    """She answers a mail."""
    answer = await desk.world.mail.deliver(mailbox, letter.reply_address, words, in_reply_to=letter)
    assert answer.startswith("250")


def said_in(client: Client, room: str, words: str) -> int:
    """How often words stand there."""
    return sum(words in (event.body or "") for event in events_of(client, room))


async def test_an_account_and_a_mailbox_are_one_voice_until_one_is_left(mia: Staff, arrive: Arrive) -> None:
    desk, alice, bob = await asyncio.gather(mia.open_case(), arrive("alice"), arrive("bob"))
    mailbox = mail_address("alice")
    await desk.add("Alice", alice.user_id, rest="on Smith")
    await desk.add("Bob", bob.user_id, rest="on Jones")
    hers = await desk.caucus(alice)
    joint = await desk.open(alice, bob)

    await agreed(desk, f"!channel add Alice {mailbox}", f"Alice is reached by mail at {mailbox}, too")
    await told(alice, hers, "You take part by mail, too")
    await desk.told("The PIN of Alice is")  # which another one takes the place of
    await desk.confirm("Alice", mailbox)
    assert "Alice (in Matrix, by mail)" in await told(bob, joint, "by mail")

    # Bob's words go by mail now, too: until he has agreed to that he reads here, and does not write.
    await desk.all_agree()
    await until(lambda: _may_write(desk, bob, joint), "Bob writing again")

    # What others say comes by both; what she says by one does not come back to her by the other.
    await bob.text(joint, "Bob to all, first")
    letter = await mailed(desk, mailbox, "Bob to all, first")
    await alice.wait_for_text(joint, "Bob to all, first")
    await alice.text(joint, "Alice at her screen")
    await bob.wait_for_text(joint, "Alice at her screen")
    await mails(desk, mailbox, "Alice on the road", letter)
    await bob.wait_for_text(joint, "Alice on the road")
    await alice.wait_for_text(joint, "Alice on the road")
    ghost = next(e.sender for e in events_of(bob, joint) if "Alice on the road" in (e.body or ""))
    members = {member.user_id: member.name for member in await bob.members(joint)}
    assert members[ghost] == "Alice (email)"
    await mia.client.text(hers, "Mia in private")
    private = await mailed(desk, mailbox, "Mia in private")

    # Muted, she is muted by both.
    await desk.ask("!mute Alice", "Alice may read in the joint room and not write")
    await told(alice, hers, "asks you to read in the joint room")
    await mails(desk, mailbox, "Alice although she is muted", letter)
    await desk.told("Held: ")
    await until(lambda: _is_silent(alice, joint), "Alice silent in her client, too")
    await desk.ask("!unmute Alice", "Alice may write again")

    # She is asked by both, and answers once.
    await desk.ask("!ask Alice: Does Thursday suit you?", "asked, each in private")
    here = code_in(await told(alice, hers, "Does Thursday suit you?"))
    there = await mailed(desk, mailbox, "Does Thursday suit you?")
    code = code_in(" ".join(there.text.replace("|", " ").split()))
    await mails(desk, mailbox, f"yes {code}", there)
    await desk.told("Alice says YES to: “Does Thursday suit you?”")
    await told(alice, hers, f"The question with the code {here} was answered over another channel of yours")
    await alice.text(hers, f"no {here}")
    await told(alice, hers, f"Your answer with the code {here} does not count")

    # She moves to mail: the account is out, all else is hers still.
    await agreed(desk, "!channel leave Alice (matrix)", "is by mail at")
    await until(lambda: _is_out(mia, alice, hers), "Alice's account out of her room")
    await mailed(desk, mailbox, "no more in Matrix")
    await bob.text(joint, "Bob to all, last")
    await mailed(desk, mailbox, "Bob to all, last")
    await mails(desk, mailbox, "Alice to the mediator", private)
    await mia.client.wait_for_text(hers, "Alice to the mediator")

    texts = [mail.text for mail in mia.world.mail.mailbox(mailbox)]
    for words in ("Alice at her screen", "Alice on the road", "although she is muted"):
        assert not [text for text in texts if words in text]
    for words in ("Bob to all, first", "Bob to all, last", "Mia in private"):
        assert sum(words in text for text in texts) == 1
    assert said_in(bob, joint, "Alice on the road") == 1
    assert said_in(bob, joint, "although she is muted") == 0
    assert sum("Alice says" in notice for notice in desk.notices()) == 1
    assert await flaws(bob, joint) == []


async def _may_write(desk: Desk, client: Client, room: str) -> bool:
    levels = await desk.mediator.state(room, "m.room.power_levels")
    return int(levels["users"].get(client.user_id, 0)) >= 0


async def _is_silent(client: Client, room: str) -> bool:
    try:
        await client.text(room, "Alice in her client, muted")
    except CommandFailed:
        return True
    return False


async def _is_out(mia: Staff, who: Client, room: str) -> bool:
    return not await sits_in(mia.world, who.user_id, room, mia.client)


async def test_from_mail_to_matrix_is_both_and_then_one(mia: Staff, arrive: Arrive) -> None:
    """Nothing older is read in the account; what was said by mail stays hers."""
    desk, dora = await asyncio.gather(mia.open_case(), arrive("dora"))
    mailbox = mail_address("dora")
    await desk.add("Dora", mailbox, rest="on Smith")
    hers = await enter(mia.client, f"PRIVATE with mediator · {desk.number}")
    await desk.confirm("Dora", mailbox)
    await mia.client.text(hers, "Before the account")
    letter = await mailed(desk, mailbox, "Before the account")
    await agreed(desk, f"!channel add Dora {dora.user_id}", f"Dora is reached in Matrix at {dora.user_id}, too")
    await enter_room(dora, hers)
    await told(dora, hers, "You take part by mail, too")
    await mails(desk, mailbox, "From the mailbox", letter)
    await dora.wait_for_text(hers, "From the mailbox")
    await agreed(desk, "!channel leave Dora (mail)", "is in Matrix at")
    await told(dora, hers, "no more by mail")
    await dora.text(hers, "From the account")
    await mia.client.wait_for_text(hers, "From the account")
    before = len(mia.world.mail.mailbox(mailbox))
    await mia.client.text(hers, "After the mailbox")
    await dora.wait_for_text(hers, "After the mailbox")
    refused = await mia.world.mail.deliver(mailbox, letter.reply_address, "From a mailbox that is not hers")
    assert not refused.startswith("250") or said_in(dora, hers, "not hers") == 0
    assert len(mia.world.mail.mailbox(mailbox)) == before
    assert said_in(dora, hers, "Before the account") == 0
    assert await flaws(dora, hers) == []
