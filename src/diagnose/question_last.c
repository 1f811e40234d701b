/* SPDX-License-Identifier: Apache-2.0 */
#include "question_internal.h"

#include <stdio.h>
#include <string.h>

void question_last_read(const struct result *result, struct evidence_exchange *ret_last)
{
	evidence_exchange_init(ret_last);
	ret_last->outcome = result->outcome;
	memcpy(ret_last->phase_us, result->phase_us, sizeof ret_last->phase_us);
	ret_last->total_us = result->total_us;
	ret_last->status = result->status;
	ret_last->http_version = result->http_version;
	ret_last->received_bytes = result->body_bytes;
	(void)snprintf(ret_last->detail, sizeof ret_last->detail, "%s", result->detail);
}

/* A run that did not get as far as a request says nothing beyond what is seen now. */
static bool tells_of_the_response(const struct evidence_exchange *last)
{
	return last->outcome == OUTCOME_OK || outcome_phase(last->outcome) == OUTCOME_PHASE_HEALTH;
}

static enum http_stage stage_of(const struct evidence_exchange *last)
{
	if (last->phase_us[PHASE_TRANSFER] != PHASE_NONE)
		return HTTP_STAGE_DONE;
	return last->phase_us[PHASE_FIRST_BYTE] != PHASE_NONE ? HTTP_STAGE_TRANSFER : HTTP_STAGE_FIRST_BYTE;
}

void question_last_apply(const struct evidence_exchange *last, struct evidence_exchange *exchange)
{
	if (!tells_of_the_response(last) || exchange->outcome != OUTCOME_OK)
		return;
	exchange->is_from_daemon = true;
	exchange->is_stand_in = false;
	exchange->outcome = last->outcome;
	exchange->stage = stage_of(last);
	exchange->phase_us[PHASE_FIRST_BYTE] = last->phase_us[PHASE_FIRST_BYTE];
	exchange->phase_us[PHASE_TRANSFER] = last->phase_us[PHASE_TRANSFER];
	exchange->total_us = last->total_us;
	exchange->status = last->status;
	exchange->http_version = last->http_version;
	exchange->received_bytes = last->received_bytes;
	memcpy(exchange->detail, last->detail, sizeof exchange->detail);
}
