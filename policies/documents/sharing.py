"""What a release of a document brings about: grants, with its owner's consent, for those whom it was released to."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from policies.case import JOINT, Case, Conversation, Network, Person, PersonId
from policies.documents.carrying import Hand
from policies.documents.document import Action, Consent, Document, Grant, Label, Version, is_stricter
from policies.documents.rights import Wish, all_may_download, at_home, served
from policies.effects import Effect, Inform
from policies.networks.delivery import by_link
from policies.people.membership import bridged_readers, caucuses_of, readers
from policies.releases.publishing import publications
from policies.releases.release import Release, Share, heading_of
from policies.schedule import Due, Schedule, due_key
from policies.status import one_reader, reader_names
from policies.words.phrase import Phrase, phrase, together
from policies.words.text import marked, moment

BY_MEDIATOR = "a mediator’s own"


def audience_of(case: Case, release: Release) -> frozenset[PersonId]:
    """Who will see what is released; nobody, if it can't be released any more."""
    everybody = readers(case, release.to)
    share = release.share
    if share is None:
        return everybody
    found = shared_version(case, share)
    if found is None or no_way_out(case, *found):
        return frozenset()
    return frozenset(one for one in everybody if share.to is None or case.same_voice(one, share.to))


def audience_names(case: Case, release: Release) -> Phrase:
    """The same by name."""
    if release.share and release.share.to:
        person = case.living(release.share.to)
        return one_reader(case, person, frozenset({person.id})) if person else phrase("nobody")
    return reader_names(case, release.to)


def _shown_over(case: Case, release: Release, voice: PersonId) -> Network | None:
    """By which network its owner saw somebody take part, in `audience_names`: of two that both read, the first."""
    if release.share and release.share.to:
        shown = case.living(release.share.to)
    else:
        there = readers(case, release.to)
        shown = next((leg for leg in case.legs_of(voice) if leg.id in there), None)
    return shown.endpoint.network if shown else None


def posts_of(case: Case, release: Release) -> tuple[Effect, ...]:
    """What stands where it was released to; what is for one person there, that person alone is told."""
    title = heading_of(release, case.name_of(release.author))
    share = release.share
    if share and share.to:
        # Without its name: others may read that room, who may not see the document.
        which = f"{share.document}.{share.version}\n{terms(share)}"
        text = together([title, *marked(which)], by="\n")
        there = [leg for leg in case.legs_of(share.to) if leg.id in readers(case, release.to)]
        return tuple(
            Inform(leg.id, release.to, together([text, _copy(share) if _chats(leg) else ""], by="\n"), page=True)
            for leg in there
        )
    return (*publications(case, release, title), *(_links(case, release, share) if share else ()))


def _chats(person: Person) -> bool:
    return person.endpoint.network is Network.WHATSAPP


def _links(case: Case, release: Release, share: Share) -> tuple[Effect, ...]:
    """A link for whoever gets the words of the card by mail or WhatsApp: the document itself is on the page."""
    text = phrase("{number} is on your page, under “Your documents”.", number=f"{share.document}.{share.version}")
    away = bridged_readers(case, release.to)
    by_words = [
        p
        for p in away
        if p.endpoint.network is Network.EMAIL and not by_link(p) and not case.same_voice(p.id, release.author)
    ]
    links = tuple(Inform(person.id, release.to, text, page=True) for person in by_words)
    copy, chats = _copy(share), [p for p in away if _chats(p) and not case.same_voice(p.id, release.author)]
    there = together([text, copy], by="\n")
    return (*links, *(Inform(person.id, _alone(case, person.id, release.to), there, page=True) for person in chats))


def _alone(case: Case, person: PersonId, otherwise: Conversation) -> Conversation:
    """Where somebody is given what is theirs alone: nobody should believe that all have that link."""
    own = caucuses_of(case, person)
    return own[0] if len(own) == 1 else otherwise


def _copy(share: Share) -> Phrase | str:
    """How whoever was told of it by WhatsApp gets it itself. What may be opened so often is not sent (`enclosing`)."""
    if share.action is not Action.DOWNLOAD or share.most is not None:
        return ""
    number = f"{share.document}.{share.version}"
    return phrase("Write !doc send {number} in private, and you are sent a copy of your own.", number=number)


def shared_version(case: Case, share: Share) -> tuple[Document, Version] | None:
    """The document and the version that are shared, if they are still what they were."""
    document = case.document(share.document)
    version = document.version(share.version) if document and not document.into else None
    same = version is not None and version.served.sha256 == share.sha256
    return (document, version) if document and version and same else None


def no_way_out(case: Case, document: Document, version: Version) -> Phrase | None:
    """Why a version can't be given to anybody beyond its side, whoever agreed; None if it can."""
    if version.label is Label.PRIVILEGED:
        return phrase("it is privileged")
    if version.label is Label.MEDIATORS and not case.is_staff(document.owner):
        return phrase("its owner meant it for the mediators alone")
    return None


def terms(share: Share) -> str:
    """What may be done with it, until when, how often."""
    until = f", until {moment(share.expires)}" if share.expires else ""
    most = f", at most {share.most} time{'' if share.most == 1 else 's'}" if share.most else ""
    return f"To {share.action}{until}{most}. SHA-256: {share.sha256}"


def shared(case: Case, release: Release, share: Share, at: datetime) -> tuple[Case, tuple[Effect, ...]]:
    """The case with the grants, and the file itself where all who read there may have it. Its owner's yes widens the
    label; nothing else does."""
    found = shared_version(case, share)
    if found is None:
        raise LookupError("a document that isn't there was released")
    document, version = found
    # One for each human being, whichever channels are theirs: so often may they open it, by all together.
    people = sorted({case.voice(one) for one in audience_of(case, release) - at_home(case, document, version.label)})
    how = release.agreed.how if release.agreed else BY_MEDIATOR
    by = release.by or document.owner
    label = Label.JOINT if release.to == JOINT and share.to is None else Label.CONSENT
    if is_stricter(version.label, label):
        document = document.with_version(replace(version, label=label))
    grants = (Grant(version.number, one, share.action, by, at, share.expires, share.most) for one in people)
    yeses = (Consent(share.sha256, one, share.action, at, how, _shown_over(case, release, one)) for one in people)
    document = replace(document, grants=(*document.grants, *grants), consents=(*document.consents, *yeses))
    alarm = (Schedule(share.expires, due_key(Due.DOCUMENT, document.id)),) if share.expires else ()
    case = case.with_document(document)
    # In a room anybody may open it as often as they like.
    case, handed = (case, ()) if share.to or share.most else posted(case, share, release.to, at)
    return case, (*alarm, *handed)


def posted(case: Case, share: Share, where: Conversation, at: datetime) -> tuple[Case, tuple[Effect, ...]]:
    """The file itself into a room, on record before it leaves; nothing, if somebody there may not have it. Those who
    read that room by another network get nothing of it, so they were not served."""
    found = shared_version(case, share)
    if found is None or not all_may_download(case, found[0], share.version, where, at):
        return case, ()
    document, _ = found
    away = {person.id for person in bridged_readers(case, where)}
    for person in sorted(readers(case, where) - away):
        wish = Wish(person, Action.DOWNLOAD, share.version, at)
        after = served(case, document, wish, f"posted in {where.id}", sha256=share.sha256)
        document = after if isinstance(after, Document) else document
    return case.with_document(document), (Hand(document.id, share.version, share.sha256, where),)
