"""How it begins: the people arrive, a case is opened, the agreement is accepted, and everyone finds their rooms."""

import asyncio
import re

from sandbox import correspondent
from sandbox.stage import Place
from sandbox.story.cast import PASSWORDS, TITLE, Cast


async def people_arrive(cast: Cast, mediator: str) -> None:
    stage = cast.stage
    stage.scene("The people")
    stage.narrate(
        "Mia is the mediator. Alice and Carl ran a bakery together and want to part. Mia and Alice use a Matrix"
        " client that refuses every device its owner has not cross-signed. Carl has an email address, and nothing"
        " else. Case, rooms and mails below are real: a Synapse, two matrix-js-sdk clients, SMTP and LMTP."
    )
    for localpart in (mediator, "alice", "dora"):
        await cast.world.homeserver.register(localpart, PASSWORDS.format(localpart))
    cast.mia, cast.alice = await asyncio.gather(
        cast.log_in("Mia", mediator, "LAPTOP"), cast.log_in("Alice", "alice", "LAPTOP")
    )


async def the_mediator_opens_a_case(cast: Cast) -> None:
    stage, mia = cast.stage, cast.mia
    stage.scene("The mediator opens a case")
    room = await mia.client.create_room(invite=[cast.bot], direct=True)
    await stage.until(
        "the bot comes into the direct chat", lambda: cast.has_the_bot(room), lambda: "it did not; it turned Mia down?"
    )
    lobby = Place("Mia's encrypted chat with the bot", room, [mia])
    await stage.post(mia, lobby, f"!case new {TITLE}")
    answer = await stage.hears(mia, lobby, "is open. Its desk is")
    stage.show(lobby.title, "the bot", answer.body or "")
    number = re.search(r"Case (\d+) is open", answer.body or "")
    stage.require("the number of the case", number is not None, answer.body)
    assert number is not None
    cast.number = number[1]
    cast.desk = stage.desk = await stage.enters(mia, f"Desk · {cast.number}")
    await mia.client.join(await stage.invited(mia, f"Mediators · {cast.number}"))
    await stage.told_at_the_desk("only mediators and I read it", "!party add Carl carl@example.org")
    stage.holds("The room's name says nothing about the case", TITLE not in cast.desk.name, cast.desk.name)


async def the_parties_are_seated(cast: Cast) -> None:
    stage, mia = cast.stage, cast.mia
    stage.scene("The parties are seated")
    await stage.command(mia, f"!party add Alice {cast.alice.client.user_id}", "Alice (party) is in", "in Matrix")
    cast.hers = await stage.enters(mia, cast.private)
    await stage.command(
        mia, f"!party add Carl {correspondent.ADDRESS}", "Carl (party) is in", "by mail", "!mail pin Carl"
    )
    mail = await cast.carl.gets_a_link()
    cast.his = await stage.enters(mia, cast.private)
    await cast.carl.confirms(mail, await stage.command(mia, "!mail pin Carl", "The PIN of Carl is"))
    await stage.told_at_the_desk("Carl has confirmed the address with the PIN", "with the words in it")
    await stage.command(mia, "!status", "Alice: party on Alice", "Carl: party on Carl", "the address confirmed on")
    await stage.command(mia, "!opne", "I don't know “!opne”", "For example: !open")
    await stage.command(mia, "!open", "The joint session begins")
    await stage.command(mia, "!mode open", "The joint room is open now. Everybody may write here.")
    cast.joint = await stage.enters(mia, cast.everyone)


async def the_agreement_is_accepted(cast: Cast) -> None:
    """Nobody is in the joint room before."""
    stage, alice, carl = cast.stage, cast.alice, cast.carl
    stage.scene("The agreement to mediate")
    await alice.client.join(await stage.invited(alice, cast.private))
    cast.hers.readers.append(alice)
    readers = "Who reads this room: Mia (mediator), Alice. Nobody else does."
    await stage.hears(alice, cast.hers, readers)
    stage.show(cast.hers.title, "the bot", readers)
    asked = (await stage.hears(alice, cast.hers, "Alice, before the mediation begins")).body or ""
    stage.show(cast.hers.title, "the bot", asked)
    rooms = {room.name for room in await alice.client.rooms()}
    stage.holds("Alice is not invited to the joint room before she has accepted", cast.everyone not in rooms, rooms)
    await stage.post(alice, cast.hers, f"yes {cast.code_in(asked)}")
    await stage.told_at_the_desk("Alice accepted the agreement to mediate", "from a verified device")
    first = await carl.is_mailed(cast.his, "Dear Carl", "Only your own side and the mediators read this")
    carl.show(first, first.text)
    await stage.command(cast.mia, "!agreement send", "Asked, each in private")
    question = await carl.is_mailed(cast.his, "Carl, before the mediation begins")
    carl.show(question, "…")
    await carl.answers(cast.his, f"yes {cast.code_in(question.text)}")
    await stage.told_at_the_desk("Carl accepted the agreement to mediate", "by mail from the address on record")
    copy = await carl.is_mailed(cast.his, "your yes to the agreement to mediate", "is on record")
    carl.show(copy, copy.text)
    await stage.command(cast.mia, "!agreement", "Alice", "Carl", "accepted")


async def everyone_finds_their_rooms(cast: Cast) -> None:
    stage, alice = cast.stage, cast.alice
    stage.scene("Everyone finds their rooms")
    await stage.hears(cast.mia, cast.hers, "Who reads this room")
    await stage.hears(cast.mia, cast.joint, "reads this room")
    for name in (cast.everyone, f"Mediation · {cast.number}"):
        await alice.client.join(await stage.invited(alice, name))
    rooms = {room.room_id: room.name for room in await alice.client.rooms()}
    stage.require("Alice's caucus and the joint room", {cast.hers.room, cast.joint.room} <= rooms.keys(), rooms)
    for name in sorted(rooms.values()):
        stage.show("Alice's room list", "", name)
    stage.holds(
        "Nothing in Alice's list, her Space included, shows that Carl has a private room, too",
        sorted(rooms.values()) == sorted([cast.private, cast.everyone, f"Mediation · {cast.number}"]),
        rooms,
    )
    cast.joint.readers.append(alice)
    shared = await stage.hears(alice, cast.joint, "Carl (by mail)")
    stage.show(cast.joint.title, "the bot", shared.body or "")
    second = await cast.carl.is_mailed(cast.joint, "Dear Carl", "EVERYONE in the mediation reads this")
    cast.carl.show(second, "…")
    stage.holds(
        "Carl has one mail for each of his rooms, from two addresses that nobody can guess",
        cast.his.mailed != cast.joint.mailed and not cast.carl.unexpected,
        cast.carl.unexpected,
    )
