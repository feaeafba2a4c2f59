"""People's channels: the consent to words by mail, their language, and encryption identities."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from policies import effects
from policies.case import Case, Consent, Network, Person
from policies.commands.form import Form
from policies.effects import Explain, Inform, Resume
from policies.frozen import frozen
from policies.networks.delivery import channel_key
from policies.networks.way import CARRIED_BY
from policies.networks.whatsapp import account_confirmed, account_text
from policies.outcome import Done, Facts, Outcome, Refused, no_such_person
from policies.people.identity import IDENTITY_CONFIRMED, Unconfirmable, identity_text, to_confirm
from policies.people.joining import first_words
from policies.people.membership import caucuses_of
from policies.words.language import Language, language_of
from policies.words.phrase import phrase


@frozen
class RecordConsent:
    """That a person agreed to have the words themselves sent by mail."""

    name: str
    wording: str

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """On record; what waited for it goes on."""
        person = case.named(self.name)
        if person is None:
            return no_such_person(case, self.name)
        if person.endpoint.network is Network.MATRIX:
            return Refused(
                f"{person.name} reads in Matrix, end-to-end encrypted; no consent is needed", "!status shows all"
            )
        carried = CARRIED_BY[person.endpoint.network]
        by = case.person(facts.by) if facts.by else None
        consent = Consent(by.name if by else "the organisation", facts.at, self.wording)
        endpoint = replace(person.endpoint, content_consent=consent)
        after = replace(person, endpoint=endpoint)
        agreed = case.with_person(after)
        return Done(
            agreed,
            f"On record: {person.name} agreed to have the words themselves sent {carried} (“{self.wording}”)."
            f"{_unconfirmed(person)}",
            (
                Resume(channel_key(case, endpoint.id)),
                *first_words(person, agreed),
            ),
        )


@frozen
class SetLanguage:
    """In which language somebody is written to. No name: at the desk all who have none of their own, and the joint
    room; a party itself."""

    name: str | None
    language: Language

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """From the next message on. What people write is never translated."""
        by = case.person(facts.by) if facts.by else None
        party = by if by and not case.is_staff(by.id) else None
        tongue = self.language.in_words
        if self.name is None and party is None:
            text = f"The service speaks {tongue} to all who have no other language of their own, and in the joint room."
            return Done(replace(case, language=self.language), f"{text} This desk stays English.")
        if party and self.name and self.name.casefold() != party.name.casefold():
            return Refused(phrase("You can set your own language alone"), "!language de")
        person = party or case.voice_named(self.name or "")
        if person is None:
            return no_such_person(case, self.name or "")
        if case.is_staff(person.id):
            return Refused("Mediators are written to in English", "!language Carl de is for a party")
        legs = case.legs_of(person.id)
        after = case.with_people(*(replace(leg, language=self.language) for leg in legs))
        own = (Inform(leg.id, where, WRITTEN_TO) for leg in legs for where in caucuses_of(case, leg.id)[:1])
        answer = f"{person.name} is written to in {tongue} from now on; what people write is not translated."
        return Done(after, answer, tuple(own))


@frozen
class ShowIdentity:
    """Show what is known of a person's encryption identity."""

    name: str

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Changes nothing."""
        person = case.named(self.name)
        if person is None:
            return no_such_person(case, self.name)
        if person.endpoint.network is Network.WHATSAPP:
            return Done(case, account_text(person))
        return Done(case, identity_text(person.name, facts.identities.get(person.id), case.zone))


@frozen
class ConfirmIdentity:
    """The person's new encryption identity is the one whose fingerprint begins so, and really theirs."""

    name: str
    fingerprint: str

    def perform(self, case: Case, facts: Facts) -> Outcome:
        """Believed from now on, if it is the one there is; nobody confirms themselves."""
        person = case.named(self.name)
        if person is None:
            return no_such_person(case, self.name)
        if person.id == facts.by:
            return Refused("Nobody confirms themselves", "Another mediator does, or your administrator")
        if person.endpoint.network is Network.WHATSAPP:
            return account_confirmed(case, person, self.fingerprint, facts)
        key = to_confirm(facts.identities.get(person.id), self.fingerprint)
        if isinstance(key, Unconfirmable):
            return Refused(key.why, f"!identity {person.name} shows what is known")
        told = tuple(Explain(person.id, c, IDENTITY_CONFIRMED) for c in caucuses_of(case, person.id)[:1])
        answer = f"The new identity of {person.name} is confirmed, and what waited for it goes on."
        return Done(case, answer, (effects.ConfirmIdentity(person.id, key), *told))


def _unconfirmed(person: Person) -> str:
    """What is missing yet, where nobody has shown whose mailbox it is."""
    if person.endpoint.is_confirmed:
        return ""
    return (
        f" Until {person.name} has confirmed that {person.endpoint.address} is theirs, behind the link that went there,"
        " words neither go there nor are believed from there; whether they want words by mail they say there"
        f" themselves, and that counts instead of this. Tell {person.name} the PIN for it by telephone:"
        f" !mail pin {person.name}"
    )


def _consent(words: list[str]) -> RecordConsent | str:
    name, colon, wording = " ".join(words).partition(":")
    if not colon or not name.strip() or not wording.strip():
        return "It needs a name, a colon, and what was agreed, when and how"
    return RecordConsent(name.strip(), wording.strip())


def _language(words: list[str]) -> SetLanguage | str:
    language = language_of(words[-1]) if words else None
    if language is None:
        known = ", ".join(f"{one} ({one.in_words})" for one in Language)
        return phrase("It is one of these: {languages}", languages=known)
    return SetLanguage(" ".join(words[:-1]) or None, language)


def _confirm(words: list[str]) -> ConfirmIdentity | str:
    name, _, fingerprint = " ".join(words).partition(":")
    if not name.strip() or not fingerprint.strip():
        return "It needs a name, a colon, and the fingerprint that !identity shows"
    return ConfirmIdentity(name.strip(), fingerprint.strip())


WRITTEN_TO: Final = phrase("The service writes to you in English from now on. What people write is not translated.")

ChannelCommand = RecordConsent | SetLanguage | ShowIdentity | ConfirmIdentity

FORMS: tuple[Form[ChannelCommand], ...] = (
    Form(
        "consent",
        "!consent NAME: WORDING",
        "records that somebody agreed to have the words themselves sent by mail or WhatsApp",
        "!consent Carl: agreed by telephone to read the case by mail",
        _consent,
        mediators=True,
    ),
    Form(
        "language",
        "!language [NAME] en|de|es|fr",
        phrase("in which language the service writes to somebody, or to all. A party sets its own"),
        "!language Carl de",
        _language,
        party=True,
    ),
    Form(
        "identity",
        "!identity NAME",
        "what is known of somebody's encryption identity, or account on WhatsApp",
        "!identity Alice",
        lambda words: ShowIdentity(" ".join(words)) if words else "A name is missing",
        triage=True,
        mediators=True,
    ),
    Form(
        "confirm",
        "!confirm NAME: FINGERPRINT",
        "believes in somebody's new encryption identity or account, after you made sure that it is theirs",
        "!confirm Alice: AbCd EfGh IjKl",
        _confirm,
        mediators=True,
    ),
)
