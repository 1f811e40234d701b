/* SPDX-License-Identifier: Apache-2.0 */
/* self_check: five bytes are one event: the outcome, an errno, the service, the time since the last event,
 * and whether counters rise. Held and settled as the agent does. No run is lost or taken twice; runs that
 * others may have spoiled are never taken away; what is held never waits longer than the window. */
#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lattice-probe/self_check.h"
#include "lattice-probe/units.h"

#define EVENT_BYTES 5

struct course {
	struct self_check check;
	struct self_check_sample sample;
	struct mono now;
	uint64_t held;
	uint64_t taken_away; /* by settling and at once */
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void settle(struct course *course)
{
	if (self_check_settle(&course->check, course->now, course->held) == SELF_CHECK_LOCAL)
		course->taken_away += course->held;
	course->held = 0;
	assert(course->check.held_cause == SELF_CHECK_NONE);
}

static void settle_if_due(struct course *course)
{
	struct mono due;

	if (self_check_must_settle(&course->check, course->now, &due))
		settle(course);
	else
		assert(!mono_is_set(due) || (course->held > 0 && due.us > course->now.us &&
			mono_since(due, course->now) <= course->check.window_us));
}

static void take_event(struct course *course, const uint8_t event[static EVENT_BYTES])
{
	static const int numbers[] = { 0, ENETUNREACH, EPERM, EMFILE, ECONNREFUSED, EINVAL, ENETDOWN, ENOMEM };
	struct self_check_run run = { .outcome = (enum outcome)(1 + event[0] % (OUTCOME_COUNT - 1)),
		.local_errno = numbers[event[1] % 8], .service = event[2] % 16, .lag_us = event[2] * US_PER_MS };
	enum self_check_answer answer;

	course->now = mono_add(course->now, event[3] * 40 * US_PER_MS);
	course->sample.at = course->now;
	course->sample.throttled_us += event[4] & 1 ? 200000 : 0;
	course->sample.drops += event[4] & 2 ? 1 : 0;
	self_check_take_sample(&course->check, &course->sample);
	settle_if_due(course);
	run.started = mono_add(course->now, -(int64_t)event[4] * 10 * US_PER_MS);
	run.ended = course->now;
	answer = self_check_take(&course->check, &run);
	if (run.outcome == OUTCOME_OK || run.outcome == OUTCOME_HTTP_STATUS || run.outcome == OUTCOME_CONNECT_REFUSED)
		assert(answer == SELF_CHECK_AS_IS);
	assert(answer != SELF_CHECK_HOLD || outcome_is_judged(run.outcome));
	course->held += answer == SELF_CHECK_HOLD;
	course->taken_away += answer == SELF_CHECK_LOCAL;
	settle_if_due(course);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct course course = { .now = { US_PER_S } };
	uint64_t faults = 0;

	if (size == 0)
		return 0;
	self_check_configure(&course.check, (data[0] & 15) * US_PER_S, data[0] >> 4);
	for (size_t at = 1; at + EVENT_BYTES <= size; at += EVENT_BYTES)
		take_event(&course, data + at);
	settle(&course);
	for (int cause = 0; cause < SELF_CHECK_CAUSE_COUNT; cause++)
		faults += course.check.faults[cause];
	assert(faults == course.taken_away);
	return 0;
}
