"""What is held ends once: posted where it was meant, with its author's yes where that is needed, or given back (M6)."""

from dataclasses import replace
from datetime import timedelta

import pytest

from policies.acts import take
from policies.case import DESK, JOINT, Case, Conversation
from policies.documents.carrying import Erase
from policies.documents.filing import BESIDE_A_FILE, NO_DOCUMENT
from policies.due import decide_due
from policies.effects import EndHold, Inform, Pose, Publish, ResumeHold, Tell
from policies.message import AuthenticatedMail, Edit, File, FileRef, Message, MessageId, Text, Unproven, Unreadable
from policies.moderation.hold import REASONS, AtHand, HoldEnd
from policies.outcome import Done
from policies.people.membership import readers
from policies.questions.ask import Passing
from policies.questions.asking import Answer
from policies.releases.release import CONSENT_LASTS, Standing
from tests.policies.builders import (
    AT,
    agreed_case,
    both_sides,
    case_with,
    caucus_of,
    done,
    facts,
    message,
    named,
    of_kind,
    refused,
)

CASE = both_sides("!party add Bob @bob:example.org on Jones", "!mode released")
HERS, HIS = caucus_of(CASE, "Smith"), caucus_of(CASE, "Jones")
BY_MAIL = AuthenticatedMail()
STOLEN = Unproven("no mail server vouches for its sender", "")
FILE = File("x.pdf", "application/pdf", 3, FileRef("{}"))


def held(
    said: Message, case: Case = CASE, *, why: str = "only the mediator writes", end: HoldEnd | None = None
) -> AtHand:
    return AtHand(3, said, why, readers(case, said.conversation), end)


def from_carl(words: str = "June is fine", where: Conversation = JOINT, *, proven: bool = True) -> Message:
    return message(CASE, "Carl", where, Text(words), BY_MAIL if proven else STOLEN)


def does(line: str, at_hand: AtHand, case: Case = CASE) -> Done:
    return done(case, line, replace(facts(code="8QQ8"), held=at_hand))


def refuses(line: str, at_hand: AtHand | None, case: Case = CASE) -> str:
    return refused(case, line, replace(facts(code="8QQ8"), held=at_hand))


def preview(at_hand: AtHand, line: str = "!held 3 post", case: Case = CASE) -> tuple[Case, str]:
    outcome = does(line, at_hand, case)
    [told] = of_kind(Tell, outcome.effects)
    assert told.conversation == DESK
    assert not outcome.answer  # what goes on record has nobody's words
    assert not of_kind(Publish, outcome.effects)
    return outcome.case, told.text


def mediator_says(case: Case, word: str = "yes") -> Done:
    [ask] = [a for a in case.asks if isinstance(a.act, Passing)]
    return done(case, f"{word} {ask.code}", facts(code="9RR9"))


def author_says(case: Case, question: Pose, word: str = "yes") -> Done:
    given = Answer(question.code, word == "yes", question.to, question.conversation, BY_MAIL)
    outcome = take(case, given, facts(question.to))
    assert isinstance(outcome, Done)
    return outcome


# --- posting


@pytest.mark.parametrize("role", ["observer", "expert"])
def test_who_has_no_private_room_is_never_spoken_for_before_all(role: str) -> None:
    """They can't be asked alone, so only what they surely meant for those very readers goes there."""
    case = both_sides(f"!party add Ina ina@example.org as {role}", "!consent Ina: yes", "!mode released")
    stolen, sure = (message(case, "Ina", JOINT, Text("I give in"), proof) for proof in (STOLEN, BY_MAIL))
    unclear = message(case, "Ina", JOINT, Unreadable("it quotes something", "I give in"), BY_MAIL)
    later = done(case, "!party add Dora @dora:example.org as counsel on Smith").case
    for line, at_hand, now in [
        ("!held 3 post", held(stolen, case), case),
        ("!held 3 post", held(unclear, case), case),
        ("!held 3 post: Something else", held(sure, case), case),
        ("!held 3 post", held(sure, case), later),
    ]:
        assert "no private room of their own" in refuses(line, at_hand, now)
    shown, _ = preview(held(sure, case), case=case)
    assert of_kind(Publish, mediator_says(shown).effects)


def test_what_is_surely_meant_for_all_is_posted_on_the_mediators_yes_alone() -> None:
    case, text = preview(held(from_carl()))
    assert text.startswith("Held message 3: R1001, for EVERYONE · 1042. Carl’s words, released by the mediator:")
    assert "> June is fine" in text
    assert "released at once" in text
    posted = mediator_says(case)
    assert {(p.conversation, p.to, p.words) for p in of_kind(Publish, posted.effects)} == {
        (JOINT, None, "June is fine")
    }
    assert of_kind(EndHold, posted.effects) == [EndHold(MessageId("m1"), HoldEnd.POSTED)]
    [release] = posted.case.releases
    assert release.agreed
    assert release.agreed.how.startswith("by mail")


def test_those_who_came_since_read_it_only_if_its_author_says_yes() -> None:
    old = held(from_carl())
    later = done(CASE, "!party add Dora @dora:example.org as counsel on Smith").case
    case, text = preview(old, case=later)
    assert "Carl is asked to agree" in text
    asked = mediator_says(case)
    assert not of_kind(Publish, asked.effects)
    [question] = of_kind(Pose, asked.effects)
    assert question.to == named(CASE, "Carl").id
    posted = author_says(asked.case, question)
    assert of_kind(EndHold, posted.effects)


def test_what_nobody_is_sure_about_is_asked_about_though_its_words_are_certain() -> None:
    case, text = preview(replace(held(from_carl()), audience=frozenset()))
    assert "Carl is asked to agree" in text
    assert not of_kind(Publish, mediator_says(case).effects)


@pytest.mark.parametrize(
    ("said", "wording"),
    [
        (from_carl("I accept", proven=False), "in your name, without proof that you wrote it"),
        (replace(from_carl(), content=Unreadable("it quotes", "June > private")), "your own words"),
        (replace(from_carl(), content=replace(FILE, words="I accept only clause 3")), "your own words"),
    ],
    ids=["unproven", "unclear", "beside a file"],
)
def test_what_is_not_certain_goes_to_all_only_after_its_authors_yes(said: Message, wording: str) -> None:
    case, _ = preview(held(said))
    asked = mediator_says(case)
    assert not of_kind(Publish, asked.effects)
    [question] = of_kind(Pose, asked.effects)
    assert wording in question.title
    assert of_kind(Publish, author_says(asked.case, question).effects)
    said_no = author_says(asked.case, question, "no")
    assert not of_kind(Publish, said_no.effects) + of_kind(EndHold, said_no.effects)
    late = decide_due(asked.case, f"ask:{question.code}", facts(None, at=AT + CONSENT_LASTS))
    assert not of_kind(Publish, late.effects) + of_kind(EndHold, late.effects)


@pytest.mark.parametrize("mode", ["share-unless-marked", "no-secrets"])
def test_no_agreement_lets_pass_what_nobody_knows_to_be_its_authors(mode: str) -> None:
    case, _ = agreed_case("!open", f"!agreement mode {mode}")
    for name in ("Alice", "Carl"):
        case = done(case, f"!agreement accepted {name}: on paper").case
    case, text = preview(held(from_carl(proven=False), case), case=case)
    assert "Carl is asked to agree" in text
    assert not of_kind(Publish, mediator_says(case).effects)


def test_in_its_authors_own_room_it_stands_as_what_it_is() -> None:
    case, text = preview(held(from_carl("I accept", HIS, proven=False)))
    assert "without proof that Carl wrote it" in text
    [shown] = of_kind(Publish, mediator_says(case).effects)
    assert shown.conversation == HIS
    assert shown.heading == "In Carl’s name, without proof that Carl wrote it, passed on by the mediator:"
    assert shown.audience == readers(CASE, HIS)


def test_what_stands_in_matrix_already_goes_to_the_others_alone() -> None:
    said = message(CASE, "Alice", JOINT, Text("late"))
    case, _ = preview(held(said))
    assert [p.to for p in of_kind(Publish, mediator_says(case).effects)] == [named(CASE, "Carl").id]


def test_what_everybody_has_already_is_not_posted() -> None:
    case = case_with("!party add Alice @alice:example.org on Smith", "!open")
    assert "in Matrix already" in refuses("!held 3 post", held(message(case, "Alice", JOINT, Text("late"))), case)


def test_other_words_need_a_yes_and_say_whose_they_are() -> None:
    case, text = preview(held(from_carl()), "!held 3 post: June would do")
    assert "In the mediator’s words, agreed by Carl:\n> June would do" in text
    asked = mediator_says(case)
    [question] = of_kind(Pose, asked.effects)
    assert question.words == "June would do"


def test_files_are_not_posted_and_the_preview_says_so() -> None:
    _, text = preview(held(replace(from_carl(), files=(FILE,))))
    assert "Its 1 file(s) are not shown." in text
    _, text = preview(held(replace(from_carl(), content=replace(FILE, words="I accept only clause 3"))))
    assert "> I accept only clause 3" in text
    assert "Its 1 file(s) are not shown." in text


@pytest.mark.parametrize("word", ["no", "late"])
def test_without_the_mediators_yes_it_waits_as_before(word: str) -> None:
    case, _ = preview(held(from_carl()))
    [ask] = case.asks
    if word == "late":
        decision = decide_due(case, f"ask:{ask.code}", facts(None, at=AT + timedelta(minutes=15)))
        after, effects = decision.case, decision.effects
    else:
        outcome = mediator_says(case, "no")
        after, effects = outcome.case, outcome.effects
    assert not of_kind(EndHold, effects) + of_kind(Publish, effects)
    assert [r.standing for r in after.releases] == [Standing.CLOSED]
    preview(held(from_carl()), case=after)


def test_it_is_on_its_way_once() -> None:
    case, _ = preview(held(from_carl()))
    assert "on its way already" in refuses("!held 3 post", held(from_carl()), case)


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (replace(from_carl(), content=Unreadable("nothing could be made out")), "There are no words"),
        (replace(from_carl(), content=FILE), "There are no words"),
        (replace(from_carl(), content=Edit(MessageId("m0"), "x")), "There are no words"),
        (from_carl("[privileged] ask my lawyer"), "privileged"),
        (message(CASE, "Mia", JOINT, Unreadable("x", "y")), "Only what a party wrote"),
        (replace(from_carl(), conversation=DESK), "Only what a party wrote"),
        (replace(from_carl(), author=named(CASE, "Alice").id, conversation=HIS), "does not read"),
    ],
)
def test_what_can_not_be_posted_is_refused_with_the_reason(said: Message, why: str) -> None:
    assert why in refuses("!held 3 post", held(said))


@pytest.mark.parametrize("command", ["!pause", "!mode closed"])
def test_nothing_is_posted_while_the_room_rests(command: str) -> None:
    case = done(CASE, command).case
    assert "Nothing is posted there now" in refuses("!held 3 post", held(from_carl()), case)


def test_who_has_left_is_not_quoted() -> None:
    case = done(CASE, "!party remove Carl", facts(None)).case
    assert "still takes part" in refuses("!held 3 post", held(from_carl()), case)


def test_the_api_posts_nothing() -> None:
    refusal = refused(CASE, "!held 3 post", replace(facts(None), held=held(from_carl())))
    assert "Say it at the desk" in refusal


# --- giving back, putting aside


@pytest.mark.parametrize("reason", REASONS)
def test_what_is_given_back_tells_its_author_why_and_that_it_can_be_said_again(reason: str) -> None:
    outcome = does(f"!held 3 return {reason}: call me", held(from_carl()))
    assert of_kind(EndHold, outcome.effects) == [EndHold(MessageId("m1"), HoldEnd.RETURNED)]
    [told] = of_kind(Inform, outcome.effects)
    assert (told.to, told.conversation) == (named(CASE, "Carl").id, HIS)
    for part in ("you wrote for EVERYONE", "only the mediator writes", REASONS[reason], "call me", "say it again"):
        assert part in told.text
    assert "June" not in told.text + outcome.answer


def test_of_what_is_not_proven_nobody_is_taken_to_be_the_author() -> None:
    [told] = of_kind(Inform, does("!held 3 return", held(from_carl(proven=False))).effects)
    assert "What came in your name" in told.text


def test_who_has_no_room_of_their_own_is_not_told_by_guess() -> None:
    case = done(CASE, "!party add Eve eve@example.net as expert").case
    said = message(case, "Eve", JOINT, Text("x"), BY_MAIL)
    assert "no private room" in refuses("!held 3 return", held(said, case), case)


def test_a_file_that_can_be_no_document_is_deleted_when_it_is_given_back_and_nothing_else_is() -> None:
    film = message(CASE, "Alice", JOINT, FILE)
    for why, vault, gone in ((NO_DOCUMENT, True, 1), (NO_DOCUMENT, False, 0), (BESIDE_A_FILE, True, 0)):
        known = replace(facts(code="8QQ8"), held=held(film, why=why), documents=vault)
        assert len(of_kind(Erase, done(CASE, "!held 3 return", known).effects)) == gone
        assert not of_kind(Erase, done(CASE, "!held 3 discard", known).effects)


@pytest.mark.parametrize("line", ["!held 3 return", "!held 3 discard"])
def test_giving_it_back_or_putting_it_aside_ends_what_is_under_way(line: str) -> None:
    case, _ = preview(held(from_carl()))
    after = does(line, held(from_carl()), case).case
    assert not after.asks
    assert [r.standing for r in after.releases] == [Standing.CLOSED]


def test_what_was_put_aside_can_be_kept_after_all() -> None:
    outcome = does("!held 3 discard", held(from_carl()))
    assert of_kind(EndHold, outcome.effects) == [EndHold(MessageId("m1"), HoldEnd.DISCARDED)]
    assert not of_kind(Inform, outcome.effects)
    kept = does("!held 3 keep", held(from_carl(), end=HoldEnd.DISCARDED))
    assert of_kind(ResumeHold, kept.effects) == [ResumeHold(MessageId("m1"))]


@pytest.mark.parametrize("end", HoldEnd)
@pytest.mark.parametrize("act", ["post", "return", "discard"])
def test_what_has_ended_has_ended(act: str, end: HoldEnd) -> None:
    assert "already" in refuses(f"!held 3 {act}", held(from_carl(), end=end))


@pytest.mark.parametrize("end", [None, *(set(HoldEnd) - {HoldEnd.DISCARDED})], ids=str)
def test_only_what_was_put_aside_is_kept(end: HoldEnd | None) -> None:
    assert "Held message 3" in refuses("!held 3 keep", held(from_carl(), end=end))


def test_an_unknown_number_does_nothing() -> None:
    for act in ("post", "return", "discard", "keep"):
        assert "There is no held message 9" in refuses(f"!held 9 {act}", None)
