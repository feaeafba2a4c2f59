"""The scripted story: a whole mediation with real clients and real mail, told as a transcript, each step checked."""

import asyncio
import re
import secrets
import time
from collections.abc import Callable
from typing import Final

from sandbox import correspondent, sweep
from sandbox.client import Client
from sandbox.correspondent import Correspondent
from sandbox.mail import Stamp
from sandbox.node import Node
from sandbox.stage import BOT, PATIENCE, Actor, Place, Stage
from sandbox.sweep import Secret, Surface
from sandbox.world import MEDIATOR, World

TITLE: Final = "Smith and Jones"
PASSWORDS: Final = "a password for {}"

ALICES_LIMIT, CARLS_LIMIT, UNPROVEN = "40,000", "35,000", "70,000"
VALUATION = b"item,value\nALICE-VALUATION,81500\n"
WORKSHEET = b"question,answer\nMIA-WORKSHEET,\n"
ACCOUNTS = b"month,takings\nCARL-ACCOUNTS,11200\n"


async def play(
    world: World, node: Node, say: Callable[[str], None], *, mediator: str = MEDIATOR, patience: float = PATIENCE
) -> None:
    """Play the story in a fresh world. Raises StoryDiffers at the first step that goes otherwise.

    `mediator` is the localpart of who opens the case, `patience` how many seconds a step may take.
    """
    began = time.monotonic()
    story = _Story(world, node, Stage(world, say, patience))
    await story.people_arrive(mediator)
    await story.the_mediator_opens_a_case()
    await story.the_parties_are_seated()
    await story.everyone_finds_their_rooms()
    await story.the_joint_session()
    await story.in_private_with_alice()
    await story.carl_answers_by_mail()
    await story.a_mail_that_proves_nothing()
    await story.a_new_telephone()
    await story.the_power_fails()
    await story.counsel_comes_and_goes()
    await story.nothing_crossed()
    say("")
    say(f"The story went as written, in {time.monotonic() - began:.0f} seconds.")


class _Story:
    """The scenes, in order; each leaves what the next ones need."""

    mia: Actor
    alice: Actor
    phone: Actor
    dora: Actor
    desk: Place
    hers: Place  # Alice's caucus
    his: Place  # Carl's
    joint: Place
    closed: frozenset[tuple[str, str]]  # what a device must not be able to read
    number: str

    def __init__(self, world: World, node: Node, stage: Stage) -> None:
        self.world, self.node, self.stage, self.carl = world, node, stage, Correspondent(stage)
        self.bot = world.homeserver.user_id(BOT)

    async def people_arrive(self, mediator: str) -> None:
        stage = self.stage
        stage.scene("The people")
        stage.narrate(
            "Mia is the mediator. Alice and Carl ran a bakery together and want to part. Mia and Alice use a Matrix"
            " client that refuses every device its owner has not cross-signed. Carl has an email address, and nothing"
            " else. Case, rooms and mails below are real: a Synapse, two matrix-js-sdk clients, SMTP and LMTP."
        )
        for localpart in (mediator, "alice", "dora"):
            await self.world.homeserver.register(localpart, PASSWORDS.format(localpart))
        self.mia, self.alice = await asyncio.gather(
            self._log_in("Mia", mediator, "LAPTOP"), self._log_in("Alice", "alice", "LAPTOP")
        )

    async def the_mediator_opens_a_case(self) -> None:
        stage, mia = self.stage, self.mia
        stage.scene("The mediator opens a case")
        room = await mia.client.create_room(invite=[self.bot], direct=True)
        await stage.until(
            "the bot comes into the direct chat", lambda: self._joined(room), lambda: "it did not; it turned Mia down?"
        )
        lobby = Place("Mia's encrypted chat with the bot", room, [mia])
        await stage.post(mia, lobby, f"!case new {TITLE}")
        answer = await stage.hears(mia, lobby, "is open. Its desk is")
        stage.show(lobby.title, "the bot", answer.body or "")
        number = re.search(r"Case (\d+) is open", answer.body or "")
        stage.require("the number of the case", number is not None, answer.body)
        assert number is not None
        self.number = number[1]
        self.desk = stage.desk = await stage.enters(mia, f"Desk · {self.number}")
        await mia.client.join(await stage.invited(mia, f"Mediators · {self.number}"))
        await stage.told_at_the_desk("only mediators and I read it", "!party add Carl carl@example.org")
        stage.holds("The room's name says nothing about the case", TITLE not in self.desk.name, self.desk.name)

    async def the_parties_are_seated(self) -> None:
        stage, mia = self.stage, self.mia
        stage.scene("The parties are seated")
        await stage.command(mia, f"!party add Alice {self.alice.client.user_id}", "Alice (party) is in", "in Matrix")
        self.hers = await stage.enters(mia, self._private)
        await stage.command(
            mia, f"!party add Carl {correspondent.ADDRESS}", "Carl (party) is in", "by mail", "!consent Carl:"
        )
        await self.carl.gets_a_link()
        self.his = await stage.enters(mia, self._private)
        await stage.command(mia, "!consent Carl: agreed by telephone to read the case by mail", "On record: Carl")
        await stage.command(mia, "!status", "Alice: party on Alice", "Carl: party on Carl", "consent recorded by Mia")
        await stage.command(mia, "!opne", "I don't know “!opne”", "For example: !open")
        await stage.command(mia, "!open", "The joint session begins")
        await stage.command(mia, "!mode open", "The joint room is open now. Everybody may write here.")
        self.joint = await stage.enters(mia, self._everyone)

    async def everyone_finds_their_rooms(self) -> None:
        stage, alice = self.stage, self.alice
        stage.scene("Everyone finds their rooms")
        await stage.hears(self.mia, self.hers, "Who reads this room")
        await stage.hears(self.mia, self.joint, "reads this room")
        for name in (self._private, self._everyone, f"Mediation · {self.number}"):
            await alice.client.join(await stage.invited(alice, name))
        rooms = {room.room_id: room.name for room in await alice.client.rooms()}
        stage.require("Alice's caucus and the joint room", {self.hers.room, self.joint.room} <= rooms.keys(), rooms)
        for name in sorted(rooms.values()):
            stage.show("Alice's room list", "", name)
        stage.holds(
            "Nothing in Alice's list, her Space included, shows that Carl has a private room, too",
            sorted(rooms.values()) == sorted([self._private, self._everyone, f"Mediation · {self.number}"]),
            rooms,
        )
        self.hers.readers.append(alice)
        self.joint.readers.append(alice)
        readers = "Who reads this room: Mia (mediator), Alice. Nobody else does."
        await stage.hears(alice, self.hers, readers)
        stage.show(self.hers.title, "the bot", readers)
        shared = await stage.hears(alice, self.joint, "Carl (by mail)")
        stage.show(self.joint.title, "the bot", shared.body or "")
        first = await self.carl.is_mailed(self.his, "Dear Carl", "Only your own side and the mediators read this")
        second = await self.carl.is_mailed(self.joint, "Dear Carl", "EVERYONE in the mediation reads this")
        self.carl.show(first, first.text)
        self.carl.show(second, "…")
        stage.holds(
            "Carl has one mail for each of his rooms, from two addresses that nobody can guess",
            self.his.mailed != self.joint.mailed and not self.carl.unexpected,
            self.carl.unexpected,
        )

    async def the_joint_session(self) -> None:
        stage, mia, alice, joint = self.stage, self.mia, self.alice, self.joint
        stage.scene("The joint session")
        asked = await stage.post(mia, joint, "Welcome. What does each of you need to settle this?")
        mail = await self.carl.is_mailed(joint, "Mia wrote Welcome. What does each of you need to settle this?")
        self.carl.show(mail, mail.text)
        answered = await stage.post(alice, joint, "I want to leave the bakery by June.", reply_to=asked)
        await stage.noticed(f"Alice wrote in {joint.name}.")
        await self.carl.has_it(joint, "Alice wrote I want to leave the bakery by June.")
        await stage.react(mia, joint, answered, "👍")
        await stage.react(alice, joint, asked, "🙏")
        await stage.edit(alice, joint, answered, "I want to leave the bakery by July.")
        await stage.noticed(f"Alice changed a message in {joint.name}.")
        await self.carl.has_it(joint, "Alice corrected an earlier message", "by July.")
        await stage.post(mia, joint, "Thank you. Carl, what matters to you?", reply_to=answered)
        await self.carl.has_it(joint, "Carl, what matters to you?")
        slip = await stage.post(mia, joint, "We meet on Monday.")
        await self.carl.has_it(joint, "We meet on Monday.")
        await stage.edit(mia, joint, slip, "We meet on Tuesday.")
        await self.carl.has_it(joint, "Mia corrected an earlier message", "We meet on Tuesday.")
        await stage.take_back(mia, joint, slip)
        await self.carl.has_it(joint, "An earlier message was removed from this room")
        await stage.refused("the removal", alice.client.redact(joint.room, answered))
        stage.proved("Alice can't take back what everyone has read: the homeserver refuses")
        stage.holds("Carl had a mail of every post, correction and removal", not self.carl.unexpected, "others")

    async def in_private_with_alice(self) -> None:
        stage, mia, alice, hers = self.stage, self.mia, self.alice, self.hers
        stage.scene("In private with Alice")
        where = f"{hers.name} (Alice)"
        offer = await stage.post(alice, hers, f"Between us: I would accept {ALICES_LIMIT} for my half.")
        await stage.noticed(f"Alice wrote in {where}.")
        asked = await stage.post(mia, hers, "That stays here. What is it based on?", reply_to=offer)
        await stage.react(mia, hers, offer, "👂")
        await stage.react(alice, hers, asked, "👍")
        await stage.post(alice, hers, "A valuation of last year.", reply_to=asked)
        await stage.noticed(f"Alice wrote in {where}.")
        await stage.hand_over(alice, hers, "valuation.csv", VALUATION)
        await stage.noticed(f"Alice shared a file in {where}.")
        await stage.hand_over(mia, hers, "worksheet.csv", WORKSHEET)
        await stage.edit(alice, hers, offer, f"Between us: I would accept {ALICES_LIMIT}, paid at once.")
        await stage.noticed(f"Alice changed a message in {where}.")
        await stage.edit(mia, hers, asked, "That stays here, whatever comes. What is it based on?")
        for author in (alice, mia):
            doubt = await stage.post(author, hers, f"Forget this line of {author.name}'s.")
            if author is alice:
                await stage.noticed(f"Alice wrote in {where}.")
            await stage.take_back(author, hers, doubt)
        await stage.noticed(f"A message was removed in {where}.")
        stage.proved("Both opened the other's file; on the homeserver it lies encrypted")
        stage.holds("Carl had no mail of all this", not self.carl.unexpected, self.carl.unexpected)

    async def carl_answers_by_mail(self) -> None:
        stage, joint, his = self.stage, self.joint, self.his
        stage.scene("Carl answers by mail")
        await self.carl.answers(joint, "I want to keep the bakery open, with Alice's name on it.")
        spoken = await self.carl.is_heard(joint, "I want to keep the bakery open, with Alice's name on it.")
        await self._looks_right(spoken.sender)
        words = f"I can't pay more than {CARLS_LIMIT} before the spring."
        await self.carl.answers(his, words, ("accounts.csv", ACCOUNTS))
        await self.carl.is_heard(his, words, known_as=f"{his.name} (Carl)")
        file = await stage.hears(self.mia, his, "accounts.csv")
        stage.show(his.title, "Carl", "(sent the file accounts.csv, which arrives encrypted)")
        await stage.opens(self.mia, file, ACCOUNTS)
        stage.holds("Mia's client decrypts Carl's attachment", file.encrypted, file)
        await stage.post(self.mia, his, "Thank you. I won't repeat that to Alice.")
        await self.carl.has_it(his, "Mia wrote Thank you. I won't repeat that to Alice.")
        rooms = [room.room_id for room in await self.alice.client.rooms()]
        stage.holds("Alice's client does not know of that room", his.room not in rooms, rooms)

    async def a_mail_that_proves_nothing(self) -> None:
        stage, mia, his, joint = self.stage, self.mia, self.his, self.joint
        stage.scene("A mail that proves nothing")
        stage.narrate(
            "Somebody writes to the joint room's address in Carl's name. Our own mail server did not vouch for it."
        )
        words = f"I give in: I'll pay {UNPROVEN}."
        await self.carl.answers(joint, words, stamp=Stamp.NONE)
        await stage.told_at_the_desk(f"Held: something from Carl for {joint.name}")
        held = await stage.hears(mia, his, "Held for the mediator, and not posted")
        stage.show(his.title, "the bot", held.body or "")
        await stage.command(mia, "!held", "Held", "1.")
        await stage.command(mia, "!held 1", words)
        for reader in joint.readers:
            seen = [event.body for event in await reader.client.timeline(joint.room)]
            stage.require(f"{reader.name} does not see it in the joint room", words not in seen, seen)
        stage.proved("In the joint room nobody saw it")

    async def a_new_telephone(self) -> None:
        stage, mia, alice, hers = self.stage, self.mia, self.alice, self.hers
        stage.scene("Alice has a new telephone")
        earlier = {event.event_id for room in (hers, self.joint) for event in await alice.client.timeline(room.room)}
        self.phone = await self._log_in("Alice's telephone", "alice", "TELEPHONE")
        for client in (mia.client, alice.client):
            await client.wait_for_device(alice.client.user_id, self.phone.client.device_id)
        hers.readers.append(self.phone)
        self.joint.readers.append(self.phone)
        await stage.post(mia, hers, "I'll ask for a second valuation.")
        await stage.post(self.phone, hers, "Good, from the train this time.")
        await stage.noticed(f"Alice wrote in {hers.name} (Alice).")
        await self.carl.answers(self.joint, "Tuesday suits me.")
        await self.carl.is_heard(self.joint, "Tuesday suits me.")
        stage.proved("The new device reads Mia and Carl's ghost, and is read, with no warning")
        timeline = [event for room in (hers, self.joint) for event in await self.phone.client.timeline(room.room)]
        old = [event for event in timeline if event.event_id in earlier and event.encrypted and not event.redacted]
        stage.holds(
            f"The {len(old)} messages from before it existed stay closed to it",
            bool(old) and all(event.failure and not event.content for event in old),
            old,
        )
        self.closed = frozenset((self.phone.client.device_id, event.event_id) for event in old)

    async def the_power_fails(self) -> None:
        stage, mia, alice, joint = self.stage, self.mia, self.alice, self.joint
        stage.scene("The power fails")
        stage.narrate(
            "Carl's mail is taken, and in the same moment the service is killed (-9). Alice and Mia go on writing."
        )
        await self.carl.answers(joint, "A mail on the brink.")
        await self.world.kill_service()
        await stage.post(alice, joint, "Is anybody there?")
        await stage.post(mia, joint, "I am.")
        stage.narrate("The service starts again.")
        await self.world.start_service()
        await self.carl.is_heard(joint, "A mail on the brink.")
        await stage.noticed(f"Alice wrote in {joint.name}.")
        await self.carl.has_it(joint, "Is anybody there?")
        await self.carl.has_it(joint, "I am.")
        stage.narrate("Then the homeserver goes down, and comes back.")
        await self.world.homeserver.restart()
        await stage.post(alice, joint, "And now?")
        await stage.noticed(f"Alice wrote in {joint.name}.")
        await self.carl.has_it(joint, "And now?")
        await self.carl.answers(joint, "All well here.")
        await self.carl.is_heard(joint, "All well here.")
        stage.holds("Nothing was lost, nothing came twice", not self.carl.unexpected, self.carl.unexpected)

    async def counsel_comes_and_goes(self) -> None:
        stage, mia, alice, hers, joint = self.stage, self.mia, self.alice, self.hers, self.joint
        stage.scene("Alice's counsel comes, and goes")
        said_before = list(stage.posted)
        dora = self.dora = await self._log_in("Dora", "dora", "LAPTOP")
        await stage.command(mia, f"!party add Dora {dora.client.user_id} as counsel on Alice", "Dora (counsel) is in")
        for place in (hers, joint):
            await stage.hears(mia, place, "Dora (counsel)")
        for name in (self._private, self._everyone, f"Mediation · {self.number}"):
            await dora.client.join(await stage.invited(dora, name))
        hers.readers.append(dora)
        joint.readers.append(dora)
        await stage.post(alice, hers, "Dora, welcome. Mia has the figures.")
        await stage.noticed(f"Alice wrote in {hers.name} (Alice).")
        await stage.post(dora, hers, "Thank you, I'll read them with Mia.")
        await stage.noticed(f"Dora wrote in {hers.name} (Alice).")
        before = [event for place in (hers, joint) for event in await dora.client.timeline(place.room)]
        stage.holds(
            "Dora sees nothing that was said before she came",
            not {event.event_id for event in before} & {posted.event for posted in said_before},
            before,
        )
        asked = await stage.command(mia, "!party remove Dora", "yes ")
        code = re.search(r"“yes (\w+)”", asked)
        stage.require("a code to answer with", code is not None, asked)
        assert code is not None
        await stage.command(mia, f"yes {code[1]}", "Dora takes part no more")
        await stage.is_removed(dora, hers)
        await stage.is_removed(dora, joint)
        after = [(hers, await stage.post(alice, hers, "We go on without Dora."))]
        await stage.noticed(f"Alice wrote in {hers.name} (Alice).")
        after.append((joint, await stage.post(mia, joint, "Dora has left us.")))
        await self.carl.has_it(joint, "Dora has left us.")
        await self.carl.answers(joint, "Noted.")
        after.append((joint, (await self.carl.is_heard(joint, "Noted.")).event_id))
        for place, event in after:
            await stage.is_shut_out(dora, place, event)
        stage.proved("Of what came after, Dora has neither the messages nor their keys, and may not fetch them")

    async def nothing_crossed(self) -> None:
        stage = self.stage
        stage.scene("Nothing crossed")
        everyone = (self.mia, self.alice, self.phone, self.dora)
        surfaces = [surface for actor in everyone for surface in await sweep.of_client(actor.name, actor.client)]
        surfaces += [sweep.of_mail(correspondent.NAME, mail) for mail in self.carl.mailbox]
        surfaces += [Surface("an opened file", self.hers.room, str(VALUATION + WORKSHEET))]
        surfaces += [Surface("an opened file", self.his.room, str(ACCOUNTS))]
        surfaces += await asyncio.to_thread(sweep.of_folder, self.world.folder)
        found = sweep.leaks(surfaces, self._secrets())
        stage.holds(
            f"Of what was said in private nothing stands on any other of {len(surfaces)} surfaces: rooms as each client"
            " shows them, mails, logs, databases, stored files",
            not found,
            "; ".join(found),
        )
        log = self.world.log.read_text()
        named = [
            words for words in (correspondent.ADDRESS, self.alice.client.user_id, str(self.his.mailed)) if words in log
        ]
        stage.holds("The service's log names nobody", not named, named)
        await stage.all_is_readable(everyone, self.closed)
        await stage.each_exactly_once()
        notices = await stage.left_over_notices()
        stage.holds("The desk was told nothing else", not notices, notices)
        stage.holds("Carl had no other mail", not self.carl.unexpected, self.carl.unexpected)

    async def _looks_right(self, ghost: str) -> None:
        members = {member.user_id: member.name for member in await self.alice.client.members(self.joint.room)}
        self.stage.holds(
            f"They stand under his own name: “{members[ghost]}”", "Carl" in (members[ghost] or ""), members
        )
        for reader in (self.mia, self.alice):
            devices = await reader.client.devices(ghost)
            signed = len(devices) == 1 and devices[0].signed
            self.stage.require(f"{reader.name} knows one cross-signed device of Carl's ghost", signed, devices)
        self.stage.proved("His ghost has one device, cross-signed: no client shows a warning")

    def _secrets(self) -> list[Secret]:
        hers, his = frozenset({self.hers.room}), frozenset({self.his.room, str(self.his.mailed)})
        return [
            Secret(ALICES_LIMIT, hers),
            Secret("I'll ask for a second valuation", hers),
            Secret(CARLS_LIMIT, his),
            Secret("I won't repeat that to Alice", his),
            Secret(UNPROVEN, frozenset({self.desk.room})),
            Secret("We go on without Dora", hers),
            *(Secret(marker, hers) for marker in ("ALICE-VALUATION", "MIA-WORKSHEET")),
            Secret("CARL-ACCOUNTS", his),
            # What all may read is no secret among them, but it must not lie about in the clear.
            Secret("Tuesday suits me", frozenset({self.joint.room, str(self.joint.mailed)})),
        ]

    @property
    def _private(self) -> str:
        return f"PRIVATE with mediator · {self.number}"

    @property
    def _everyone(self) -> str:
        return f"EVERYONE · {self.number}"

    async def _log_in(self, name: str, localpart: str, kind: str) -> Actor:
        password, device = PASSWORDS.format(localpart), f"{kind}-{secrets.token_hex(2)}"
        with self.stage.expecting(f"{name} logs in"):
            client = await Client.login(self.node, self.world.homeserver.url, localpart, password, device=device)
        return Actor(name, client)

    async def _joined(self, room: str) -> bool | None:
        members = await self.mia.client.members(room)
        return any((member.user_id, member.membership) == (self.bot, "join") for member in members) or None
