"""How many workers the service has on a cluster."""

import pytest

pytest.importorskip("ray")
from facechange.scale import service


def test_workers_come_at_once_and_go_after_a_while() -> None:
    scaling = service.Scaling(least=1, most=4)
    assert scaling.decide(0, 0) == 1
    assert scaling.decide(1, 3) == 3
    assert scaling.decide(3, 100) == 4
    assert [scaling.decide(4, 2) for _ in range(service.IDLE_LOOKS)] == [4] * (service.IDLE_LOOKS - 1) + [3]
    assert scaling.decide(3, 3) == 3
    assert scaling.decide(3, 0) == 3, "a busy moment begins the wait anew"
