/* SPDX-License-Identifier: Apache-2.0 */
/* question_reply: reads what came of one HTTP exchange of a diagnosis into its evidence. Pure. Keeps no
 * text of a body, and of headers only what `Server` calls itself, made printable. */
#ifndef LATTICE_PROBE_QUESTION_REPLY_H
#define LATTICE_PROBE_QUESTION_REPLY_H

#include <stdbool.h>

#include "lattice-probe/units.h"

struct evidence_exchange;
struct http_reply;
struct target;

/* What was sent. */
struct question_request {
	const struct target *target;
	bool is_judged;         /* the target's expectations hold for the response; otherwise any complete
	                           response is OUTCOME_OK */
	bool is_handshake;      /* nothing was sent after the handshake, which is the whole exchange */
	const char *request_id; /* in x-amzn-requestid; "" none */
	struct wall sent;       /* between these two by our clock the response was written */
	struct wall answered;
};

/* Fills everything but is_asked, is_stand_in, is_from_daemon, local_drops and port. */
void question_reply_read(const struct question_request *request, const struct http_reply *reply,
	struct evidence_exchange *exchange);

#endif
