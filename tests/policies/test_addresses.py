"""Whose address it is: mail addresses forgive capitals, Matrix ids never do."""

from policies.case import Network
from tests.policies.builders import both_sides


def test_a_twin_in_capitals_of_a_matrix_id_is_nobody_in_the_case() -> None:
    """A homeserver's administrator can make `@ALICE:…`, with encryption keys of its own, for the asking."""
    case = both_sides()
    alice = case.named("Alice")
    assert alice is not None
    assert case.at_address(Network.MATRIX, alice.endpoint.address) == alice
    assert case.at_address(Network.MATRIX, alice.endpoint.address.upper()) is None
    assert case.at_address(Network.MATRIX, alice.endpoint.address.replace("@a", "@A")) is None


def test_a_mail_address_is_the_same_in_capitals() -> None:
    case = both_sides()
    carl = case.named("Carl")
    assert carl is not None
    assert case.at_address(Network.EMAIL, carl.endpoint.address.upper()) == carl
