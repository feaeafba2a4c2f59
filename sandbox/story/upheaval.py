"""What life brings: a new telephone, a power failure, a lawyer who comes and goes."""

from sandbox.seen import SeenEvent
from sandbox.story.cast import Cast


async def a_new_telephone(cast: Cast) -> None:
    stage, mia, alice, hers = cast.stage, cast.mia, cast.alice, cast.hers
    stage.scene("Alice has a new telephone")
    earlier = {event.event_id for room in (hers, cast.joint) for event in await alice.client.timeline(room.room)}
    cast.phone = await cast.log_in("Alice's telephone", "alice", "TELEPHONE")
    for client in (mia.client, alice.client):
        await client.wait_for_device(alice.client.user_id, cast.phone.client.device_id)
    hers.readers.append(cast.phone)
    cast.joint.readers.append(cast.phone)
    await stage.post(mia, hers, "I'll ask for a second valuation.")
    await stage.post(cast.phone, hers, "Good, from the train this time.")
    await stage.noticed(f"Alice wrote in {hers.name} (Alice).")
    await cast.carl.answers(cast.joint, "Tuesday suits me.")
    await cast.carl.is_heard(cast.joint, "Tuesday suits me.")
    await cast.bea.has_it(cast.joint, "Tuesday suits me.")
    stage.proved("The new device reads Mia and Carl's ghost, and is read, with no warning")
    old: list[SeenEvent] = []

    async def tried() -> bool | None:
        timeline = [event for room in (hers, cast.joint) for event in await cast.phone.client.timeline(room.room)]
        old[:] = [event for event in timeline if event.event_id in earlier and event.encrypted and not event.redacted]
        return not any(event.pending for event in old) or None

    await stage.until("the new device has tried to read what is old", tried, lambda: old)
    stage.holds(
        f"The {len(old)} messages from before it existed stay closed to it",
        bool(old) and all(event.failure and not event.content for event in old),
        old,
    )
    cast.closed = frozenset((cast.phone.client.device_id, event.event_id) for event in old)


async def the_power_fails(cast: Cast) -> None:
    stage, mia, alice, joint = cast.stage, cast.mia, cast.alice, cast.joint
    stage.scene("The power fails")
    stage.narrate(
        "Carl's mail is taken, Bea's telephone sends, and in the same moment the service is killed (-9). Alice and Mia"
        " go on writing."
    )
    await cast.carl.answers(joint, "A mail on the brink.")
    await cast.bea.writes(joint, "A message on the brink.")
    await cast.world.kill_service()
    await stage.post(alice, joint, "Is anybody there?")
    await stage.post(mia, joint, "I am.")
    stage.narrate("The service starts again.")
    await cast.world.start_service()
    await cast.carl.is_heard(joint, "A mail on the brink.")
    await cast.bea.is_heard(joint, "A message on the brink.")
    await stage.noticed(f"Alice wrote in {joint.name}.")
    await cast.carl.has_it(joint, "A message on the brink.")
    await cast.bea.has_it(joint, "A mail on the brink.")
    for writes in (cast.carl, cast.bea):
        await writes.has_it(joint, "Is anybody there?")
        await writes.has_it(joint, "I am.")
    stage.narrate("Then the homeserver goes down, and comes back.")
    await cast.world.homeserver.restart()
    await stage.post(alice, joint, "And now?")
    await stage.noticed(f"Alice wrote in {joint.name}.")
    await cast.carl.has_it(joint, "And now?")
    await cast.bea.has_it(joint, "And now?")
    await cast.carl.answers(joint, "All well here.")
    await cast.carl.is_heard(joint, "All well here.")
    await cast.bea.has_it(joint, "All well here.")
    left_over = [*cast.carl.unexpected, *cast.bea.unexpected]
    stage.holds("Nothing was lost, nothing came twice", not left_over, left_over)


async def counsel_comes_and_goes(cast: Cast) -> None:
    stage, mia, alice, hers, joint = cast.stage, cast.mia, cast.alice, cast.hers, cast.joint
    stage.scene("Alice's counsel comes, and goes")
    said_before = list(stage.posted)
    dora = cast.dora = await cast.log_in("Dora", "dora", "LAPTOP")
    await stage.command(mia, f"!party add Dora {dora.client.user_id} as counsel on Alice", "Dora (counsel) is in")
    await stage.hears(mia, hers, "Dora (counsel)")
    await dora.client.join(await stage.invited(dora, cast.private))
    hers.readers.append(dora)
    question = (await stage.hears(dora, hers, "Dora, before the mediation begins")).body or ""
    await stage.post(dora, hers, f"yes {cast.code_in(question)}")
    await stage.told_at_the_desk("Dora accepted the agreement to mediate")
    await stage.hears(mia, joint, "Dora (counsel)")
    for name in (cast.everyone, f"Mediation · {cast.number}"):
        await dora.client.join(await stage.invited(dora, name))
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
    await stage.command(mia, f"yes {cast.code_in(asked)}", "Dora takes part no more")
    await stage.is_removed(dora, hers)
    await stage.is_removed(dora, joint)
    after = [(hers, await stage.post(alice, hers, "We go on without Dora."))]
    await stage.noticed(f"Alice wrote in {hers.name} (Alice).")
    after.append((joint, await stage.post(mia, joint, "Dora has left us.")))
    await cast.carl.has_it(joint, "Dora has left us.")
    await cast.bea.has_it(joint, "Dora has left us.")
    await cast.carl.answers(joint, "Noted.")
    after.append((joint, (await cast.carl.is_heard(joint, "Noted.")).event_id))
    await cast.bea.has_it(joint, "Noted.")
    for place, event in after:
        await stage.is_shut_out(dora, place, event)
    stage.proved("Of what came after, Dora has neither the messages nor their keys, and may not fetch them")
