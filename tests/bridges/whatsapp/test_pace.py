"""As much at once as WhatsApp takes, to one person and from one number; not less, and never more."""

from dataclasses import dataclass

from bridges.whatsapp.pace import BURST, EVERY, OVERALL, Pace
from tests.bridges.whatsapp.builders import BEA_PHONE, JOINT_NUMBER, PRIVATE


@dataclass
class Clock:
    now: float = 1_000.0

    def __call__(self) -> float:
        return self.now


def sent(pace: Pace, tries: int, *, number: str = PRIVATE, to: str = BEA_PHONE) -> int:
    return sum(pace.may_send(number, to) for _ in range(tries))


def slowly(pace: Pace, clock: Clock, tries: int, to: str = BEA_PHONE) -> int:
    """One after the other, as fast as one number may send."""
    found = 0
    for _ in range(tries):
        clock.now += 1 / OVERALL
        found += pace.may_send(PRIVATE, to)
    return found


def test_one_person_gets_a_burst_and_then_one_each_time_that_it_is_paid_back() -> None:
    clock = Clock()
    pace = Pace(clock)
    assert slowly(pace, clock, BURST + 20) == BURST
    clock.now += EVERY
    assert sent(pace, 3) == 1
    clock.now += BURST * EVERY
    assert slowly(pace, clock, BURST + 20) == BURST


def test_somebody_else_and_another_number_of_ours_are_not_kept_waiting_by_that() -> None:
    clock = Clock()
    pace = Pace(clock)
    slowly(pace, clock, BURST + 1)
    clock.now += 1
    assert sent(pace, 1) == 0
    assert sent(pace, 1, to="+34600999999") == 1
    assert sent(pace, 1, number=JOINT_NUMBER) == 1


def test_one_number_sends_no_more_in_a_second_than_whatsapp_takes_however_many_read() -> None:
    clock = Clock()
    pace = Pace(clock)
    many = [f"+3460{n:07}" for n in range(3 * int(OVERALL))]
    for _ in range(3):
        assert OVERALL - 1 <= sum(pace.may_send(PRIVATE, to) for to in many) <= OVERALL
        clock.now += 1


def test_what_is_remembered_of_people_is_forgotten_with_time() -> None:
    clock = Clock()
    pace = Pace(clock)
    for n in range(12_000):
        clock.now += 1 / OVERALL
        pace.may_send(PRIVATE, f"+3460{n:07}")
    assert len(pace._full_at) <= 10_001
