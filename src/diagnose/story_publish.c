/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of the results: CloudWatch, and the daemon that runs beside. */
#include "lattice-probe/story.h"

#include <inttypes.h>
#include <string.h>

#include "story_internal.h"

static const char *class_words(const struct evidence_publishing *publishing)
{
	switch (publishing->class_) {
	case AWS_CLASS_OK:
	case AWS_CLASS_INVALID: return "takes metrics from here (it refused only our empty request)";
	case AWS_CLASS_THROTTLED: return "throttles this account's requests";
	case AWS_CLASS_SERVER: return "answers with a failure of its own";
	case AWS_CLASS_TIMEOUT:
	case AWS_CLASS_IN_DOUBT: return "did not answer in time";
	case AWS_CLASS_TOO_LARGE: return "finds the request too large";
	case AWS_CLASS_DENIED: return "refuses: the role may not cloudwatch:PutMetricData";
	case AWS_CLASS_EXPIRED: return "refuses the credentials: expired or not known";
	case AWS_CLASS_SKEWED: return "refuses the signature for its time: this host's clock is off";
	case AWS_CLASS_TLS: return "cannot be met by TLS: its certificate is not trusted, or no handshake";
	case AWS_CLASS_UNREACHABLE: return "cannot be reached from here";
	case AWS_CLASS_LOCAL: return "was not asked: this host is out of memory, descriptors or credentials";
	}
	return "gave an answer of an unknown kind";
}

static void describe_skew(int64_t skew_us, struct story_line *line)
{
	int64_t skew_s = skew_us / US_PER_S;

	if (skew_s != 0)
		STORY_ANSWER(*line, "this host's clock is %" PRId64 " s %s AWS's", skew_s > 0 ? skew_s : -skew_s,
			skew_s > 0 ? "behind" : "ahead of");
}

static void tell_call(struct story_teller *teller)
{
	const struct evidence_publishing *publishing = &teller->evidence->publishing;
	struct story_line line = story_line_of("publish", DIAGNOSIS_HOP_PUBLISH);
	bool is_good = publishing->class_ == AWS_CLASS_INVALID || publishing->class_ == AWS_CLASS_OK;

	STORY_ASK(line, "Would CloudWatch take metrics from here (%s)?", publishing->endpoint);
	if (!publishing->is_call_made) {
		line.mark = STORY_SKIPPED;
		STORY_ANSWER(line, "CloudWatch was not asked: %s", publishing->has_credentials ?
			"no call could be made" : "there are no credentials");
	} else {
		line.mark = is_good ? STORY_GOOD : STORY_BAD;
		line.elapsed_us = publishing->elapsed_us;
		STORY_ANSWER(line, "CloudWatch %s", class_words(publishing));
		if (publishing->code[0] && (!is_good || teller->verbose))
			STORY_ANSWER(line, "%s", publishing->code);
		if (!is_good || teller->verbose)
			STORY_ANSWER(line, "%s", publishing->endpoint);
		describe_skew(publishing->skew_us, &line);
	}
	story_add(teller, &line);
}

/* ---- the daemon --------------------------------------------------------------------------------- */

/* What this diagnosis found as the probe would name it; NONE: it did not come so far. */
static enum outcome own_outcome(const struct evidence *evidence)
{
	const struct evidence_path *path = evidence_preferred_path(evidence);
	const struct evidence_resolver *resolver = evidence_first_resolver(evidence);

	if (path && path->exchanges[EXCHANGE_MAIN].is_asked)
		return path->exchanges[EXCHANGE_MAIN].is_stand_in ? OUTCOME_NONE : path->exchanges[EXCHANGE_MAIN].outcome;
	return resolver ? evidence_resolver_outcome(resolver, evidence->target.ip) : OUTCOME_NONE;
}

static void describe_last(const struct evidence *evidence, struct story_line *line)
{
	const struct evidence_daemon *daemon = &evidence->daemon;
	enum outcome own = own_outcome(evidence);

	line->mark = daemon->last_outcome == OUTCOME_OK ? STORY_GOOD : STORY_BAD;
	STORY_ANSWER(*line, "%s %" PRId64 " s ago", outcome_name(daemon->last_outcome), daemon->age_us / US_PER_S);
	if (daemon->streak > 1)
		STORY_ANSWER(*line, "%d in a row", daemon->streak);
	if (own != OUTCOME_NONE && own != daemon->last_outcome) {
		line->mark = STORY_UNKNOWN;
		STORY_ANSWER(*line, "which differs from what is found here (%s)", outcome_name(own));
	}
}

static void describe_credentials(const struct evidence *evidence, struct story_line *line)
{
	const struct evidence_daemon *daemon = &evidence->daemon;
	const char *own = evidence->publishing.has_credentials ? evidence->publishing.source : "none";

	if (!daemon->credentials[0])
		return;
	STORY_ANSWER(*line, "its credentials: %s", daemon->credentials);
	if (evidence->publishing.is_asked && evidence->publishing.has_credentials &&
	    strcmp(own, daemon->credentials) != 0) {
		line->mark = STORY_UNKNOWN;
		STORY_ANSWER(*line, "not those used here (%s)", own);
	}
}

static void tell_daemon(struct story_teller *teller)
{
	const struct evidence *evidence = teller->evidence;
	struct story_line line = story_line_of("daemon", DIAGNOSIS_HOP_NONE);

	if (!evidence->daemon.is_running)
		return;
	STORY_ASK(line, "What does the running daemon say of this probe, and with whose credentials?");
	if (evidence->daemon.knows_probe && evidence->daemon.last_outcome != OUTCOME_NONE) {
		describe_last(evidence, &line);
	} else {
		line.mark = evidence->daemon.knows_probe ? STORY_UNKNOWN : STORY_SKIPPED;
		STORY_ANSWER(line, "%s", evidence->daemon.knows_probe ? "it has no result yet" :
			"it runs, but has no such probe");
	}
	describe_credentials(evidence, &line);
	story_add(teller, &line);
}

void story_publish_tell(struct story_teller *teller)
{
	if (teller->evidence->publishing.is_asked)
		tell_call(teller);
	tell_daemon(teller);
}
