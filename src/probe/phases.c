/* SPDX-License-Identifier: Apache-2.0 */
#include "lattice-probe/phases.h"

#include <assert.h>
#include <stddef.h>

#include "lattice-probe/http.h"
#include "lattice-probe/units.h"

/* The phase between *at and `mark`, and *at moved to the mark; PHASE_NONE when it was not reached.
 * A mark behind one that was not reached would be a bug: time would vanish from the sum. */
static int64_t step(struct mono *at, struct mono mark)
{
	int64_t phase_us;

	if (!mono_is_set(mark))
		return PHASE_NONE;
	phase_us = mono_since(mark, *at);
	assert(phase_us >= 0);
	*at = mark;
	return phase_us;
}

static void assert_no_gap(const struct http_reply *reply)
{
	assert(mono_is_set(reply->start) && mono_is_set(reply->finished));
	assert(mono_is_set(reply->connected) || !mono_is_set(reply->secured));
	assert(mono_is_set(reply->connected) || !mono_is_set(reply->first_byte));
	assert(mono_is_set(reply->first_byte) || reply->end != HTTP_END_DONE);
}

void phases_of_reply(const struct http_reply *reply, int64_t ret_phase_us[static PHASE_COUNT],
	int64_t *ret_failed_us)
{
	struct mono at = reply->start;
	int64_t rest_us;

	assert_no_gap(reply);
	ret_phase_us[PHASE_CONNECT] = step(&at, reply->connected);
	ret_phase_us[PHASE_TLS] = step(&at, reply->secured);
	ret_phase_us[PHASE_FIRST_BYTE] = step(&at, reply->first_byte);
	rest_us = step(&at, reply->finished);
	ret_phase_us[PHASE_TRANSFER] = reply->end == HTTP_END_DONE ? rest_us : PHASE_NONE;
	*ret_failed_us = reply->end == HTTP_END_DONE ? PHASE_NONE : rest_us;
}

int64_t phases_sum(const int64_t phase_us[static PHASE_COUNT])
{
	int64_t sum_us = 0;

	for (size_t i = 0; i < PHASE_COUNT; i++)
		if (phase_us[i] != PHASE_NONE)
			sum_us += phase_us[i];
	return sum_us;
}
