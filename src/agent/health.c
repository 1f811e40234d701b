/* SPDX-License-Identifier: Apache-2.0 */
#include "lattice-probe/health.h"

#include <assert.h>

const char *health_state_name(enum health_state state)
{
	static const char *const names[] = {
		[HEALTH_UNKNOWN] = "unknown", [HEALTH_HEALTHY] = "healthy", [HEALTH_UNHEALTHY] = "unhealthy" };

	return names[state];
}

static void lengthen(struct health *health, bool is_ok)
{
	if (health->is_ok_streak != is_ok)
		health->streak = 0;
	health->is_ok_streak = is_ok;
	if (health->streak < UINT32_MAX)
		health->streak++;
}

static bool has_recovered(const struct health *health, const struct health_limits *limits)
{
	return health->state == HEALTH_UNKNOWN || health->streak >= (uint32_t)limits->healthy_after;
}

enum health_change health_judge(struct health *health, const struct health_limits *limits, enum outcome outcome)
{
	assert(limits->unhealthy_after > 0 && limits->healthy_after > 0);
	if (!outcome_is_judged(outcome))
		return HEALTH_SAME;
	lengthen(health, outcome == OUTCOME_OK);
	if (health->is_ok_streak && health->state != HEALTH_HEALTHY && has_recovered(health, limits)) {
		health->state = HEALTH_HEALTHY;
		return HEALTH_BECAME_HEALTHY;
	}
	if (!health->is_ok_streak && health->state != HEALTH_UNHEALTHY &&
	    health->streak >= (uint32_t)limits->unhealthy_after) {
		health->state = HEALTH_UNHEALTHY;
		return HEALTH_BECAME_UNHEALTHY;
	}
	return HEALTH_SAME;
}
