"""Messages reach a person through real HTTP on loopback, and no address is ever seen anywhere else."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from copytrade_core.edges.monitoring.alert_address import ALERT_URL, address
from copytrade_core.edges.monitoring.alerts import AlertChannel, NotTaken
from copytrade_core.edges.settings_monitor import AlertsSection, monitor_policy
from copytrade_core.model.errors import BadConfig
from copytrade_core.monitor.delivery import Batch
from copytrade_core.monitor.finding import Finding, Rule
from copytrade_core.monitor.incidents import advance
from copytrade_core.monitor.message import body, title
from tests.alert_services import CHAT, TOKEN, AlertServices, alert_services
from tests.monitor_floor import settings


@pytest.fixture
def services() -> Iterator[AlertServices]:
    with alert_services() as made:
        yield made


def alerts(services: AlertServices, **changes: object) -> AlertsSection:
    return settings(alerts__telegram_base_url=services.base_url, **changes).alerts


def channel(url: str, services: AlertServices, waits: list[float] | None = None) -> AlertChannel:
    slept = [] if waits is None else waits
    return AlertChannel(SecretStr(url), alerts(services), variable="TEST", sleep=slept.append)


def test_telegram_gets_a_message_by_its_bot_api(services) -> None:
    assert channel(services.telegram, services).send("copytrade: 1 critical", "a < b & c\n  do: look") is None
    (taken,) = services.taken
    assert str(taken["chat_id"]) == CHAT
    assert taken["parse_mode"] == "HTML"
    assert "copytrade: 1 critical" in taken["text"]
    assert "a &lt; b &amp; c" in taken["text"]
    assert "do: look" in taken["text"].replace("&nbsp;", " ")


def test_any_other_service_of_apprise_gets_it_too(services) -> None:
    assert channel(services.hook, services).send("title", "body") is None
    assert [(each["title"], each["message"]) for each in services.taken] == [("title", "body")]


def test_a_service_that_is_busy_is_asked_again_after_growing_waits(services) -> None:
    services.failures = [503, 503]
    waits: list[float] = []
    assert channel(services.hook, services, waits).send("t", "b") is None
    assert (services.refused, len(services.taken), waits) == ([503, 503], 1, [1.0, 2.0])


def test_telegram_is_given_the_pause_that_it_asks_for(services) -> None:
    services.failures = [429, 429]
    waits: list[float] = []
    assert channel(services.telegram, services, waits).send("t", "b") is None
    assert (services.refused, len(services.taken), waits) == ([429, 429], 1, [5.0, 5.0])


def test_a_pause_that_is_too_long_to_wait_for_is_for_the_next_pass(services) -> None:
    services.failures, services.retry_after_s = [429, 429], 35
    waits: list[float] = []
    answer = channel(services.telegram, services, waits).send("t", "b")
    assert isinstance(answer, NotTaken)
    assert "retry after 35" in answer.why
    assert (services.refused, waits) == ([429], []), "nothing was asked in between"


@pytest.mark.parametrize("text", ["x" * 9_000, "a line <&> of data\n" * 700, "&" * 3_000])
def test_a_message_that_is_too_long_for_telegram_arrives_in_parts(text, services) -> None:
    assert channel(services.telegram, services).send("copytrade: 40 critical", text) is None
    assert len(services.taken) > 1
    assert services.refused == []


def test_the_longest_message_of_the_monitor_is_one_message_of_telegram(services) -> None:
    chosen = settings()
    found = [
        Finding(rule=Rule.UNKNOWN_ORDER, subject=f"{n} " + "<&>" * 99, what="&" * 999, numbers=()) for n in range(1, 40)
    ]
    incidents = advance(
        (),
        {Rule.UNKNOWN_ORDER: tuple(found)},
        policy=monitor_policy(chosen.monitor, chosen.monitor_levels, chosen.alerts),
        now_ms=1_780_000_000_000,
        next_number=1,
        as_baseline=False,
    )
    batch = Batch(incidents=incidents, is_last_of_week=True)
    assert (
        channel(services.telegram, services).send(title(batch, "lead 1, follow, paper on paper"), body(batch)) is None
    )
    (taken,) = services.taken
    assert "unknown_order-1 " in taken["text"]
    assert "weekly budget" in taken["text"]


def test_a_service_that_stays_down_is_told_without_its_address(services) -> None:
    services.failures = [500] * 9
    answer = channel(services.hook, services).send("t", "b")
    assert isinstance(answer, NotTaken)
    assert len(services.refused) == 3
    assert "500" in answer.why
    assert "s3cret-path" not in answer.why


@pytest.mark.parametrize("url", [f"tgram://{'9' * 9}:{'x' * 35}/{CHAT}", f"tgram://{TOKEN}/1234567"])
def test_a_wrong_token_or_chat_is_said_and_the_token_is_not(url, services) -> None:
    answer = channel(url, services).send("t", "b")
    assert isinstance(answer, NotTaken)
    assert "Unauthorized" in answer.why or "chat not found" in answer.why
    for secret in (TOKEN, TOKEN.split(":")[1], "x" * 35, "1234567"):
        assert secret not in answer.why


def test_nobody_there_is_a_failure_and_no_error(services) -> None:
    answer = channel("json://127.0.0.1:1/s3cret-path", services).send("t", "b")
    assert isinstance(answer, NotTaken)
    assert "s3cret-path" not in answer.why


def test_no_log_line_and_no_print_shows_the_address(services, caplog, capfd) -> None:
    caplog.set_level(logging.DEBUG)
    services.failures = [401]
    made = channel(services.telegram, services)
    made.send("t", "b")
    shown = f"{made!r}{vars(made)['_apprise']!r}" + "".join(
        # The stand-in's own access log is the service's side of the line.
        each.getMessage()
        for each in caplog.records
        if not each.name.startswith("uvicorn")
    )
    out, err = capfd.readouterr()
    assert TOKEN.split(":")[1] not in shown + out + err


def test_a_redirect_is_not_followed(services) -> None:
    services.failures = [307] * 3
    assert isinstance(channel(services.hook, services).send("t", "b"), NotTaken)
    assert services.taken == []


@pytest.mark.parametrize("url", ["", "hunter22", "nosuchservice://hunter22", "tgram://hunter22"])
def test_an_address_that_is_none_is_refused_without_being_shown(url, services) -> None:
    with pytest.raises(BadConfig) as caught:
        channel(url, services)
    assert "hunter22" not in str(caught.value)
    assert caught.value.where.field == "TEST"


@pytest.mark.parametrize("url", ["tgram://bad", "tgram://ab/12"])
def test_not_even_a_short_address_is_shown(url, services) -> None:
    with pytest.raises(BadConfig) as caught:
        channel(url, services)
    assert url.partition("://")[2] not in caught.value.what


def test_the_address_comes_from_a_variable_or_a_file_of_ones_own(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("json://127.0.0.1:1\n")
    file.chmod(0o600)
    assert address({}, ALERT_URL) is None
    for environ in ({ALERT_URL: "json://127.0.0.1:1"}, {f"{ALERT_URL}_FILE": str(file)}):
        found = address(environ, ALERT_URL)
        assert found is not None
        assert found.get_secret_value() == "json://127.0.0.1:1"
        assert "127" not in f"{found!r}{found}"


def test_a_file_that_others_may_read_or_that_says_nothing_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("json://hunter22")
    file.chmod(0o644)
    named = {f"{ALERT_URL}_FILE": str(file)}
    with pytest.raises(BadConfig, match="read by others") as caught:
        address(named, ALERT_URL)
    assert "chmod 600" in (caught.value.next_step or "")
    file.chmod(0o600)
    file.write_text(" \n")
    with pytest.raises(BadConfig, match="is empty"):
        address(named, ALERT_URL)
    with pytest.raises(BadConfig, match="both set"):
        address({**named, ALERT_URL: "json://x"}, ALERT_URL)
    file.unlink()
    with pytest.raises(BadConfig, match="cannot be read"):
        address(named, ALERT_URL)
