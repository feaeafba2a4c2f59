"""The mediator runs the room: words cross by everybody's leave, and the joint room is locked and opened."""

from sandbox.story.cast import Cast

OFFER = "Between us: if the date is fixed, I could wait for half of the money."
REWORDED = "Alice could wait for half of the money, if the date is fixed."


async def words_cross(cast: Cast) -> None:
    """In the mediator's words, agreed to by their author."""
    stage, mia, alice, hers, joint = cast.stage, cast.mia, cast.alice, cast.hers, cast.joint
    stage.scene("Words cross, with Alice's yes")
    await stage.command(mia, "!mode released", "only the mediator writes")
    offer = await stage.post(alice, hers, OFFER)
    await stage.noticed(f"Alice wrote in {hers.name} (Alice).")
    await stage.post(mia, hers, f"!release: {REWORDED}", reply_to=offer)
    preview = await stage.told_at_the_desk("In the mediator’s words", REWORDED, "Who will read it: Mia (mediator)")
    stage.proved("The preview names every reader; nobody else has heard of it")
    stage.require("no mail of that", not cast.carl.unexpected, cast.carl.unexpected)
    await stage.command(mia, f"yes {cast.code_in(preview)}", "Alice is asked")
    asked = (await stage.hears(alice, hers, "may these words be shown")).body or ""
    stage.show(hers.title, "the bot", asked)
    await stage.react(alice, hers, offer, "👍")
    await stage.post(alice, hers, f"yes {cast.code_in(asked)}")
    await stage.told_at_the_desk("is released")
    for reader in joint.readers:
        shown = await stage.hears(reader, joint, REWORDED)
        stage.require("the bot says whose words they are", shown.sender == cast.bot, shown)
    stage.show(joint.title, "the bot", shown.body or "")
    await cast.carl.has_it(joint, "In the mediator’s words, agreed by Alice", REWORDED)
    await stage.hears(alice, hers, "was passed on")
    stage.holds("Her own words stay where she wrote them", OFFER not in (shown.body or ""), shown.body)


async def the_joint_room_is_locked(cast: Cast) -> None:
    """Enforced by the homeserver, and for who writes by mail as well."""
    stage, mia, alice, his, joint = cast.stage, cast.mia, cast.alice, cast.his, cast.joint
    stage.scene("The joint room is locked")
    await stage.command(mia, "!mode locked for 1h", "locked now")
    await stage.hears(alice, joint, "only the mediator writes for now")
    await stage.refused("a post of Alice's", alice.client.text(joint.room, "But I must say this."))
    stage.proved("Alice's client is refused by the homeserver")
    await cast.carl.answers(joint, "And I must say that.")
    held = await stage.told_at_the_desk(f"Held: something from Carl for {joint.name}", "only the mediator writes")
    stage.require("it does not say what", "And I must say that" not in held, held)
    await stage.hears(mia, his, "because in the joint room only the mediator writes")
    await cast.carl.has_it(his, "was not passed on")
    before = await _announcements(cast)
    await stage.command(mia, "!mode open", "Everybody may write here.")
    await _all_are_told_again(cast, before)


async def _all_are_told_again(cast: Cast, before: int) -> None:
    """In the joint room, that they may write: one time more than before."""
    seen = "not that everybody may write there again"
    await cast.stage.until("the joint room is told", lambda: _more_than(before, cast), lambda: seen)


async def _announcements(cast: Cast) -> int:
    timeline = await cast.alice.client.timeline(cast.joint.room)
    return sum("Everybody may write here." in (event.body or "") for event in timeline)


async def _more_than(before: int, cast: Cast) -> bool | None:
    return await _announcements(cast) > before or None


async def alice_pauses(cast: Cast) -> None:
    """The others learn that the mediation rests, and not by whom."""
    stage, alice, hers, joint, carl = cast.stage, cast.alice, cast.hers, cast.joint, cast.carl
    stage.scene("Alice needs a pause")
    await stage.post(alice, hers, "!pause for 2d")
    await stage.told_at_the_desk("Alice paused the mediation")
    answer = await stage.hears(alice, hers, "!resume takes it back")
    stage.show(hers.title, "the bot", answer.body or "")
    mail = await carl.is_mailed(cast.his, "The mediation is paused")
    carl.show(mail, mail.text)
    stage.holds("Carl is not told by whom", "Alice" not in mail.text, mail.text)
    await stage.refused("a post of Alice's", alice.client.text(joint.room, "While it rests"))
    await stage.post(alice, hers, "I want to sleep over it.")
    await stage.noticed(f"Alice wrote in {hers.name} (Alice).")
    before = await _announcements(cast)
    await stage.post(alice, hers, "!resume")
    await stage.told_at_the_desk("Alice took the pause back")
    await carl.is_mailed(cast.his, "goes on")
    await _all_are_told_again(cast, before)


async def the_case_closes(cast: Cast) -> None:
    """Nobody writes any more; what was written can be read."""
    stage, mia, alice, hers, joint = cast.stage, cast.mia, cast.alice, cast.hers, cast.joint
    stage.scene("The case closes")
    asked = await stage.command(mia, "!close", "yes ")
    await stage.command(mia, f"yes {cast.code_in(asked)}", "The case is closed")
    await cast.carl.is_mailed(cast.his, "The mediation is closed")
    await cast.bea.is_told(cast.beas, "The mediation is closed")
    for room in (hers, joint):
        await stage.hears(alice, room, "The mediation is closed")
        await stage.refused("a post of Alice's", alice.client.text(room.room, "One more thing."))
    stage.proved("Nobody can write any more, not even the mediator")
    await stage.command(mia, "!log 3", "On record")
