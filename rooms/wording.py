"""The service's own words, in the language of whoever reads them: once, as they are stored to be sent (B6)."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar, cast

from catalogue import said
from policies.case import Case
from policies.effects import Announce, Confide, Explain, Inform, Pose, Publish, WriteToStranger
from policies.people.membership import language_in, language_to
from policies.questions.poll import Ballot
from policies.words.language import Language
from policies.words.phrase import Phrase, verbatim

E = TypeVar("E")


def worded(case: Case, effect: E) -> E:
    """What follows, with its phrases said; anything else as it is."""
    return cast(E, _worded(case, effect))


def balloted(ballot: Ballot, language: Language) -> Ballot:
    """A poll in that language."""
    return replace(
        ballot,
        question=_said(ballot.question, language),
        yes=_said(ballot.yes, language),
        no=_said(ballot.no, language),
    )


def _worded(case: Case, effect: object) -> object:
    match effect:
        case Announce(conversation, text):
            return replace(effect, text=_said(text, language_in(case, conversation)))
        case Explain(person, conversation, text) | Inform(person, conversation, text):
            return replace(effect, text=_said(text, language_to(case, person, conversation)))
        case Confide(to, text=text):
            return replace(effect, text=_said(text, case.language_of(to)))
        case Publish(conversation=conversation, heading=heading, to=to):
            language = language_to(case, to, conversation) if to else language_in(case, conversation)
            return replace(effect, heading=_said(heading, language))
        case WriteToStranger(text=text):
            return replace(effect, text=said(text, case.language))
        case Pose(to, conversation):
            return _posed(effect, language_to(case, to, conversation))
        case _:
            return effect


def _posed(pose: Pose, language: Language) -> Pose:
    labels = replace(
        pose.labels,
        yes=_said(pose.labels.yes, language),
        no=_said(pose.labels.no, language),
        silence=_said(pose.labels.silence, language),
    )
    return replace(
        pose,
        title=_said(pose.title, language),
        words=said(pose.words, language),
        then=_said(pose.then, language),
        labels=labels,
    )


def _said(phrase: Phrase, language: Language) -> Phrase:
    return verbatim(said(phrase, language))
