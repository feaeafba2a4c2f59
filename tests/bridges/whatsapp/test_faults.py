"""What each error code calls for."""

import pytest

from bridges.whatsapp.faults import Remedy, fault

TABLE = {
    Remedy.RETRY: (4, 80007, 130429, 131056, 131000, 131016, 131057),
    Remedy.WINDOW: (131047,),
    Remedy.GIVE_UP: (131026, 131051, 131021, 131030, 131050, 130472, 131062, 131052, 131053),
    Remedy.VERIFY: (137000,),
    Remedy.ALARM: (190, 10, 131031, 131042, 368, 131048, 132000, 132001, 132005, 132007, 132012, 132015, 132016),
}


@pytest.mark.parametrize(("remedy", "code"), [(remedy, code) for remedy, codes in TABLE.items() for code in codes])
def test_every_code_of_the_table_calls_for_what_it_says(remedy: Remedy, code: int) -> None:
    assert fault(code).remedy is remedy


def test_an_unknown_code_is_never_tried_again_by_itself() -> None:
    assert fault(999999).remedy is Remedy.GIVE_UP
    assert "999999" in fault(999999).words
