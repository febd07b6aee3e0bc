"""A port that is to be there again tomorrow is none that a system gives to any call."""

import socket

import pytest

from core.system import ports


def test_a_lasting_port_is_free_and_below_those_that_a_system_gives_away() -> None:
    port = ports.lasting_port()
    assert port in ports.LASTING
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", port))


def test_where_all_of_them_are_taken_any_other_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", ports.lasting_port()))
        port = taken.getsockname()[1]
        monkeypatch.setattr(ports, "LASTING", range(port, port + 1))
        assert ports.lasting_port() != port
