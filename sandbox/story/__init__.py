"""The scripted story: a whole mediation with real clients and real mail, told as a transcript, each step checked."""

import time
from collections.abc import Callable

from sandbox.node import Node
from sandbox.stage import PATIENCE, Stage
from sandbox.story import ending, moderation, opening, talking, telephone, upheaval
from sandbox.story.cast import Cast
from sandbox.world import MEDIATOR, World


async def play(
    world: World, node: Node, say: Callable[[str], None], *, mediator: str = MEDIATOR, patience: float = PATIENCE
) -> None:
    """Play the story in a fresh world. Raises StoryDiffers at the first step that goes otherwise.

    `mediator` is the localpart of who opens the case, `patience` how many seconds a step may take.
    """
    began = time.monotonic()
    cast = Cast(world, node, Stage(world, say, patience))
    await opening.people_arrive(cast, mediator)
    await opening.the_mediator_opens_a_case(cast)
    await opening.the_parties_are_seated(cast)
    await opening.the_agreement_is_accepted(cast)
    await opening.everyone_finds_their_rooms(cast)
    await talking.the_joint_session(cast)
    await talking.in_private_with_alice(cast)
    await talking.carl_answers_by_mail(cast)
    await talking.a_mail_that_proves_nothing(cast)
    await moderation.words_cross(cast)
    await moderation.the_joint_room_is_locked(cast)
    await moderation.alice_pauses(cast)
    await telephone.bea_is_asked(cast)
    await telephone.the_others_are_asked(cast)
    await telephone.bea_in_private(cast)
    await telephone.bea_with_everyone(cast)
    await telephone.somebody_unknown(cast)
    await upheaval.a_new_telephone(cast)
    await upheaval.the_power_fails(cast)
    await upheaval.counsel_comes_and_goes(cast)
    await moderation.the_case_closes(cast)
    await ending.nothing_crossed(cast)
    say("")
    say(f"The story went as written, in {time.monotonic() - began:.0f} seconds.")
