"""Tests reach loopback and nothing else."""

from __future__ import annotations

import socket

import pytest
from pytest_socket import SocketConnectBlockedError


def test_another_machine_is_out_of_reach():
    """192.0.2.1 is reserved for documentation: nobody answers there, and the guard must not even ask."""
    with pytest.raises(SocketConnectBlockedError):
        socket.create_connection(("192.0.2.1", 80), timeout=0.2)


def test_loopback_is_within_reach():
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname(), timeout=5) as c,
    ):
        assert c.getpeername()[0] == "127.0.0.1"


def test_no_telemetry_leaves_a_test():
    import os

    assert os.environ["DAGSTER_DISABLE_TELEMETRY"] == "yes"
    assert "DAGSTER_HOME" not in os.environ
