"""Who may do what with a document, and why: the one place that decides it. The default is no (D2, I6)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from policies.case import JOINT, STAFF, Case, Conversation, Kind, PersonId, Role
from policies.documents.document import Action, Document, Grant, Label, Serving, Version
from policies.frozen import frozen
from policies.people.membership import may_join, readers

_NO_FURTHER: Mapping[Label, str] = MappingProxyType(
    {
        Label.PRIVILEGED: "it is privileged: only its owner, and the parties and counsel of its side, may see it",
        Label.MEDIATORS: "only its owner and the mediators may see it",
        Label.CAUCUS: "only its side and the mediators may see it",
    }
)


@frozen
class Wish:
    """What somebody wants to do with which version of a document, and when."""

    person: PersonId
    action: Action
    version: int
    at: datetime


@frozen
class Allowed:
    """They may. `grant`: by what, if not because it is theirs."""

    why: str
    grant: Grant | None = None


@frozen
class Denied:
    """They may not; `why` is fit to be told to whoever knows of the document."""

    why: str


Verdict = Allowed | Denied


def may(case: Case, document: Document, wish: Wish) -> Verdict:
    """Whether somebody may do that with a version of a document of that case, at that time."""
    found, person = document.version(wish.version), wish.person
    if found is None or document.into:
        return Denied("there is no such version")
    if document.quarantined:
        return Denied("it was refused, and lies locked")
    if not case.roles(person):
        return Denied("they take no part in the case")
    if person in at_home(case, document, found.label):
        return Allowed("it is theirs, or their side's, or they are a mediator")
    if found.label in _NO_FURTHER:
        return Denied(_NO_FURTHER[found.label])
    return _admitted(case, found, person) or _by_grant(case, document, found, wish)


def at_home(case: Case, document: Document, label: Label) -> frozenset[PersonId]:
    """Who may see a document without being granted it, were its label that."""
    owner = frozenset(one for one in case.ids_of(document.owner) if case.roles(one))
    match label:
        case Label.PRIVILEGED:
            return owner | _parties_and_counsel(case, document)
        case Label.MEDIATORS:
            return owner | {p.person for p in case.participations if p.role in STAFF}
        case Label.CAUCUS | Label.CONSENT | Label.JOINT:
            return owner | readers(case, document.home)


def consents(case: Case, document: Document, version: Version, person: PersonId, action: Action) -> bool:
    """Whether its owner agreed to that, for the version of this very hash. A mediator's own need nobody else's yes."""
    if case.is_staff(document.owner):
        return True
    return any(
        consent.sha256 == version.served.sha256
        and case.same_voice(consent.person, person)
        and _covers(consent.action, action)
        for consent in document.consents
    )


def all_may_view(case: Case, document: Document, version: Version, people: frozenset[PersonId], at: datetime) -> bool:
    """Whether a version may be named where these read: all of them may view it."""
    wishes = (Wish(person, Action.VIEW, version.number, at) for person in people)
    return all(isinstance(may(case, document, wish), Allowed) for wish in wishes)


def all_may_download(case: Case, document: Document, version: int, where: Conversation, at: datetime) -> bool:
    """Whether everybody who reads a conversation may download that version; nobody is not everybody."""
    wishes = [Wish(person, Action.DOWNLOAD, version, at) for person in readers(case, where)]
    return bool(wishes) and not any(isinstance(may(case, document, wish), Denied) for wish in wishes)


def served(
    case: Case, document: Document, wish: Wish, how: str, *, sha256: str = "", mark: str = ""
) -> Document | Denied:
    """The document with that written down before it leaves, and the opening counted; or why it may not leave."""
    verdict = may(case, document, wish)
    if isinstance(verdict, Denied):
        return verdict
    used = verdict.grant
    grants = tuple(replace(g, opened=g.opened + 1) if g is used else g for g in document.grants)
    serving = Serving(wish.version, wish.person, wish.action, wish.at, how, sha256=sha256, mark=mark)
    return replace(document, grants=grants, servings=(*document.servings, serving))


def relabelled(document: Document, number: int, label: Label, at: datetime) -> Document:
    """The document with another label on a version. What a stricter one forbids is taken back for good, so that it does
    not come back with the label."""
    version = document.version(number)
    if version is None:
        raise LookupError("a version that isn't there gets a label")
    document = document.with_version(replace(version, label=label))
    return revoked(document, number, None, at) if label in _NO_FURTHER else document


def revoked(document: Document, number: int, people: frozenset[PersonId] | None, at: datetime) -> Document:
    """The document with the grants of these people, or of everybody, for a version taken back; their consents, too."""
    version = document.version(number)
    gone = tuple(
        replace(grant, revoked=at)
        if grant.version == number and grant.revoked is None and (people is None or grant.person in people)
        else grant
        for grant in document.grants
    )
    kept = tuple(
        consent
        for consent in document.consents
        if version is None
        or consent.sha256 != version.served.sha256
        or (people is not None and consent.person not in people)
    )
    return replace(document, grants=gone, consents=kept)


def _parties_and_counsel(case: Case, document: Document) -> frozenset[PersonId]:
    if document.home.kind is not Kind.CAUCUS:
        return frozenset()
    return frozenset(
        p.person
        for p in case.participations
        if p.role in {Role.PARTY, Role.COUNSEL} and p.side == document.home.side and not case.is_staff(p.person)
    )


def _admitted(case: Case, version: Version, person: PersonId) -> Denied | None:
    """Why somebody can't be given anything of another side's now, whatever was granted."""
    if case.has_withdrawn(person):
        return Denied("they withdrew from the mediation")
    if not may_join(case, person):
        return Denied("they have not accepted the agreement to mediate")
    if version.label is Label.JOINT and person not in readers(case, JOINT):
        return Denied("they don't read the joint room")
    return None


def _by_grant(case: Case, document: Document, version: Version, wish: Wish) -> Verdict:
    theirs = [g for g in document.grants if g.version == version.number and case.same_voice(g.person, wish.person)]
    fitting = [g for g in theirs if g.counts(wish.at) and _covers(g.action, wish.action)]
    if fitting and consents(case, document, version, wish.person, wish.action):
        return Allowed("it was granted, and its owner agreed", max(fitting, key=_width))
    if fitting:
        return Denied("its owner has not agreed")
    if any(g.revoked for g in theirs):
        return Denied("the grant was taken back")
    if any(g.counts(wish.at) for g in theirs):
        return Denied(f"it was granted, but not to {wish.action}")
    return Denied("the grant is over" if theirs else "it was not granted to them")


def _width(grant: Grant) -> tuple[bool, bool, float]:
    """Of several that hold, the one that ends last is used: one that ends by use is neither used up beside one that
    does not, nor narrows it."""
    return grant.most is None, grant.expires is None, grant.expires.timestamp() if grant.expires else 0.0


def _covers(given: Action, wanted: Action) -> bool:
    return given is wanted or given is Action.DOWNLOAD
