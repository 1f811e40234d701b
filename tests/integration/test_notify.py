# SPDX-License-Identifier: Apache-2.0
"""What the service manager is told of the daemon (sd_notify(3))."""

import os
import signal
import time

import pytest

import probe_command
import service_manager


@pytest.fixture
def manager():
    with service_manager.ServiceManager() as made:
        yield made


def start(runner, manager, probes, *words, watchdog_s=None, env=None, **options):
    env = {**probe_command.STATIC_CREDENTIALS, **manager.env(watchdog_s), **(env or {})}
    return runner.start(probes, *words, env=env, **options)


def test_ready_comes_when_runs_are_scheduled_and_the_end_is_told(runner, world, manager):
    daemon = start(runner, manager, {"web": world.http("web")}, agent={"shutdown_timeout": "7s"})
    ready = manager.wait_for("READY")
    assert ready["READY"] == "1" and ready["STATUS"].startswith("1 probes: 0 healthy, 0 unhealthy, 1 unknown")
    daemon.wait_for_line("event=started")
    assert manager.messages[0]["STATUS"].startswith("starting:")
    manager.wait_for_status("1 probes: 1 healthy, 0 unhealthy, 0 unknown")
    daemon.stop()
    stopping = manager.wait_for("STOPPING")
    assert stopping["EXTEND_TIMEOUT_USEC"] == "12000000" and stopping["STATUS"].startswith("stopping:")
    assert len(manager.of("READY")) == 1 and not manager.of("WATCHDOG") and not manager.of("ERRNO")


def test_a_change_of_health_is_told_within_moments(runner, world, origin, manager):
    origin.set_script({"routes": {"*": {"sequence": [{}, {}, {"status": 500}]}}})
    start(runner, manager, {"web": {"url": f"http://127.0.0.1:{origin.http_port}/"}}, agent={"unhealthy_after": "2"})
    manager.wait_for_status("1 healthy")
    manager.wait_for_status("0 healthy, 1 unhealthy")


def test_an_idle_agent_is_ready_and_says_how_to_add_a_probe(runner, manager):
    daemon = start(runner, manager, {})
    ready = manager.wait_for("READY")
    assert ready["STATUS"].startswith("idle: no probe is configured; add a [probe NAME] section")
    assert "systemctl reload lattice-probe" in ready["STATUS"]
    assert "systemctl reload lattice-probe" in daemon.wait_for_line("event=idle")
    daemon.stop()


def test_an_agent_without_a_region_is_up_and_says_what_it_waits_for(command, manager):
    conf = command.conf({}, cloudwatch={"region": "auto"})
    daemon = command.run(conf, env=manager.env())
    ready = manager.wait_for("READY")
    assert ready["STATUS"].startswith("waiting, nothing is probed yet: ") and "region" in ready["STATUS"].lower()
    assert daemon.process.poll() is None


def test_a_configuration_with_mistakes_is_told(command, manager):
    conf = command.conf({"web": {"url": "https://web.probe.test", "timeout": "5"}})
    daemon = command.run(conf, env=manager.env())
    assert daemon.wait() == 2
    failed = manager.wait_for("ERRNO")
    assert failed["ERRNO"] == "22" and str(conf) in failed["STATUS"] and not manager.of("READY")


def test_an_abstract_socket_is_heard_of_too(command):
    with service_manager.ServiceManager(is_abstract=True) as manager:
        daemon = command.run(command.conf({}), "--dry-run", env=manager.env())
        manager.wait_for("READY")
        daemon.stop()
        manager.wait_for("STOPPING")


def test_a_socket_that_is_none_is_said_once(command):
    daemon = command.run(command.conf({}), "--dry-run", env={"NOTIFY_SOCKET": "vsock:2:99"})
    daemon.wait_for_line("event=idle")
    daemon.stop()
    assert daemon.log.count("event=no_notify_socket") == 1


# ---- the watchdog

def test_the_watchdog_is_fed_at_half_its_interval(runner, world, manager):
    daemon = start(runner, manager, {"web": world.http("fed")}, watchdog_s=2)
    manager.wait_for("WATCHDOG", 5)
    times = [message["at"] for message in manager.of("WATCHDOG")]
    assert max(later - sooner for sooner, later in zip(times, times[1:])) < 2
    assert times[4] - times[0] > 4 * 0.9
    daemon.stop()


def test_a_daemon_that_does_not_turn_feeds_nothing(runner, world, manager):
    """Stopped like one that hangs in a call; after a second the manager would have ended it."""
    daemon = start(runner, manager, {"web": world.http("hung")}, watchdog_s=1)
    manager.wait_for("WATCHDOG", 2)
    daemon.signal(signal.SIGSTOP)
    stopped = time.monotonic()
    daemon.wait_until(lambda: time.monotonic() - stopped > 2, "two seconds")
    assert not [message for message in manager.of("WATCHDOG") if message["at"] > stopped + 0.4]
    fed = len(manager.of("WATCHDOG"))
    daemon.signal(signal.SIGCONT)
    manager.wait_for("WATCHDOG", fed + 2)
    daemon.stop()


@pytest.mark.parametrize("fault", ["silent", "deny", "error_500", "reset_before"])
def test_an_outage_of_cloudwatch_starves_no_watchdog(runner, world, gate, manager, fault):
    gate.set_faults([{"action": fault}])
    daemon = start(runner, manager, {"web": world.http(f"out-{fault}".replace("_", "-"))}, watchdog_s=2,
                   agent={"shutdown_timeout": "1s"})
    manager.wait_for("WATCHDOG", 6)
    times = [message["at"] for message in manager.of("WATCHDOG")]
    assert max(later - sooner for sooner, later in zip(times, times[1:])) < 2
    daemon.stop()
    assert "event=stuck" not in daemon.log


def test_a_watchdog_of_another_process_is_not_fed(runner, world, manager):
    daemon = start(runner, manager, {"web": world.http("other")}, watchdog_s=1, env={"WATCHDOG_PID": str(os.getpid())})
    manager.wait_for_status("1 healthy")
    daemon.stop()
    assert not manager.of("WATCHDOG")
