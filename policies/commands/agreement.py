"""The agreement to mediate: shown, asked for, renewed, and taken down when it was accepted on paper (M2, M3)."""

from __future__ import annotations

from dataclasses import replace

from policies.case import Case, Consent, Person, PersonId, Phase
from policies.commands.confirming import confirm
from policies.commands.form import Form
from policies.commands.ways import (
    asked_about_ways,
    closed_by,
    noted,
    on_record,
    section,
    taken_back,
    ways_for,
    ways_standing,
)
from policies.effects import Effect, Inform, Pose
from policies.frozen import frozen
from policies.message import Proof
from policies.moderation.agreement import ACCEPTANCE_LASTS, Acceptance, Agreement, Confidentiality
from policies.networks.way import WayAnswer
from policies.outcome import Done, Facts, Outcome, Refused, no_such_person
from policies.people.membership import caucuses_of, may_join
from policies.people.ways import missing
from policies.questions.ask import Accepting, Adopting, Ask, Carrying
from policies.questions.asking import how, put
from policies.words.phrase import phrase, together, when
from policies.words.text import marked, moment

_NONE = Refused("This case has no agreement to mediate", "!agreement new takes the organisation's, if there is one")
_WAYS_ALONE = "This case has no agreement to mediate. Over which networks words go, each was asked by itself:"


@frozen
class ShowAgreement:
    """The agreement as it is now, and who has accepted it."""

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Changes nothing."""
        now = case.agreement
        if now is None:
            about = standing(case)
            return Done(case, "\n".join([_WAYS_ALONE, *about])) if about else _NONE
        quoted = "\n".join(marked(now.words))
        title = f"The agreement to mediate, version {now.version} ({now.confidentiality}, SHA-256 {now.sha256[:16]}…):"
        return Done(case, "\n".join([title, quoted, *standing(case)]))


@frozen
class SendAgreement:
    """Ask everyone who has not accepted it yet, each in private."""

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """A question put before is void."""
        if case.agreement is None and not any(missing(case, p.id) for p in case.people):
            return _NONE
        if case.phase is Phase.CLOSED:
            return Refused("The case is closed, and nobody is asked anything", "!resume goes on with it; then ask")
        waiting = [p for p in case.people if not may_join(case, p.id)]
        others = [p for p in case.people if p not in waiting and not case.has_withdrawn(p.id) and missing(case, p.id)]
        if not waiting and not others:
            return Refused("Everyone has accepted it", "!agreement shows when and how")
        case, effects = asked_to_accept(case, waiting, facts)
        case, more = asked_about_ways(case, others, facts, again=True)
        return Done(case, "\n".join(["Asked, each in private.", *standing(case)]), (*effects, *more))


@frozen
class RenewAgreement:
    """Take the organisation's text as it is now, or another confidentiality, as a new version."""

    confidentiality: Confidentiality | None = None

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Asks first, for nobody has accepted a new version."""
        now, house = case.agreement, facts.agreement
        source = house if self.confidentiality is None else (now or house)
        if source is None:
            return Refused(
                "The organisation has no agreement", "Your administrator sets one: agreement, in config.yaml"
            )
        confidentiality = self.confidentiality or (now.confidentiality if now else source.confidentiality)
        if now and (now.text, now.confidentiality) == (source.text, confidentiality):
            return Refused(f"That is version {now.version}, which the case has", "!agreement shows it")
        if facts.by is None:
            return adopted(case, source.text, confidentiality, facts)
        words = "Everyone is asked anew, and is out of the joint room until they have accepted."
        line = f"!agreement {'new' if self.confidentiality is None else f'mode {confidentiality}'}"
        return confirm(case, Adopting(source.text, confidentiality), line, facts, words=words)


@frozen
class RecordAcceptance:
    """That somebody accepted it on paper, or by telephone."""

    name: str
    wording: str

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """On record, with who says so."""
        person = case.named(self.name)
        if person is None:
            return no_such_person(case, self.name)
        if case.agreement is None and not missing(case, person.id):
            return _NONE
        if may_join(case, person.id) and not missing(case, person.id):
            return Refused(f"{person.name} need not accept it any more", "!agreement shows who has")
        before, unasked = standing(case), without_accepting(case, person.id)
        case = on_paper(case, person, _recorded(case, self.wording, facts))
        changed = [line for line in standing(case) if line not in before]
        return Done(case, "\n".join([f"On record (“{self.wording}”):", *changed]), closed_by(unasked, case))


@frozen
class RecordRefusal:
    """That somebody's words go over no network any more, as they said by telephone, or on paper."""

    name: str
    wording: str

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """On record, with who says so. What they accepted of the agreement stays as it is."""
        person = case.named(self.name)
        if person is None:
            return no_such_person(case, self.name)
        taken = taken_back(case, person, _recorded(case, self.wording, facts), facts)
        if taken is None:
            why = f"There is no network to which {person.name} has not said no already"
            return Refused(why, "!agreement shows what each has answered")
        after, effects = taken
        about = [line for line in standing(after) if line not in standing(case)]
        later = f"!agreement accepted {self.name}: by telephone takes it back."
        return Done(after, "\n".join([f"On record (“{self.wording}”):", *about, later]), effects)


def _recorded(case: Case, wording: str, facts: Facts) -> Consent:
    by = case.person(facts.by) if facts.by else None
    return Consent(by.name if by else "the organisation", facts.at, wording)


def standing(case: Case) -> list[str]:
    """Who has accepted, and who has not."""
    lines: list[str] = []
    for person in case.people:
        accepted, ways = case.accepted(person.id), ways_standing(case, person)
        if accepted:
            lines.append(f"– {case.channel_name(person)}: accepted on {moment(accepted.at, case.zone)}, {accepted.how}")
        elif case.agreement and not case.is_staff(person.id):
            asked = any(isinstance(a.act, Accepting) and a.asked == person.id for a in case.asks)
            lines.append(
                f"– {case.channel_name(person)}: {'asked, not answered yet' if asked else _not_asked(case, person)}"
            )
        lines += [f"– {case.channel_name(person)}: {ways}"] if ways and may_join(case, person.id) else []
    return lines


def _not_asked(case: Case, person: Person) -> str:
    if caucuses_of(case, person.id):
        return "NOT ACCEPTED: !agreement send asks again"
    name = case.channel_name(person)
    return f"NOT ACCEPTED, and has no private room to be asked in: !agreement accepted {name}: on paper, 3 May 2026"


def asked_to_accept(case: Case, people: list[Person], facts: Facts) -> tuple[Case, tuple[Effect, ...]]:
    """The agreement is put to each of these, in their own private room; who has none is told on paper."""
    now = case.agreement
    effects: list[Effect] = []
    for person in people:
        for where in caucuses_of(case, person.id)[:1] if now else ():
            assert now is not None
            case = without_accepting(case, person.id)
            act = Accepting(ways_for(case, person.id, where))
            case, ask, alarm = put(case, act, person.id, where, facts, lasts=ACCEPTANCE_LASTS)
            effects += [_question(case, person, ask, now), alarm]
    return case, tuple(effects)


def without_accepting(case: Case, person: PersonId) -> Case:
    """The case in which nobody waits for that person's answer to the agreement, or to the networks."""
    waits = (a for a in case.asks if not (isinstance(a.act, Accepting | Carrying) and a.asked == person))
    return replace(case, asks=tuple(waits))


def _question(case: Case, person: Person, ask: Ask, agreement: Agreement) -> Pose:
    ways = ask.act.ways if isinstance(ask.act, Accepting) else ()
    return Pose(
        person.id,
        ask.where,
        ask.code,
        phrase(
            "{name}, before the mediation begins: this is the agreement to mediate (version {version}). Do you accept"
            " it?",
            name=person.name,
            version=agreement.version,
        ),
        together([agreement.words, section(case, ways)], by="\n\n"),
        phrase(
            "A yes lets you into the joint room, as soon as there is one. It is kept on record, with these exact words."
        ),
        ask.expires,
        of_the_case=False,
    )


def accepted(case: Case, ask: Ask, proof: Proof, facts: Facts) -> Outcome:
    """The asked person said yes."""
    person, now = case.person(ask.asked), case.agreement
    if person is None or now is None:
        raise LookupError("an agreement that isn't there was accepted")
    before = case = _with(case, Acceptance(person.id, now.sha256, facts.at, how(proof), now.version))
    ways = ask.act.ways if isinstance(ask.act, Accepting) else ()
    case = noted(case, WayAnswer(person.id, ways, facts.at, how(proof)))
    told = phrase(
        "{name}, your yes to the agreement to mediate (version {version}) is on record since {time}. Your copy stands"
        " above. SHA-256 of its words: {sha256}",
        name=person.name,
        version=now.version,
        time=when(facts.at, case.zone_of(person.id)),
        sha256=now.sha256,
    )
    return Done(
        case,
        f"{person.name} accepted the agreement to mediate, {how(proof)}.",
        (Inform(person.id, ask.where, told), *closed_by(before, case)),
    )


def on_paper(case: Case, person: Person, given: Consent) -> Case:
    """The case in which somebody has accepted what was shown on paper: the agreement, where there is one, and the
    networks over which words go now."""
    now = case.agreement
    said = on_record(given)
    case = without_accepting(case, person.id)
    case = noted(case, WayAnswer(person.id, ways_for(case, person.id), given.on, said))
    if now is None or case.accepted(person.id):
        return case
    return _with(case, Acceptance(person.id, now.sha256, given.on, said, now.version))


def adopted(case: Case, text: str, confidentiality: Confidentiality, facts: Facts) -> Outcome:
    """The new version counts from now on, and everyone is asked."""
    version = case.agreement.version + 1 if case.agreement else 1
    agreement = Agreement(version, text, confidentiality)
    void = tuple(a for a in case.asks if not isinstance(a.act, Accepting | Carrying))
    case = replace(case, agreements=(*case.agreements, agreement), asks=void)
    everyone = [p for p in case.people if not case.is_staff(p.id)]
    case, effects = asked_to_accept(case, everyone, facts)
    return Done(
        case, "\n".join([f"Version {version} ({confidentiality}) counts from now on.", *standing(case)]), effects
    )


def _with(case: Case, acceptance: Acceptance) -> Case:
    return replace(case, acceptances=(*case.acceptances, acceptance))


AgreementCommand = ShowAgreement | SendAgreement | RenewAgreement | RecordAcceptance | RecordRefusal


def _read(words: list[str]) -> AgreementCommand | str:
    match [word.lower() for word in words[:2]]:
        case []:
            return ShowAgreement()
        case ["send"] if len(words) == 1:
            return SendAgreement()
        case ["new"] if len(words) == 1:
            return RenewAgreement()
        case ["mode", mode] if mode in tuple(Confidentiality) and len(words) == 2:
            return RenewAgreement(Confidentiality(mode))
        case ["mode", *_]:
            return f"The confidentiality is one of {', '.join(Confidentiality)}"
        case ["accepted" | "refused" as said, *_]:
            name, colon, wording = " ".join(words[1:]).partition(":")
            if not colon or not name.strip() or not wording.strip():
                return f"It needs a name, a colon, and how it was {said}, and when"
            record = RecordAcceptance if said == "accepted" else RecordRefusal
            return record(name.strip(), wording.strip())
        case _:
            return "Say nothing more, or send, new, mode, accepted or refused"


FORMS: tuple[Form[AgreementCommand], ...] = (
    Form(
        "agreement",
        "!agreement [send | new | mode MODE | accepted NAME: WORDING | refused NAME: WORDING]",
        "the agreement to mediate and who has accepted it; asks those who have not; takes the organisation's new text,"
        f" or another confidentiality ({', '.join(Confidentiality)}); records what was accepted on paper, or that"
        " somebody's words go over no network any more",
        "!agreement accepted Carl: signed on paper on 3 May",
        _read,
    ),
)
