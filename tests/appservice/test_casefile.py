"""A case file says who is in a case, and is refused where that is not clear."""

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from appservice import casefile
from appservice.provisioning import case_command
from appservice.setup.mistakes import ConfigError, Mistake
from policies.acts import create
from policies.case import Case, CaseId, Network, Role
from policies.commands.opening import NewCase
from policies.commands.people import AddPerson
from policies.commands.second import AddChannel
from policies.outcome import Done
from tests.policies.builders import facts

TEXT = """\
title: Smith and Jones
mediators: ["@mira:example.org"]
open: true
sides:
  - name: Smith
    people:
      - {name: Alice, matrix: "@alice:example.org"}
  - name: Jones
    people:
      - name: Carl
        role: party
        email: carl@example.org
        consent:
          content_by_mail: true
          recorded_by: Mira
          on: 2026-11-20
          wording: I know that mail can be read by others.
"""


def mistakes(raw: dict[str, Any]) -> dict[str, Mistake]:
    with pytest.raises(ConfigError) as caught:
        casefile.parse(raw, "case")
    return {mistake.where: mistake for mistake in caught.value.mistakes}


@pytest.fixture
def raw() -> dict[str, Any]:
    alice = {"name": "Alice", "matrix": "@alice:example.org"}
    carl = {"name": "Carl", "email": "carl@example.org"}
    sides = [{"name": "Smith", "people": [alice]}, {"name": "Jones", "people": [carl]}]
    return {"title": "Smith and Jones", "mediators": ["@mira:example.org"], "sides": sides}


def test_a_case_is_read_from_yaml_in_which_on_is_a_word(tmp_path: Path) -> None:
    file = tmp_path / "case.yaml"
    file.write_text(TEXT)
    case = casefile.load(file)
    alice, carl = case.sides[0].people[0], case.sides[1].people[0]
    assert (alice.role, alice.address) == (Role.PARTY, "@alice:example.org")
    assert carl.consent is not None
    assert (carl.consent.on.isoformat(), carl.consent.content_by_mail) == ("2026-11-20", True)


@pytest.mark.parametrize(
    ("where", "change"),
    [
        ("title", {"title": "two\nlines"}),
        ("title", {"title": "\u202eevil"}),
        ("mediators", {"mediators": []}),
        ("mediators[0]", {"mediators": ["mira"]}),
        ("sides[0].people", {"sides": [{"name": "Smith", "people": []}]}),
        ("sides[0].name", {"sides": [{"people": [{"name": "A", "email": "a@example.org"}]}]}),
        ("side", {"side": []}),
    ],
)
def test_each_mistake_is_named_by_its_path(raw: dict[str, Any], where: str, change: dict[str, Any]) -> None:
    assert where in mistakes({**raw, **change})


@pytest.mark.parametrize(
    ("where", "change"),
    [
        ("", {"matrix": "@carl:example.org"}),
        ("", {"email": None}),
        (".email", {"email": "Carl <carl@example.org>"}),
        (".email", {"email": "carl@example.org, eve@example.org"}),
        (".email", {"email": "carl@example.org\nBcc: eve@example.org"}),
        (".email", {"email": "carl@localhost"}),
        (".role", {"role": "mediator"}),
        (".role", {"role": "judge"}),
        (".role", {"role": "colleague"}),
        (".name", {"name": "Mediator\u200b"}),
        (".consent.on", {"consent": {"content_by_mail": True, "recorded_by": "M", "on": "soon", "wording": "w"}}),
        (".consent", {"consent": {"recorded_by": "M", "on": "2026-11-20", "wording": "w"}}),
        (
            ".consent",
            {
                "email": None,
                "matrix": "@carl:example.org",
                "consent": {"content_by_mail": True, "recorded_by": "M", "on": "2026-11-20", "wording": "w"},
            },
        ),
        (".consent.wording", {"consent": {"content_by_mail": True, "recorded_by": "M", "on": "2026-11-20"}}),
    ],
)
def test_a_person_needs_a_name_a_role_and_one_channel(raw: dict[str, Any], where: str, change: dict[str, Any]) -> None:
    raw["sides"][1]["people"][0].update(change)
    assert f"sides[1].people[0]{where}" in mistakes(raw)


@pytest.mark.parametrize("address", ["@alice:example.org", "@mira:example.org"])
def test_nobody_is_on_two_sides_or_a_party_and_a_mediator(raw: dict[str, Any], address: str) -> None:
    raw["sides"][1]["people"].append({"name": "Another", "matrix": address})
    assert mistakes(raw)[""].what == "an address is given twice"


def test_somebody_may_be_written_to_discreetly_from_the_first_letter_on(raw: dict[str, Any]) -> None:
    raw["sides"][1]["people"][0]["discreet"] = True
    command = case_command(casefile.parse(raw, "case.yaml"))
    assert [step.discreet for step in command.steps if isinstance(step, AddPerson)][-1]
    raw["sides"][1]["people"][0] |= {"email": None, "matrix": "@carl:example.org"}
    assert "sides[1].people[0].discreet" in mistakes(raw)


def test_somebody_may_have_a_second_channel_with_papers_of_its_own(raw: dict[str, Any]) -> None:
    on_paper = {"recorded_by": "Mia", "on": "2026-11-20", "wording": "agreed"}
    carl = raw["sides"][1]["people"][0]
    carl["also"] = {"whatsapp": "+34 600 123 456", "consent": {**on_paper, "content_by_whatsapp": True}}
    steps = case_command(casefile.parse(raw, "case.yaml")).steps
    (second,) = [step for step in steps if isinstance(step, AddChannel)]
    assert (second.name, second.network, second.where) == ("Carl", Network.WHATSAPP, "+34600123456")
    assert second.consent is not None
    assert second.accepted is None
    outcome = create(Case(CaseId("1042"), "x"), NewCase("x", steps), replace(facts(None), whatsapp=True))
    assert isinstance(outcome, Done)
    assert [leg.endpoint.network for leg in outcome.case.called("Carl")] == [Network.EMAIL, Network.WHATSAPP]


@pytest.mark.parametrize(
    ("where", "change"),
    [
        (".also", {"also": {"email": "carl@elsewhere.example"}}),
        (".also", {"also": {}}),
        (".also", {"also": {"whatsapp": "+34600123456"}, "role": "observer"}),
        (".also.consent", {"also": {"whatsapp": "+34600123456", "consent": {"content_by_mail": True}}}),
        (".also.also", {"also": {"whatsapp": "+34600123456", "also": {"matrix": "@carl:example.org"}}}),
    ],
)
def test_a_second_channel_is_over_another_network(raw: dict[str, Any], where: str, change: dict[str, Any]) -> None:
    raw["sides"][1]["people"][0].update(change)
    assert any(path.startswith(f"sides[1].people[0]{where}") for path in mistakes(raw))


def test_a_second_channel_is_nobody_elses_address(raw: dict[str, Any]) -> None:
    raw["sides"][1]["people"][0]["also"] = {"matrix": "@alice:example.org"}
    assert mistakes(raw)[""].what == "an address is given twice"


def test_a_consent_counts_for_its_own_channel_alone(raw: dict[str, Any]) -> None:
    by_mail = {"recorded_by": "Mia", "on": "2026-11-20", "wording": "agreed", "content_by_mail": True}
    bea = {"name": "Bea", "whatsapp": "+34600123456", "consent": {**by_mail, "content_by_whatsapp": False}}
    raw["sides"][0]["people"].append(bea)
    assert casefile.parse(raw, "case").sides[0].people[-1].agreed is None
    bea["consent"] = {**by_mail, "content_by_whatsapp": True}
    assert casefile.parse(raw, "case").sides[0].people[-1].agreed is not None


def test_one_mailbox_is_not_two_people_whatever_its_case(raw: dict[str, Any]) -> None:
    raw["sides"][0]["people"].append({"name": "Dora", "email": "Carl@Example.org"})
    assert mistakes(raw)[""].what == "an address is given twice"


def test_people_and_sides_are_told_apart_by_name(raw: dict[str, Any]) -> None:
    same_person, same_side = copy.deepcopy(raw), copy.deepcopy(raw)
    same_person["sides"][1]["people"][0]["name"] = "alice"
    same_side["sides"][1]["name"] = "smith"
    assert mistakes(same_person)[""].what == "two people have the same name"
    assert mistakes(same_side)[""].what == "two sides have the same name"
