"""Nothing leaves a private room but words that their author agreed to, for the readers they were shown (M5, I1)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from policies import routing
from policies.case import DESK, JOINT, Case, Conversation
from policies.due import decide_due
from policies.effects import Decision, Inform, Pose, Publish, Relay, Tell
from policies.message import AuthenticatedMail, Proof, Reaction, Text, Unproven
from policies.moderation.agreement import Acceptance, Agreement, Confidentiality
from policies.moderation.course import withdrawn
from policies.moderation.guard import grams
from policies.networks.delivery import Cancel, Go, may_publish
from policies.outcome import Done, Quoted
from policies.people.membership import readers
from policies.questions.asking import in_words
from policies.releases.release import CONSENT_LASTS, Standing
from tests.policies.builders import AT, both_sides, caucus_of, done, facts, message, named, of_kind

CASE = both_sides("!party add Bob @bob:example.org on Jones")
HERS, HIS = caucus_of(CASE, "Smith"), caucus_of(CASE, "Jones")
SOURCE = replace(message(CASE, "Alice", HERS)).id
LIMIT = "I could live with\n40,000 by June"


def says(
    case: Case, name: str, words: str, where: Conversation = HERS, *, proof: Proof | None = None, **known: Any
) -> Decision:
    """Somebody says something, as the handler would have it decided."""
    told = replace(facts(named(case, name).id, code="8QQ8"), where=where, **known)
    return routing.decide(case, message(case, name, where, Text(words), proof), told)


def quoting(words: str | None = LIMIT, author: str = "Alice") -> dict[str, Any]:
    return {"quoted": Quoted(SOURCE, named(CASE, author).id, words)}


def code_in(text: str) -> str:
    return text.rpartition("“yes ")[2].partition("”")[0]


def shown(preview: Done) -> str:
    """What the desk sees of a preview."""
    [told] = of_kind(Tell, preview.effects)
    assert told.conversation == DESK
    return told.text


def previewed(case: Case = CASE, command: str = "!release", **known: Any) -> tuple[Case, str]:
    decision = says(case, "Mia", command, **(quoting() | known))
    [told] = of_kind(Tell, decision.effects)
    assert told.conversation == DESK
    return decision.case, told.text


def test_the_words_of_a_preview_are_not_what_goes_on_record() -> None:
    decision = says(CASE, "Mia", "!release", **quoting())
    [told] = of_kind(Tell, decision.effects)
    assert "40,000 by June" in told.text
    assert "40,000" not in decision.reason


def asked(command: str = "!release", case: Case = CASE) -> tuple[Case, Pose]:
    case, text = previewed(case, command)
    decision = says(case, "Mia", f"yes {code_in(text)}", DESK)
    [pose] = of_kind(Pose, decision.effects)
    return decision.case, pose


def published(decision: Decision) -> list[Publish]:
    return of_kind(Publish, decision.effects)


def test_a_release_is_previewed_agreed_to_and_shown_word_for_word() -> None:
    case, preview = previewed()
    assert "> I could live with\n> 40,000 by June" in preview
    assert "Who will read it: Mia (mediator), Alice, Carl (by mail), Bob." in preview
    case, pose = asked()
    assert (pose.to, pose.conversation, pose.words) == (named(case, "Alice").id, HERS, LIMIT)
    assert "Carl (by mail), Bob" in pose.then
    decision = says(case, "Alice", f"yes {pose.code}")
    shown = published(decision)
    assert {(p.conversation, p.heading, p.words, p.to) for p in shown} == {
        (JOINT, "Alice’s words, released by the mediator:", LIMIT, None),
        (JOINT, "Alice’s words, released by the mediator:", LIMIT, named(case, "Carl").id),
    }
    [release] = decision.case.releases
    assert release.standing is Standing.RELEASED
    assert release.source == SOURCE
    assert release.agreed
    assert release.by == named(case, "Mia").id
    assert release.readers == readers(case, JOINT)


def test_a_command_in_a_private_room_is_passed_on_to_nobody() -> None:
    in_his = says(CASE, "Mia", "!release", HIS, **quoting(author="Carl"))
    assert not of_kind(Relay, in_his.effects)
    assert {t.conversation for t in of_kind(Tell, in_his.effects)} == {DESK}


@pytest.mark.parametrize("word", ["no", "yes"])
def test_silence_and_a_no_release_nothing(word: str) -> None:
    case, pose = asked()
    said_no = says(case, "Alice", f"no {pose.code}")
    late = decide_due(case, f"ask:{pose.code}", facts(None, at=AT + CONSENT_LASTS))
    for decision in (said_no, late):
        assert not published(decision)
        assert decision.case.releases[0].standing is Standing.CLOSED
        assert any(t.conversation == DESK for t in of_kind(Tell, decision.effects))
        assert not published(says(decision.case, "Alice", f"{word} {pose.code}"))


def test_what_binds_nobody_releases_nothing() -> None:
    case, pose = asked()
    for decision in (
        says(case, "Alice", f"yes {pose.code}", proof=Unproven("not verified", "verify")),
        says(case, "Alice", f"yes {pose.code}", JOINT),
        says(case, "Bob", f"yes {pose.code}", HIS),
        says(case, "Mia", f"yes {pose.code}", DESK),
        says(case, "Mia", f"yes {pose.code}"),
        says(case, "Alice", "yes"),
        routing.decide(case, message(case, "Alice", HERS, Reaction(SOURCE, "👍")), facts(None)),
    ):
        assert not published(decision)
        assert decision.case.releases[0].standing is Standing.ASKED


def test_a_replayed_yes_releases_nothing_twice() -> None:
    case, pose = asked()
    once = says(case, "Alice", f"yes {pose.code}")
    assert not published(says(once.case, "Alice", f"yes {pose.code}"))


def test_other_readers_make_a_yes_void() -> None:
    case, pose = asked()
    more = done(case, "!party add Dora @dora:example.org as counsel on Jones").case
    decision = says(more, "Alice", f"yes {pose.code}")
    assert not published(decision)
    assert decision.case.releases[0].standing is Standing.CLOSED
    assert any("void" in i.text for i in of_kind(Inform, decision.effects))


def test_at_sending_words_are_narrowed_and_never_widened() -> None:
    case, pose = asked()
    [first, _] = published(says(case, "Alice", f"yes {pose.code}"))
    assert may_publish(case, JOINT, first.audience) == Go()
    more = done(case, "!party add Dora @dora:example.org as counsel on Jones").case
    assert isinstance(may_publish(more, JOINT, first.audience), Cancel)
    fewer = done(case, "!party remove Bob", facts(None)).case
    assert may_publish(fewer, JOINT, first.audience) == Go()


def test_other_words_are_shown_as_the_mediators_and_only_with_a_yes_to_them() -> None:
    case, pose = asked("!release: June would be possible")
    assert pose.words == "June would be possible"
    assert "mediator’s wording" in pose.title
    [first, _] = published(says(case, "Alice", f"yes {pose.code}"))
    assert first.heading == "In the mediator’s words, agreed by Alice:"
    assert first.words == "June would be possible"


def test_words_can_go_to_one_side_alone() -> None:
    case, pose = asked("!release to Jones")
    shown = published(says(case, "Alice", f"yes {pose.code}"))
    assert {p.conversation for p in shown} == {HIS}
    assert named(case, "Alice").id not in shown[0].audience


def test_a_party_submits_agrees_and_the_mediator_decides() -> None:
    submitted = says(CASE, "Alice", "!submit: I can live with June")
    [pose] = of_kind(Pose, submitted.effects)
    assert pose.words == "I can live with June"
    queued = says(submitted.case, "Alice", f"yes {pose.code}")
    assert not published(queued)
    assert any("submits R1" in t.text for t in of_kind(Tell, queued.effects) if t.conversation == DESK)
    assert "R1: Alice" in done(queued.case, "!queue").answer
    preview = done(queued.case, "!release R1", facts(code="7RR7"))
    assert "released at once" in shown(preview)
    decision = says(preview.case, "Mia", "yes 7RR7", DESK)
    assert [p.words for p in published(decision)] == ["I can live with June"] * 2
    assert done(decision.case, "!queue").answer == "Nothing waits."


def test_what_was_agreed_to_for_other_readers_is_asked_again() -> None:
    submitted = says(CASE, "Alice", "!submit: I can live with June")
    [pose] = of_kind(Pose, submitted.effects)
    case = says(submitted.case, "Alice", f"yes {pose.code}").case
    preview = done(case, "!release R1 to Jones", facts(code="7RR7"))
    decision = says(preview.case, "Mia", "yes 7RR7", DESK)
    assert not published(decision)
    assert of_kind(Pose, decision.effects)


def test_several_at_once_each_with_its_own_code() -> None:
    case = CASE
    for words in ("one thing", "another thing"):
        submitted = says(case, "Alice", f"!submit: {words}")
        [pose] = of_kind(Pose, submitted.effects)
        case = says(submitted.case, "Alice", f"yes {pose.code}").case
    preview = done(case, "!release R1 R2", facts(code="7RR7"))
    codes = {a.code for a in preview.case.asks}
    assert len(codes) == 2
    assert all(code in shown(preview) for code in codes)


def test_a_submission_is_given_back_with_a_private_note() -> None:
    submitted = says(CASE, "Alice", "!submit: I can live with June")
    [pose] = of_kind(Pose, submitted.effects)
    case = says(submitted.case, "Alice", f"yes {pose.code}").case
    returned = done(case, "!return R1: let us talk first")
    [told] = of_kind(Inform, returned.effects)
    assert (told.to, told.conversation) == (named(CASE, "Alice").id, HERS)
    assert "let us talk first" in told.text
    assert "Nothing waits" in str(done(returned.case, "!queue").answer)


def test_a_mediator_who_thinks_better_of_it_leaves_the_submission_in_the_queue() -> None:
    submitted = says(CASE, "Alice", "!submit: I can live with June")
    [pose] = of_kind(Pose, submitted.effects)
    case = says(submitted.case, "Alice", f"yes {pose.code}").case
    preview = done(case, "!release R1", facts(code="7RR7"))
    for decision in (
        says(preview.case, "Mia", "no 7RR7", DESK),
        decide_due(preview.case, "ask:7RR7", facts(None, at=AT + timedelta(hours=1))),
    ):
        assert decision.case.releases[0].standing is Standing.QUEUED


def test_a_bridged_party_submits_and_agrees_by_mail() -> None:
    submitted = says(CASE, "Carl", "!submit: June is fine", HIS, proof=AuthenticatedMail())
    [pose] = of_kind(Pose, submitted.effects)
    queued = says(submitted.case, "Carl", f"yes {pose.code}", HIS, proof=AuthenticatedMail())
    assert queued.case.releases[0].standing is Standing.QUEUED
    assert not of_kind(Relay, queued.effects)


@pytest.mark.parametrize("words", ["privileged: our strategy", "[Privileged] our strategy", "PRIVILEGED our strategy"])
def test_privileged_words_are_never_released(words: str) -> None:
    assert says(CASE, "Mia", "!release", **quoting(words)).refused
    assert says(CASE, "Mia", "!release: softer", **quoting(words)).refused
    assert says(CASE, "Alice", f"!submit: {words}").refused


@pytest.mark.parametrize(
    ("mode", "words", "at_once"),
    [
        (Confidentiality.STRICT, LIMIT, False),
        (Confidentiality.SHARE, LIMIT, True),
        (Confidentiality.SHARE, "Private: 40,000", False),
        (Confidentiality.OPEN, LIMIT, True),
        (Confidentiality.OPEN, "Private: 40,000", True),
    ],
)
def test_the_agreement_says_whether_the_author_is_asked(mode: Confidentiality, words: str, at_once: bool) -> None:
    case = replace(CASE, agreements=(Agreement(1, "x", mode),))
    for name in ("Alice", "Bob", "Carl"):
        case = done(case, f"!agreement accepted {name}: signed").case
    case, preview = previewed(case, **quoting(words))
    assert ("released at once" in preview) is at_once
    decision = says(case, "Mia", f"yes {code_in(preview)}", DESK)
    assert bool(published(decision)) is at_once
    assert bool(of_kind(Pose, decision.effects)) is not at_once


def test_a_rewording_is_asked_about_in_every_mode_for_it_says_that_it_was_agreed() -> None:
    case = replace(CASE, agreements=(Agreement(1, "x", Confidentiality.OPEN),))
    for name in ("Alice", "Bob", "Carl"):
        case = done(case, f"!agreement accepted {name}: signed").case
    case, preview = previewed(case, "!release: softer")
    assert of_kind(Pose, says(case, "Mia", f"yes {code_in(preview)}", DESK).effects)


def test_the_preview_warns_of_what_stands_in_another_private_room() -> None:
    elsewhere = {"n:40000": frozenset({HIS.id})}
    assert "CAREFUL: this also stands in another private room: “40,000”" in previewed(elsewhere=elsewhere)[1]
    assert "CAREFUL" not in previewed(elsewhere={"n:40000": frozenset({HERS.id})})[1]
    assert "CAREFUL" not in previewed(elsewhere={"n:40000": frozenset({HIS.id, JOINT.id})})[1]


def test_a_mediator_who_repeats_private_words_elsewhere_is_warned_at_the_desk() -> None:
    words = "Carl said he can't pay more than 35,000 before the spring"
    elsewhere = dict.fromkeys(grams(words), frozenset({HIS.id}))
    for where in (JOINT, HERS):
        decision = says(CASE, "Mia", words, where, elsewhere=elsewhere)
        [told] = of_kind(Tell, decision.effects)
        assert told.conversation == DESK
        assert "35,000" in told.text
    assert not of_kind(Tell, says(CASE, "Mia", words, HIS, elsewhere=elsewhere).effects)


@pytest.mark.parametrize(
    ("command", "where", "known", "why"),
    [
        ("!release", HERS, {}, "What is to be released"),
        ("!release", DESK, {}, "What is to be released"),
        ("!release", HERS, quoting(author="Mia"), "What is to be released"),
        ("!release", HERS, quoting(None), "Only words"),
        ("!release R7", DESK, {}, "Nothing waits"),
        ("!release to Nowhere", HERS, quoting(), "no side Nowhere"),
        ("!release to Smith", HERS, quoting(), "where it was said"),
        ("!return R7", DESK, {}, "Nothing waits"),
        ("!submit: x", DESK, {}, "private room"),
    ],
)
def test_a_refusal_says_what_would_work(command: str, where: Conversation, known: dict[str, Any], why: str) -> None:
    decision = says(CASE, "Mia", command, where, **known)
    assert decision.refused
    assert why in of_kind(Tell, decision.effects)[0].text


def test_a_party_submits_only_its_own_words() -> None:
    assert says(CASE, "Alice", "!submit", **quoting(author="Mia")).refused
    assert says(CASE, "Alice", "!submit").refused
    assert of_kind(Pose, says(CASE, "Alice", "!submit", **quoting()).effects)


def test_what_is_no_command_for_a_party_is_words() -> None:
    assert says(CASE, "Alice", "!release", **quoting()).rule == "said"
    assert says(CASE, "Alice", "!important: read this").rule == "said"
    assert "!submit" in of_kind(Inform, says(CASE, "Alice", "!help").effects)[0].text


def test_text_that_imitates_ours_stands_behind_marks() -> None:
    false = "ok\nBob’s words, released by the mediator:\n> I give in\nSay “yes 8QQ8”"
    case, preview = previewed(**quoting(false))
    assert "> Bob’s words, released by the mediator:\n> > I give in" in preview
    case, pose = asked()
    assert "\n> > I give in\n" in in_words(replace(pose, words=false), "UTC")
    assert case


def test_an_author_who_left_can_not_be_spoken_for() -> None:
    case, _ = asked()
    gone = done(case, "!party remove Alice", facts(None)).case
    assert gone.asks == ()
    assert says(gone, "Mia", "!release", **quoting()).refused


@pytest.mark.parametrize("mode", list(Confidentiality))
def test_nothing_of_somebody_who_has_withdrawn_is_released_whatever_they_agreed_to_before(
    mode: Confidentiality,
) -> None:
    case = says(CASE, "Alice", f"!submit: {LIMIT}").case
    [ask] = case.asks
    queued = says(case, "Alice", f"yes {ask.code}").case
    [release] = queued.releases
    assert release.standing is Standing.QUEUED
    text = Agreement(1, "Be kind.", mode)
    accepted = Acceptance(release.author, text.sha256, AT, "signed")
    gone = replace(withdrawn(queued, release.author), agreements=(text,), acceptances=(accepted,))
    refusal = says(gone, "Mia", "!release R1", DESK)
    assert refusal.refused
    shown, preview = previewed(queued, "!release R1")
    late = says(withdrawn(shown, release.author), "Mia", f"yes {code_in(preview)}", DESK)
    assert not published(late)
    assert not published(says(gone, "Mia", "!release", **quoting()))


def submitted(case: Case = CASE) -> Case:
    """Alice has submitted something, and said yes to it."""
    decision = says(case, "Alice", "!submit: June would be possible")
    [pose] = of_kind(Pose, decision.effects)
    return says(decision.case, "Alice", f"yes {pose.code}").case


def test_a_preview_that_came_to_nothing_leaves_a_submission_in_the_queue() -> None:
    case, text = previewed(submitted(), "!release R1", quoted=None)
    joined = done(case, "!party add Dora @dora:example.org as counsel on Smith").case
    void = says(joined, "Mia", f"yes {code_in(text)}", DESK)
    assert not published(void)
    assert "void" in void.reason
    assert [r.standing for r in void.case.releases] == [Standing.QUEUED]
    _, again = previewed(void.case, "!release R1", quoted=None)
    assert "Alice is asked to agree" in again


@pytest.mark.parametrize("standing", ["submitted", "queued", "previewed"])
def test_who_submitted_something_takes_it_back_until_it_is_released(standing: str) -> None:
    begun = says(CASE, "Alice", "!submit: June would be possible")
    case = begun.case if standing == "submitted" else submitted()
    if standing == "previewed":
        case, text = previewed(case, "!release R1", quoted=None)
    back = says(case, "Alice", "!return R1")
    assert [r.standing for r in back.case.releases] == [Standing.CLOSED]
    assert not back.case.asks
    assert "taken back" in of_kind(Inform, back.effects)[0].text
    assert "Alice takes R1 back" in of_kind(Tell, back.effects)[0].text
    if standing == "previewed":
        assert not published(says(back.case, "Mia", f"yes {code_in(text)}", DESK))


def test_nobody_takes_back_what_is_not_theirs_or_is_out() -> None:
    case = submitted()
    foreign = says(case, "Carl", "!return R1", HIS)
    assert foreign.case.releases == case.releases
    assert "Nothing waits under R1" in of_kind(Inform, foreign.effects)[0].text
    case, text = previewed(case, "!release R1", quoted=None)
    out = says(case, "Mia", f"yes {code_in(text)}", DESK)
    assert published(out)
    late = says(out.case, "Alice", "!return R1")
    assert late.case.releases[0].standing is Standing.RELEASED
    assert "What was released stays released" in of_kind(Inform, late.effects)[0].text


def test_the_released_words_leave_before_the_notices_about_them() -> None:
    case, pose = asked()
    effects = says(case, "Alice", f"yes {pose.code}").effects
    kinds = [type(effect) for effect in effects if isinstance(effect, Publish | Tell | Inform)]
    assert kinds.index(Tell) > max(i for i, kind in enumerate(kinds) if kind is Publish)
    assert Inform in kinds[kinds.index(Tell) :]
