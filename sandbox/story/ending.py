"""The end: nothing crossed, and nothing is missing."""

import asyncio

from sandbox import correspondent, sweep, texter
from sandbox.story.cast import (
    ACCOUNTS,
    ALICES_LIMIT,
    BEAS_LIMIT,
    CARLS_LIMIT,
    FENCE,
    UNPROVEN,
    VALUATION,
    WORKSHEET,
    Cast,
)
from sandbox.sweep import Secret, Surface


async def nothing_crossed(cast: Cast) -> None:
    stage = cast.stage
    stage.scene("Nothing crossed")
    everyone = (cast.mia, cast.alice, cast.phone, cast.dora)
    surfaces = [surface for actor in everyone for surface in await sweep.of_client(actor.name, actor.client)]
    surfaces += [sweep.of_mail(correspondent.NAME, mail) for mail in cast.carl.mailbox]
    surfaces += [sweep.of_chat(texter.NAME, bubble) for bubble in cast.bea.telephone.bubbles]
    surfaces += [Surface("a message on Dan's telephone", "dan", bubble.text) for bubble in cast.dans.bubbles]
    surfaces += [Surface("an opened file", cast.hers.room, str(VALUATION + WORKSHEET))]
    surfaces += [Surface("an opened file", cast.his.room, str(ACCOUNTS))]
    surfaces += await asyncio.to_thread(sweep.of_folder, cast.world.folder)
    found = sweep.leaks(surfaces, _secrets(cast))
    stage.holds(
        f"Of what was said in private nothing stands on any other of {len(surfaces)} surfaces: rooms as each client"
        " shows them, mails, a telephone, logs, databases, stored files",
        not found,
        "; ".join(found),
    )
    log = cast.world.log.read_text()
    of_bea = (texter.NUMBER.removeprefix("+"), texter.USER, "wamid")
    of_dan = (cast.dans.phone.number.removeprefix("+"), cast.dans.phone.user)
    of_others = (correspondent.ADDRESS, cast.alice.client.user_id, str(cast.his.mailed))
    named = [words for words in (*of_others, *of_bea, *of_dan) if words in log]
    stage.holds("The service's log names nobody", not named, named)
    await stage.all_is_readable(everyone, cast.closed)
    await stage.each_exactly_once()
    notices = await stage.left_over_notices()
    stage.holds("The desk was told nothing else", not notices, notices)
    stage.holds("Carl had no other mail", not cast.carl.unexpected, cast.carl.unexpected)
    stage.holds("Bea had no other message", not cast.bea.unexpected, cast.bea.unexpected)


def _secrets(cast: Cast) -> list[Secret]:
    hers, his = frozenset({cast.hers.room}), frozenset({cast.his.room, str(cast.his.mailed)})
    return [
        Secret(ALICES_LIMIT, hers),
        Secret("I'll ask for a second valuation", hers),
        Secret(CARLS_LIMIT, his),
        Secret("I won't repeat that to Alice", his),
        Secret(BEAS_LIMIT, frozenset({cast.beas.room, str(cast.beas.chat)})),
        *(Secret(words, frozenset({cast.triage.room, "dan"})) for words in (FENCE, "Tomorrow at nine")),
        Secret(UNPROVEN, frozenset({cast.desk.room})),
        Secret("We go on without Dora", hers),
        *(Secret(marker, hers) for marker in ("ALICE-VALUATION", "MIA-WORKSHEET")),
        Secret("CARL-ACCOUNTS", his),
        # What all may read is no secret among them, but it must not lie about in the clear.
        Secret("Tuesday suits me", frozenset({cast.joint.room, str(cast.joint.mailed), str(cast.joint.chat)})),
    ]
