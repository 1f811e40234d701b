/* SPDX-License-Identifier: Apache-2.0 */
#include "lattice-probe/watchdog.h"

const char *watchdog_obstacle_name(enum watchdog_obstacle obstacle)
{
	static const char *const names[] = { [WATCHDOG_NONE] = "none", [WATCHDOG_SCHEDULE] = "schedule",
		[WATCHDOG_RUN] = "run", [WATCHDOG_WINDOWS] = "windows", [WATCHDOG_PUBLISHER] = "publisher",
		[WATCHDOG_SHUTDOWN] = "shutdown" };

	return names[obstacle];
}

/* A shutdown has a deadline of its own, and stops the timers of the others on its way. */
static enum watchdog_obstacle find_obstacle(const struct watchdog_facts *facts)
{
	if (facts->is_stopping)
		return facts->stop_late_us > WATCHDOG_LATE_US ? WATCHDOG_SHUTDOWN : WATCHDOG_NONE;
	if (facts->schedule_late_us > WATCHDOG_LATE_US)
		return WATCHDOG_SCHEDULE;
	if (facts->windows_late_us > WATCHDOG_LATE_US)
		return WATCHDOG_WINDOWS;
	if (facts->run_late_us > WATCHDOG_RUN_MARGIN_US + facts->run_wait_us)
		return WATCHDOG_RUN;
	return facts->is_publisher_stuck ? WATCHDOG_PUBLISHER : WATCHDOG_NONE;
}

bool watchdog_is_alive(struct watchdog *watchdog, const struct watchdog_facts *facts, struct mono now)
{
	enum watchdog_obstacle obstacle = find_obstacle(facts);

	if (obstacle != watchdog->obstacle)
		*watchdog = (struct watchdog){ obstacle, now };
	return obstacle == WATCHDOG_NONE || mono_since(now, watchdog->since) < WATCHDOG_PATIENCE_US;
}
