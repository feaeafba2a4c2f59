"""The scripted story goes as written, and notices when it does not."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from sandbox.node import Node
from sandbox.stage import StoryDiffers
from sandbox.story import play
from sandbox.sweep import Secret, Surface, leaks
from sandbox.world import Ports, World
from tests.e2e.conftest import SYNAPSE_PYTHON


@pytest_asyncio.fixture(loop_scope="session")
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with World(tmp_path, Ports.free(), SYNAPSE_PYTHON, agreement=True, triage=True) as world:
        yield world


async def test_the_story_goes_as_written_and_notices_when_it_does_not(world: World, node: Node) -> None:
    transcript: list[str] = []

    await play(world, node, transcript.append)

    told = "\n".join(transcript)
    for line in (
        "  │ Mia       !case new Smith and Jones",
        "For example: !open",
        "  │ Alice     Between us: I would accept 40,000 for my half.",
        "  ✓ Carl had no mail of all this",
        "  ✓ It is the template that Meta has approved: it says nothing of the case",
        "  │ Bea       (presses) Yes",
        "  │ 👥 JOINT – everyone in the mediation reads this · 1001",
        "  ✓ She stands there as “Bea (WhatsApp)”, whatever her profile says",
        "  ✓ Of what was said before she came nothing is on her telephone",
        "  ✓ He was answered by itself once, and then by Mia alone",
        "  ✓ They stand under his own name: “Carl (email)”",
        "  ✓ In the joint room nobody saw it",
        "  ✓ Nothing was lost, nothing came twice",
        "  ✓ Of what came after, Dora has neither the messages nor their keys, and may not fetch them",
        "  ✓ The service's log names nobody",
        "  ✓ The desk was told nothing else",
    ):
        assert line in told
    assert transcript[-1].startswith("The story went as written")

    # Planted: the one who opens the case is no mediator of this organisation, so the bot turns her down.
    with pytest.raises(StoryDiffers) as differs:
        await play(world, node, lambda _: None, mediator="mallory", patience=2)

    assert differs.value.step == "The mediator opens a case"
    assert "the bot comes into the direct chat" in str(differs.value)


HOME = Surface("Alice's caucus, as Mia sees it", "!caucus", "I would accept 40,000")
SECRET = Secret("40,000", frozenset({"!caucus"}))


def test_the_sweep_lets_a_secret_be_where_it_belongs() -> None:
    assert leaks([HOME, Surface("the joint room", "!joint", "Welcome")], [SECRET]) == []


@pytest.mark.parametrize(
    "planted",
    [
        Surface("the joint room, as Carl's ghost sees it", "!joint", "she would accept 40,000"),
        Surface("mail 3 to Carl", "r.token@reply.example.org", "| I would accept 40,000"),
        Surface("service/service.log", None, "posted: I would accept 40,000"),
    ],
)
def test_the_sweep_finds_a_planted_leak(planted: Surface) -> None:
    assert leaks([HOME, planted], [SECRET]) == [f"“40,000” in {planted.name}"]


def test_the_sweep_is_not_content_with_a_secret_that_arrived_nowhere() -> None:
    assert leaks([], [SECRET]) == ["“40,000” did not even arrive where it belongs"]
