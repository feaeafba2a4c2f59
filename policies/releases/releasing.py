"""The steps of a release: numbered, previewed, its author asked, published or closed (M5).

The commands that begin and end one are in `commands.release`; `answering` brings the answers.
"""

from __future__ import annotations

from dataclasses import replace

from policies.case import DESK, JOINT, Case, Kind
from policies.documents.sharing import audience_names, audience_of, posts_of, shared
from policies.effects import Effect, EndHold, Inform, Pose
from policies.message import Message, Proof
from policies.moderation.agreement import Confidentiality
from policies.moderation.guard import echoes
from policies.moderation.hold import HoldEnd
from policies.names import MessageId, ReleaseId
from policies.outcome import Done, Facts, Outcome, Refused
from policies.people.membership import caucuses_of, conversations
from policies.people.ways import not_agreed
from policies.plan import desk_label, label
from policies.questions.ask import Ask, Consenting, Passing
from policies.questions.asking import how, meaning, put
from policies.releases.release import CONSENT_LASTS, Agreed, Doubtful, Release, Standing, heading_of, mark_of
from policies.words.phrase import Phrase, phrase, together
from policies.words.text import clean, marked

PRIVILEGED = Refused(
    phrase("It is marked as privileged, and privileged words are never released"), phrase("Talk to its author")
)
EXAMPLE = "!release: I would go as far as a date in June"


def passed(case: Case, number: ReleaseId, facts: Facts) -> Outcome:
    """The mediator said yes to the preview: it is released, or its author is asked."""
    release, bound = case.release(number), meaning(case, Passing(number))
    if release is None or bound is None:
        raise LookupError("a release that isn't there was passed")
    release = replace(release, by=facts.by)
    agreed = release.agreed is not None and release.agreed.binds == bound.sha256
    if agreed or _need_not_agree(case, release):
        return _published(case, release, facts)
    case, effects = ask_author(case, release, Standing.ASKED, facts)
    return Done(case, f"{release.id}: {case.name_of(release.author)} is asked. Silence is a no.", effects)


def consented(case: Case, ask: Ask, number: ReleaseId, proof: Proof, facts: Facts) -> Outcome:
    """Its author said yes to these words and readers. It is released if a mediator has passed it already."""
    release = case.release(number)
    if release is None:
        raise LookupError("a release that isn't there was agreed to")
    release = replace(release, agreed=Agreed(facts.at, how(proof), ask.binds))
    if release.standing is Standing.ASKED:
        return _published(case, release, facts)
    text = phrase("{number} waits for the mediator, who decides whether it is passed on.", number=release.id)
    told = Inform(ask.asked, ask.where, text)
    return Done(
        case.with_release(replace(release, standing=Standing.QUEUED)),
        f"{case.name_of(ask.asked)} submits {release.id} for {desk_label(release.to, case)}. !release {release.id}"
        f" shows it and asks you; !return {release.id}: NOTE gives it back.",
        (told,),
    )


def offered(
    case: Case, kept: Message, words: str, introduction: Phrase, facts: Facts
) -> tuple[Case, tuple[Effect, ...]] | None:
    """Words that were meant for all, and stand in their author's private room instead: their author is asked whether
    they submit them. None where they can't be."""
    source, where = kept.id, kept.conversation
    said = clean(words).strip()
    draft = Release(ReleaseId(""), kept.author, source, said, False, where, JOINT, Standing.PREVIEWED, facts.at)
    found = numbered(case, draft, facts)
    if isinstance(found, Refused) or JOINT not in conversations(case):
        return None
    case, release = found
    if meaning(case.with_release(release), Consenting(release.id)) is None:
        return None
    return ask_author(case, release, Standing.SUBMITTED, facts, introduction)


def closed(case: Case, number: ReleaseId) -> Case:
    """Nothing comes of it any more."""
    release = case.release(number)
    if release is None or not release.is_open:
        return case
    asks = tuple(a for a in case.asks if a.act not in {Consenting(number), Passing(number)})
    return replace(case.with_release(replace(release, standing=Standing.CLOSED)), asks=asks)


def closed_all(case: Case, source: MessageId) -> Case:
    """Nothing comes any more of what is under way of a message."""
    for release in case.releases:
        case = closed(case, release.id) if release.source == source else case
    return case


def begun(case: Case, draft: Release, facts: Facts) -> Outcome:
    """The draft gets a number, and is shown to the mediator, who is asked."""
    found = numbered(case, draft, facts)
    return found if isinstance(found, Refused) else previewed(*found, facts)


def not_passed(case: Case, number: ReleaseId) -> Case:
    """The mediator did not say yes to the preview, or takes it back before its author's yes: what a party submitted
    waits again, anything else is over. A held message waits where it was held."""
    release = case.release(number)
    begun = release is not None and release.standing in {Standing.PREVIEWED, Standing.ASKED}
    if release and begun and release.agreed and not release.of_hold:
        return case.with_release(replace(release, standing=Standing.QUEUED))
    return closed(case, number)


def numbered(case: Case, draft: Release, facts: Facts) -> tuple[Case, Release] | Refused:
    """The draft under a number of its own."""
    if mark_of(draft.words) == "privileged":
        return PRIVILEGED
    if not draft.words:
        return Refused("There are no words to release", EXAMPLE)
    own = caucuses_of(case, draft.author)
    home = own[0] if draft.origin.kind is not Kind.CAUCUS and own else draft.origin
    return case, replace(draft, id=case.new_release_id(home), at=facts.at, standing=Standing.PREVIEWED)


def previewed(case: Case, release: Release, facts: Facts) -> Outcome:
    if release.to not in conversations(case):
        return Refused("There is no joint room yet", "!open begins the joint session")
    if release.to == release.origin and not release.of_hold:
        return Refused("That is where it was said", "Name another side, or the joint room: !release to joint")
    case = case.with_release(replace(release, standing=Standing.PREVIEWED))
    bound = meaning(case, Passing(release.id))
    if bound is None:
        return Refused("Its author takes no part any more, and can't agree", "Say it in words of your own")
    assert facts.by is not None
    case, ask, alarm = put(case, Passing(release.id), facts.by, DESK, facts)
    asked_first = not _need_not_agree(case, release) and (
        release.agreed is None or release.agreed.binds != bound.sha256
    )
    if asked_first and release.origin == JOINT:
        remedy = "Say it in words of your own, or ask them to send it again"
        return Refused("Its author has no private room of their own to be asked in", remedy)
    name = case.name_of(release.author)
    then = f"{name} is asked to agree to exactly these words and readers" if asked_first else "it is released at once"
    lines = [
        f"{release.id}, for {desk_label(release.to, case)}. {heading_of(release, name)}",
        *marked(release.words),
        f"Who will read it: {audience_names(case, release)}.",
        *_warning(release, facts),
        f"Say “yes {ask.code}” within 15 minutes, and {then}.",
    ]
    return Done(case, "\n".join(lines), (alarm,))


def _warning(release: Release, facts: Facts) -> list[str]:
    found = echoes(release.words, facts.elsewhere, frozenset({release.origin.id, release.to.id}))
    return (
        [f"CAREFUL: this also stands in another private room: {', '.join(f'“{w}”' for w in found)}."] if found else []
    )


def ask_author(
    case: Case, release: Release, standing: Standing, facts: Facts, introduction: Phrase | None = None
) -> tuple[Case, tuple[Effect, ...]]:
    """Its author is shown the exact words and the readers, and asked."""
    case = case.with_release(replace(release, standing=standing))
    case, ask, alarm = put(case, Consenting(release.id), release.author, release.origin, facts, lasts=CONSENT_LASTS)
    name, where = case.name_of(release.author), label(release.to, case)
    unproven = release.of_hold is not None and release.of_hold.doubtful is Doubtful.WHOSE
    what = phrase("what came in your name, without proof that you wrote it") if unproven else phrase("your own words")
    what = phrase("in the mediator’s wording, shown as agreed by you") if release.reworded else what
    title = phrase(
        "{name}, may these words be shown in {room}? They are {what} ({number}):",
        name=name,
        room=where,
        what=what,
        number=release.id,
    )
    exactly = phrase("Exactly these words, nothing else; what has been read can’t be unread.")
    if release.share:
        title = phrase(
            "{name}, may this document be shown in {room} ({number})?", name=name, room=where, number=release.id
        )
        exactly = phrase("Exactly this document, nothing else; what has been read can’t be unread.")
    then = phrase("After a yes, these will read them: {names}.", names=audience_names(case, release))
    question = Pose(
        release.author,
        ask.where,
        ask.code,
        together([introduction or "", title]),
        release.words,
        together([then, exactly]),
        ask.expires,
        of_the_case=True,
    )
    return case, (question, alarm)


def _published(case: Case, release: Release, facts: Facts) -> Outcome:
    audience = audience_of(case, release)
    name, where = case.name_of(release.author), label(release.to, case)
    done = replace(release, standing=Standing.RELEASED, released_at=facts.at, readers=audience)
    case = case.with_release(done)
    text = phrase("{number} was passed on, and stands in {room} now.", number=release.id, room=where)
    if release.of_hold:
        text = phrase(
            "What was held ({number}) was passed on, and stands in {room} now.", number=release.id, room=where
        )
    told = Inform(release.author, release.origin, text)
    what, to = f"{name}’s words", desk_label(release.to, case)
    given: tuple[Effect, ...] = ()
    if release.share:
        what, to = release.share.document, audience_names(case, release)
        case, given = shared(case, done, release.share, facts.at)
    ended = (EndHold(release.source, HoldEnd.POSTED),) if release.of_hold and release.source else ()
    return Done(case, f"{release.id} is released: {what}, to {to}.", (*posts_of(case, done), *given, *ended, told))


def _need_not_agree(case: Case, release: Release) -> bool:
    """Whether the agreement to mediate, if its author has accepted one, lets the mediator pass this on as it is. A
    document needs its owner's own yes, unless that is a mediator; what is doubtful, its author's."""
    if release.share:
        return case.is_staff(release.author)
    if not_agreed(case, release.author, release.to, audience_of(case, release)):
        return False  # nothing of theirs goes a way to which they have not agreed
    if release.of_hold and release.to == release.origin != JOINT and not release.reworded:
        return True
    if release.of_hold and release.of_hold.doubtful:
        return False
    match case.agreement.confidentiality if case.agreement else Confidentiality.STRICT:
        case Confidentiality.STRICT:
            return False
        case Confidentiality.SHARE:
            return _has_accepted(case, release) and mark_of(release.words) is None and not release.reworded
        case Confidentiality.OPEN:
            return _has_accepted(case, release) and not release.reworded


def _has_accepted(case: Case, release: Release) -> bool:
    return case.accepted(release.author) is not None
