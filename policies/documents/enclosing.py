"""Who may be sent a document itself, over a channel outside Matrix: a copy of their own, by grant and consent (D5).

By default they get a card, and a link to the page. What is sent can't be taken back, so it goes only by somebody's word
for this one person, to a channel on which they agreed to get words, and never what was not examined.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from policies.case import JOINT, Case, Network, Person, PersonId
from policies.documents.carrying import Enclose
from policies.documents.document import Action, Document, Version
from policies.documents.files import Kind
from policies.documents.recipient import Way
from policies.documents.rights import Allowed, Denied, Wish, all_may_view, may
from policies.networks.capabilities import CAPABILITIES
from policies.networks.delivery import Cancel, Go, Verdict, by_link
from policies.networks.way import CARRIED_BY
from policies.people.membership import seated
from policies.people.ways import carries
from policies.words.phrase import Phrase, phrase

WAYS: Mapping[Network, Way] = MappingProxyType({Network.EMAIL: Way.MAIL, Network.WHATSAPP: Way.WHATSAPP})
"""The networks that can carry a document."""


def may_enclose(case: Case, enclose: Enclose, at: datetime) -> Verdict:
    """Whether a version may still be sent to that person; asked again right before it leaves."""
    document, person = case.document(enclose.document), case.person(enclose.to)
    version = document.version(enclose.version) if document else None
    if document is None or version is None or version.served.sha256 != enclose.sha256:
        return Cancel("it is not the document that it was")
    if person is None:
        return Cancel("whom it is for takes no part in the case")
    wish = Wish(person.id, Action.DOWNLOAD, version.number, at)
    access = may(case, document, wish)
    if isinstance(access, Denied):
        return Cancel("they may not download it")
    why = endless(access) or not_carried(case, document, version, person) or not_enclosed(document, version, person)
    return Cancel(str(why)) if why else Go()


def endless(access: Allowed) -> Phrase | None:
    """Why what they were granted gives no copy that stays with them; None: it does."""
    if access.grant and access.grant.most is not None:
        return phrase("it was granted for so many openings, and a copy has no such end")
    return None


def not_carried(case: Case, document: Document, version: Version, person: Person) -> Phrase | None:
    """Why a copy doesn't go over their network by its owner's will; None: it may. Their own yes to this document for
    this person was given with that network before their eyes; else it goes where their words go (B2)."""
    network = person.endpoint.network
    of_this = (c for c in document.consents if c.sha256 == version.served.sha256)
    given = (c for c in of_this if case.same_voice(c.person, person.id))
    where = document.home if person.id in seated(case, document.home) else JOINT
    if carries(case, document.owner, where, person.id) or any(c.over is network for c in given):
        return None
    return phrase("its owner has not agreed that it goes {way}", way=CARRIED_BY[network])


def may_be_named_to(
    case: Case, document: Document, version: Version, people: frozenset[PersonId], at: datetime
) -> bool:
    """Whether a version may be named where these read: all may view it, and its name, which is its owner's word, goes
    where their words go. In a room that several read it stands in Matrix; who is told alone may be told elsewhere."""
    alone = case.person(next(iter(people))) if len(people) == 1 else None
    away = alone is not None and not_carried(case, document, version, alone)
    return not away and all_may_view(case, document, version, people, at)


def not_enclosed(document: Document, version: Version, person: Person) -> Phrase | None:
    """Why somebody who may download a version is not sent it; None: they can be."""
    if person.endpoint.network not in WAYS:
        return phrase("their channel does not carry documents")
    if not person.endpoint.is_confirmed:
        return phrase("they have not confirmed their address yet")
    if person.endpoint.content_consent is None:
        return phrase("they have agreed to links alone")
    if by_link(person):
        return phrase("what is mailed to them may tell nothing")
    if version.kind is Kind.OTHER or document.quarantined:
        return phrase("it was not examined")
    most = CAPABILITIES[person.endpoint.network].files.get(version.kind)
    if most is None:
        return phrase("their channel carries no documents of that kind")
    if version.served.size > most:
        return phrase("it has more than {most} MB", most=most // 1_000_000)
    return None
