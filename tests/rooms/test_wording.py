"""What follows is said in the language of whoever reads it, and a language is told to nobody else (B6, I1)."""

import ast
from pathlib import Path

import pytest

from policies.case import JOINT, Case
from policies.effects import Announce, Effect, Explain, Inform, Labels, Pose, Publish, Tell
from policies.moderation.floor import floor_text
from policies.names import ReleaseId
from policies.people.membership import readers
from policies.releases.release import heading
from policies.words.language import Language
from policies.words.phrase import phrase
from rooms.wording import worded
from tests.policies.builders import AT, both_sides, caucus_of, done, named

CASE = both_sides()
HERS, HIS = caucus_of(CASE, "Smith"), caucus_of(CASE, "Jones")
CARL, ALICE = named(CASE, "Carl").id, named(CASE, "Alice").id
PRODUCT = [p for d in ("policies", "rooms") for p in sorted((Path(__file__).parents[2] / d).rglob("*.py"))]


def german(*names: str) -> Case:
    case = CASE
    for name in names:
        case = done(case, f"!language {name} de").case
    return case


def test_whoever_reads_on_a_channel_of_their_own_is_told_in_their_language() -> None:
    told = worded(german("Carl"), Inform(CARL, HIS, phrase("It stays private.")))
    assert told == Inform(CARL, HIS, phrase("Es bleibt privat."))
    assert worded(german("Carl"), Inform(ALICE, HERS, phrase("It stays private."))).text == "It stays private."


def test_a_private_room_is_told_in_its_own_and_the_joint_room_in_that_of_the_case() -> None:
    case = german("Carl", "Alice")
    assert "Hier dürfen alle schreiben." in worded(case, Announce(HERS, floor_text(case))).text
    assert worded(case, Announce(JOINT, floor_text(case))).text == floor_text(case)


@pytest.mark.parametrize("kind", [Inform, Explain])
def test_what_is_for_one_reader_of_the_joint_room_tells_the_others_no_language(kind: type[Inform | Explain]) -> None:
    case = german("Alice")
    assert worded(case, kind(ALICE, JOINT, phrase("It stays private."))).text == "It stays private."


def test_a_heading_is_in_the_language_of_the_room_or_of_the_one_it_goes_to() -> None:
    title = heading("Alice", reworded=False)
    released = Publish(ReleaseId("R1"), JOINT, title, "words", readers(CASE, JOINT))
    mailed = Publish(ReleaseId("R1"), JOINT, title, "words", readers(CASE, JOINT), CARL)
    case = german("Carl", "Alice")
    assert worded(case, released).heading == title
    assert worded(case, mailed).heading == "Worte von Alice, freigegeben von der Mediation:"
    assert worded(case, mailed).words == "words"


def test_a_question_has_its_buttons_in_the_language_of_whom_it_is_put_to() -> None:
    asked = phrase("Who should read this?")
    pose = worded(german("Carl"), Pose(CARL, HIS, "4F2A", asked, "Who should read this?", asked, AT, True, Labels()))
    assert (pose.title, pose.then, pose.labels.yes, pose.labels.no) == (
        "Wer soll das lesen?", "Wer soll das lesen?", "Ja", "Nein",
    )  # fmt: skip
    assert pose.words == "Who should read this?", "what somebody wrote is not translated"


def test_anything_else_stays_as_it_is() -> None:
    tell: Effect = Tell(JOINT, "x")
    assert worded(german("Carl"), tell) is tell


@pytest.mark.parametrize("path", PRODUCT, ids=lambda path: path.stem)
def test_a_plain_text_is_told_at_the_desk_alone(path: Path) -> None:
    """What parties read is an Announce, which takes a Phrase."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Tell":
            assert isinstance(node.args[0], ast.Name), node.lineno
            assert node.args[0].id == "DESK", f"{path.name}:{node.lineno}"


@pytest.mark.parametrize("path", PRODUCT, ids=lambda path: path.stem)
def test_a_phrase_is_written_out_where_it_is_made(path: Path) -> None:
    """Or the catalogue would not have it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in {"phrase", "plural"}:
            assert isinstance(node.args[0], ast.Constant), f"{path.name}:{node.lineno}"


def test_every_language_says_all_that_follows() -> None:
    for language in Language:
        case = done(CASE, f"!language {language}").case
        assert worded(case, Announce(JOINT, floor_text(case))).text
