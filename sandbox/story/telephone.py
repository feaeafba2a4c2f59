"""Somebody takes part with nothing but a telephone: opted in, asked to write, heard in private and by everyone; and
somebody whom nobody knows writes from another."""

from sandbox import texter
from sandbox.story.cast import BEAS_LIMIT, FENCE, Cast
from sandbox.whatsapp.graph import JOINT, PRIVATE


async def bea_is_asked(cast: Cast) -> None:
    """Nothing is sent before it is on record that she agreed, and then one message that says nothing."""
    stage, mia, bea = cast.stage, cast.mia, cast.bea
    stage.scene("Bea is asked, by WhatsApp")
    stage.narrate(
        "The house in which the bakery stands is Bea's, so whatever they settle needs her. She has a telephone with"
        " WhatsApp, and wants nothing else. What stands between is a strict stand-in for Meta's Cloud API: HTTP, signed"
        " webhooks, the documented limits. The organisation has two numbers there, one private, one joint."
    )
    added = f"!party add {texter.NAME} {texter.NUMBER}"
    await stage.command(mia, added, "Bea (party) is in", "by WhatsApp", "nothing is sent")
    cast.beas = await stage.enters(mia, cast.private)
    cast.beas.chat = PRIVATE
    stage.holds("Nothing was sent to her", not bea.telephone.bubbles, bea.telephone.bubbles)
    wording = "agreed by telephone to take part by WhatsApp, which Meta can read"
    await stage.command(mia, f"!consent Bea: {wording}", "On record: Bea", wording)
    await bea.is_asked_to_write(PRIVATE)
    stage.proved("It is the template that Meta has approved: it says nothing of the case")


async def the_others_are_asked(cast: Cast) -> None:
    """What somebody says goes by WhatsApp with their own yes alone."""
    stage, alice, carl = cast.stage, cast.alice, cast.carl
    stage.scene("May your words go by WhatsApp?")
    asked = (await stage.hears(alice, cast.hers, "May yours also go this way?")).body or ""
    stage.show(cast.hers.title, "the bot", asked)
    await stage.post(alice, cast.hers, f"yes {cast.code_in(asked)}")
    await stage.told_at_the_desk("Alice agreed that their words also go by WhatsApp in the joint room")
    question = await carl.is_mailed(cast.his, "May yours also go this way?")
    carl.show(question, "…")
    await carl.answers(cast.his, f"yes {cast.code_in(question.text)}")
    await stage.told_at_the_desk("Carl agreed that their words also go by WhatsApp in the joint room")
    noted = await carl.is_mailed(cast.his, "your words go there, too")
    carl.show(noted, "…")


async def bea_in_private(cast: Cast) -> None:
    """What she writes to the private number is her private room's."""
    stage, mia, bea, beas = cast.stage, cast.mia, cast.bea, cast.beas
    stage.scene("Bea in private")
    where = f"{beas.name} (Bea)"
    await bea.writes(beas, "Hello, who is this?")
    await bea.is_heard(beas, "Hello, who is this?", known_as=where)
    bea.show(await bea.is_told(beas, "Hello Bea", "Who reads what you write here", "Meta"))
    bea.show(await bea.is_told(beas, "# Agreement to mediate"))
    question = await bea.is_told(beas, "Only you can answer")
    bea.show(question)
    await bea.presses(question, "Yes")
    await stage.told_at_the_desk("Bea accepted the agreement to mediate", "WhatsApp")
    await bea.is_told(beas, "is on record")
    limit = f"Between us: for {BEAS_LIMIT} a month the bakery may stay."
    await bea.writes(beas, limit)
    said = await bea.is_heard(beas, limit, known_as=where)
    await stage.post(mia, beas, "That stays here.", reply_to=said.event_id)
    await bea.has_it(beas, "*Mia* wrote:", "> That stays here.")


async def bea_with_everyone(cast: Cast) -> None:
    """What she writes to the joint number, everyone reads; and what they write is marked on her telephone."""
    stage, mia, alice, bea, joint = cast.stage, cast.mia, cast.alice, cast.bea, cast.joint
    stage.scene("Bea with everyone")
    before = [posted for posted in stage.posted if posted.place is joint]
    joint.chat = JOINT
    await bea.is_asked_to_write(JOINT)
    await bea.writes(joint, "Good evening, all. The house is mine.")
    spoken = await bea.is_heard(joint, "Good evening, all. The house is mine.")
    await cast.carl.has_it(joint, "Bea wrote Good evening, all. The house is mine.")
    bea.show(await bea.is_told(joint, "Hello Bea", "everyone in the mediation"))
    members = {member.user_id: member.name for member in await alice.client.members(joint.room)}
    name = members[spoken.sender]
    stage.holds(f"She stands there as “{name}”, whatever her profile says", name == "Bea (WhatsApp)", name)
    asked = await stage.post(alice, joint, "Bea, may the oven stay?")
    await stage.noticed(f"Alice wrote in {joint.name}.")
    await cast.carl.has_it(joint, "Bea, may the oven stay?")
    bea.show(await bea.is_told(joint, "*Alice* wrote:", "> Bea, may the oven stay?"))
    await stage.post(mia, joint, "Take your time.", reply_to=asked)
    await cast.carl.has_it(joint, "Take your time.")
    await bea.has_it(joint, "Take your time.")
    await stage.command(mia, "!whatsapp status Bea", "on their telephone")
    read = "\n".join(bubble.text for bubble in bea.telephone.bubbles)
    older = [posted for posted in before if any(words in read for words in posted.words)]
    stage.holds("Of what was said before she came nothing is on her telephone", not older, older)
    stage.holds("Bea had no other message", not bea.unexpected, bea.unexpected)


async def somebody_unknown(cast: Cast) -> None:
    """Who takes part in no case reaches the triage desk, is answered by itself once, and by a mediator's word."""
    stage, mia, dans = cast.stage, cast.mia, cast.dans
    stage.scene("Somebody whom nobody knows")
    theirs = "📱 a telephone whose number nobody knows: Example Mediation"
    cast.triage = await stage.enters(mia, "Desk · triage")
    with stage.expecting("a stranger's words, answered once"):
        await dans.write(PRIVATE, FENCE)
        stage.show(theirs, "Dan", FENCE)
        shown = await stage.hears(mia, cast.triage, f"> {FENCE}")
        stage.show(cast.triage.title, "the bot", shown.body or "")
        answer = await dans.wait_for(lambda bubble: not bubble.mine, timeout=stage.patience)
        stage.show(theirs, "", answer.text)
        stage.require("an automatic answer that says so", "This is an automatic answer" in answer.text, answer.text)
        await stage.post(mia, cast.triage, "!intake answer S1: When may we telephone you?")
        await dans.wait_for(lambda bubble: bubble.text == "When may we telephone you?", timeout=stage.patience)
        stage.show(theirs, "", "When may we telephone you?")
        await dans.write(PRIVATE, "Tomorrow at nine.")
        await stage.hears(mia, cast.triage, "> Tomorrow at nine.")
    got = [bubble for bubble in dans.bubbles if not bubble.mine]
    stage.holds("He was answered by itself once, and then by Mia alone", len(got) == 2, got)
