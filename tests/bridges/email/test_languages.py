"""The fixed texts of mails are whole in every language, and answers to them are read like any other."""

from collections import Counter
from email.message import EmailMessage

import pytest
from jinja2 import Environment, PackageLoader, meta

from bridges.email.convert_in import read_mail
from bridges.email.convert_out import (
    Content,
    Correction,
    Explanation,
    FileShared,
    Invitation,
    Letter,
    LinkKind,
    LinkLetter,
    MailRoom,
    Post,
    Released,
    Removed,
    render,
    render_link,
)
from bridges.email.incoming import Clean
from bridges.email.phrases import PHRASES
from bridges.email.reply import read_reply
from policies.case import Kind
from policies.words.language import Language, language_of
from tests.bridges.email.builders import (
    ADDRESS,
    CARL,
    CLIENTS,
    HTML_CLIENTS,
    ROOM,
    html_mail,
    html_of,
    letter,
    mail,
    parsed,
    plain_of,
    text_of,
)

CONTENTS: tuple[Content, ...] = (
    Post("Mia", "one"),
    Correction("Mia", "one"),
    Explanation("one"),
    FileShared("Mia", "one"),
    FileShared("Mia"),
    Invitation("Town Mediation", "Mia", "+1 555 0100", "Carl"),
    Released("Mia says", "one"),
    Removed(),
)
_SOURCES = Environment(loader=PackageLoader("bridges.email"), autoescape=True)


def in_language(content: Content, language: Language, kind: Kind = Kind.CAUCUS) -> Letter:
    made = letter(content, room=MailRoom(ROOM.name, kind))
    return Letter(
        made.content,
        made.room,
        made.reply_address,
        made.bounce_address,
        CARL,
        made.message_id,
        made.at,
        language=language,
    )


def link(kind: LinkKind, language: Language) -> LinkLetter:
    made = letter(Removed())
    return LinkLetter(
        "Town Mediation", "+1 555 0100", "https://x.example/p/1", "https://x.example/p/1/pause", kind,
        "noreply@reply.example.org", made.bounce_address, CARL, made.message_id, made.at, language,
    )  # fmt: skip


def test_every_language_has_every_text_and_each_says_the_same_things() -> None:
    names = {language: Counter[str]() for language in Language}
    for template in _SOURCES.list_templates():
        folder, _, name = template.rpartition("/")
        if folder:
            names[Language(folder)][name] += 1
    assert len({frozenset(found) for found in names.values()}) == 1
    assert set(PHRASES) == set(Language)
    for name in names[Language.ENGLISH]:
        said = {language: _variables(f"{language}/{name}") for language in Language}
        assert len(set(said.values())) == 1, (name, said)


def _variables(template: str) -> frozenset[str]:
    assert _SOURCES.loader is not None
    source, _, _ = _SOURCES.loader.get_source(_SOURCES, template)
    return frozenset(meta.find_undeclared_variables(_SOURCES.parse(source)))


@pytest.mark.parametrize("language", Language)
def test_each_language_has_words_of_its_own(language: Language) -> None:
    texts = {text_of(in_language(content, language)) for content in CONTENTS}
    texts |= {plain_of(parsed(render_link(link(kind, language)).raw)) for kind in LinkKind}
    assert len(texts) == len(CONTENTS) + len(LinkKind)
    others = [one for one in Language if one is not language]
    for other in others:
        assert not texts & {text_of(in_language(content, other)) for content in CONTENTS}
    assert f'lang="{language}"' in html_of(in_language(CONTENTS[0], language))
    for kind in LinkKind:
        page = parsed(render_link(link(kind, language)).raw).get_body(("html",))
        assert isinstance(page, EmailMessage)
        assert f'lang="{language}"' in page.get_content()


@pytest.mark.parametrize("language", Language)
def test_who_reads_it_stands_in_every_mail_of_every_language(language: Language) -> None:
    private, joint = (
        text_of(in_language(Post("Mia", "one"), language, kind)).split(ROOM.name)[1]
        for kind in (Kind.CAUCUS, Kind.JOINT)
    )
    assert private.strip().split("\n")[0] != joint.strip().split("\n")[0]


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("client", CLIENTS)
def test_an_answer_to_a_mail_in_any_language_is_read(language: Language, client: str) -> None:
    for content in CONTENTS:
        ours = text_of(in_language(content, language))
        found = read_reply(read_mail(mail(CLIENTS[client]("Yes.", ours)), null_sender=False), ADDRESS, ROOM.name)
        assert found == Clean("Yes.")


@pytest.mark.parametrize("language", Language)
@pytest.mark.parametrize("client", HTML_CLIENTS)
def test_an_html_answer_to_a_mail_in_any_language_is_read(language: Language, client: str) -> None:
    for content in CONTENTS:
        source = HTML_CLIENTS[client]("Yes.", html_of(in_language(content, language)))
        found = read_reply(read_mail(html_mail(source), null_sender=False), ADDRESS, ROOM.name)
        assert found == Clean("Yes.")


@pytest.mark.parametrize("language", Language)
def test_no_fixed_line_is_too_long_for_a_mail(language: Language) -> None:
    for content in CONTENTS:
        lines = text_of(in_language(content, language)).split("\n")
        assert max(len(line) for line in lines if "@" not in line) <= 76
    assert render(in_language(CONTENTS[0], language)).raw.isascii()


def test_a_language_is_known_by_its_code_or_its_name() -> None:
    assert [language_of(text) for text in ("DE", " german", "fr", "Spanish")] == [
        Language.GERMAN, Language.GERMAN, Language.FRENCH, Language.SPANISH,
    ]  # fmt: skip
    assert language_of("xx") is None
