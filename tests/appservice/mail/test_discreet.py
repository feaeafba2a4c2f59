"""A mail to whoever wants that: a link, and nothing that tells what it is about, who we are, or who wrote."""

import re
from dataclasses import replace
from email.message import EmailMessage

import pytest

from appservice.mail import courier
from appservice.mail.courier import Discreetly, MailCourier
from bridges.email.api import MailServer, Security
from policies.case import JOINT, Case
from policies.effects import AskWhose, Inform
from policies.message import Content, Text
from policies.words.language import Language
from policies.words.phrase import phrase
from tests.appservice.mail.test_courier_and_reader import CARL, CASE, OWN, SENDER, Desk
from tests.bridges.email.builders import parsed
from tests.policies.builders import done

TELLING = (
    *("Town", "Mediation", "555", "1042", "Alice", "Mia", "Smith", "Jones", "Carl ", "PRIVATE", "EVERYONE", "secret"),
    *("mediat", "PIN", "médiat", "mediac", "room", "Raum"),
)
ADDRESSES = ("mediation.example.org", "carl@example.net")
"""Which can't be kept, where no others are set up: that is said."""
SAYS: tuple[Content | AskWhose | Inform | None, ...] = (
    Text("a secret"),
    None,
    AskWhose(CARL.id, OWN),
    Inform(CARL.id, OWN, phrase("You asked for a link to your page."), page=True),
)


@pytest.fixture
async def desk(monkeypatch: pytest.MonkeyPatch) -> Desk:
    desk = Desk()
    monkeypatch.setattr(courier, "send", desk.post_office.send)
    return desk


async def mailed(desk: Desk, case: Case, content: Content | AskWhose | Inform | None) -> EmailMessage:
    """The mail that Carl gets for that."""
    async with desk.database.begin() as work:
        await work.cases.save(case)
    await desk.carry(content, JOINT if isinstance(content, Text) else OWN, "i1", case)
    (mail,) = desk.post_office.taken
    return parsed(mail.raw)


def shown(mail: EmailMessage) -> str:
    """All that a mail program, or a locked screen, shows of it."""
    parts = [part for kind in ("plain", "html") if isinstance(part := mail.get_body((kind,)), EmailMessage)]
    assert len(parts) == 2
    text = "\n".join([str(mail["From"]), str(mail["Subject"]), *(part.get_content() for part in parts)])
    text = re.sub(r"/p/[\w-]+", "/p/", text)  # at random, and it tells nothing
    for address in ADDRESSES:
        text = text.replace(address, "")
    return text


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("content", SAYS)
async def test_it_tells_nothing_in_any_language(
    desk: Desk, content: Content | AskWhose | Inform | None, language: Language
) -> None:
    case = done(done(CASE, f"!language Carl {language}").case, "!discreet Carl on").case
    text = shown(await mailed(desk, case, content))
    assert [word for word in TELLING if word.lower() in text.lower()] == []
    assert "/p/" in text


async def test_without_it_words_and_who_we_are_stand_there(desk: Desk) -> None:
    text = shown(await mailed(desk, CASE, Text("a secret")))
    assert {"Alice", "secret", "1042"} <= {word for word in TELLING if word in text}


async def test_what_the_organisation_chose_stands_there_instead(desk: Desk) -> None:
    chosen = Discreetly("Anna", "Recipes", "anna@letters.example", "https://letters.example")
    server = MailServer("127.0.0.1", 25, Security.NONE)
    desk.courier = MailCourier(desk.database, server, replace(SENDER, discreet=chosen))
    mail = await mailed(desk, done(CASE, "!discreet Carl on").case, Text("a secret"))
    assert (mail["From"], mail["Subject"]) == ("Anna <anna@letters.example>", "Recipes")
    assert "https://letters.example/p/" in shown(mail)
    assert "mediation" not in shown(mail)
