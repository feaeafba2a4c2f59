"""They talk: all together, in private, and by mail; and somebody writes in a party's name."""

from sandbox.mail import Stamp
from sandbox.story.cast import ACCOUNTS, ALICES_LIMIT, CARLS_LIMIT, UNPROVEN, VALUATION, WORKSHEET, Cast


async def the_joint_session(cast: Cast) -> None:
    stage, mia, alice, joint = cast.stage, cast.mia, cast.alice, cast.joint
    stage.scene("The joint session")
    asked = await stage.post(mia, joint, "Welcome. What does each of you need to settle this?")
    mail = await cast.carl.is_mailed(joint, "Mia wrote Welcome. What does each of you need to settle this?")
    cast.carl.show(mail, mail.text)
    answered = await stage.post(alice, joint, "I want to leave the bakery by June.", reply_to=asked)
    await stage.noticed(f"Alice wrote in {joint.name}.")
    await cast.carl.has_it(joint, "Alice wrote I want to leave the bakery by June.")
    await stage.react(mia, joint, answered, "👍")
    await stage.told_at_the_desk("Mia, about reactions")
    await stage.react(alice, joint, asked, "🙏")
    await stage.edit(alice, joint, answered, "I want to leave the bakery by July.")
    await stage.noticed(f"Alice changed a message in {joint.name}.")
    await cast.carl.has_it(joint, "Alice corrected an earlier message", "by July.")
    await stage.post(mia, joint, "Thank you. Carl, what matters to you?", reply_to=answered)
    await cast.carl.has_it(joint, "Carl, what matters to you?")
    slip = await stage.post(mia, joint, "We meet on Monday.")
    await cast.carl.has_it(joint, "We meet on Monday.")
    await stage.edit(mia, joint, slip, "We meet on Tuesday.")
    await cast.carl.has_it(joint, "Mia corrected an earlier message", "We meet on Tuesday.")
    await stage.take_back(mia, joint, slip)
    await cast.carl.has_it(joint, "An earlier message was removed from this room")
    await stage.told_at_the_desk("Mia removed a message in", "it can't be called back")
    await stage.refused("the removal", alice.client.redact(joint.room, answered))
    stage.proved("Alice can't take back what everyone has read: the homeserver refuses")
    stage.holds("Carl had a mail of every post, correction and removal", not cast.carl.unexpected, "others")


async def in_private_with_alice(cast: Cast) -> None:
    stage, mia, alice, hers = cast.stage, cast.mia, cast.alice, cast.hers
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
    stage.holds("Carl had no mail of all this", not cast.carl.unexpected, cast.carl.unexpected)


async def carl_answers_by_mail(cast: Cast) -> None:
    stage, joint, his = cast.stage, cast.joint, cast.his
    stage.scene("Carl answers by mail")
    await cast.carl.answers(joint, "I want to keep the bakery open, with Alice's name on it.")
    spoken = await cast.carl.is_heard(joint, "I want to keep the bakery open, with Alice's name on it.")
    await _looks_right(cast, spoken.sender)
    words = f"I can't pay more than {CARLS_LIMIT} before the spring."
    await cast.carl.answers(his, words, ("accounts.csv", ACCOUNTS))
    await cast.carl.is_heard(his, words, known_as=f"{his.name} (Carl)")
    file = await stage.hears(cast.mia, his, "accounts.csv")
    stage.show(his.title, "Carl", "(sent the file accounts.csv, which arrives encrypted)")
    await stage.opens(cast.mia, file, ACCOUNTS)
    stage.holds("Mia's client decrypts Carl's attachment", file.encrypted, file)
    await stage.post(cast.mia, his, "Thank you. I won't repeat that to Alice.")
    await cast.carl.has_it(his, "Mia wrote Thank you. I won't repeat that to Alice.")
    rooms = [room.room_id for room in await cast.alice.client.rooms()]
    stage.holds("Alice's client does not know of that room", his.room not in rooms, rooms)


async def _looks_right(cast: Cast, ghost: str) -> None:
    members = {member.user_id: member.name for member in await cast.alice.client.members(cast.joint.room)}
    cast.stage.holds(f"They stand under his own name: “{members[ghost]}”", "Carl" in (members[ghost] or ""), members)
    for reader in (cast.mia, cast.alice):
        devices = await reader.client.devices(ghost)
        signed = len(devices) == 1 and devices[0].signed
        cast.stage.require(f"{reader.name} knows one cross-signed device of Carl's ghost", signed, devices)
    cast.stage.proved("His ghost has one device, cross-signed: no client shows a warning")


async def a_mail_that_proves_nothing(cast: Cast) -> None:
    stage, mia, his, joint = cast.stage, cast.mia, cast.his, cast.joint
    stage.scene("A mail that proves nothing")
    stage.narrate(
        "Somebody writes to the joint room's address in Carl's name. Our own mail server did not vouch for it."
    )
    words = f"I give in: I'll pay {UNPROVEN}."
    await cast.carl.answers(joint, words, stamp=Stamp.NONE)
    await stage.told_at_the_desk(f"Held: something from Carl for {joint.name}")
    await cast.carl.gets_a_link()  # by which he can say whether it was his
    held = await stage.hears(mia, his, "Held for the mediator, and not posted")
    stage.show(his.title, "the bot", held.body or "")
    await stage.command(mia, "!held", "Held", "1.")
    await stage.command(mia, "!held 1", words)
    for reader in joint.readers:
        seen = [event.body for event in await reader.client.timeline(joint.room)]
        stage.require(f"{reader.name} does not see it in the joint room", words not in seen, seen)
    stage.proved("In the joint room nobody saw it")
