/* SPDX-License-Identifier: Apache-2.0 */
/* The exchanges on each path: connection, handshake, request; then what was tried to understand them. */
#include "lattice-probe/story.h"

#include <inttypes.h>
#include <string.h>

#include "story_internal.h"

#define SKEW_TOLD_US (5 * US_PER_S)

/* ---- the response ------------------------------------------------------------------------------ */

static const char *version_words(int version)
{
	switch (version) {
	case 10: return "HTTP/1.0";
	case 11: return "HTTP/1.1";
	case 20: return "HTTP/2";
	default: return "HTTP";
	}
}

static void describe_denial(const struct evidence_exchange *exchange, struct story_line *line)
{
	STORY_ANSWER(*line, "VPC Lattice denied %s", exchange->denies_anonymous ? "an anonymous caller" : "the caller");
	if (exchange->is_explicit_deny)
		STORY_ANSWER(*line, "by an explicit deny");
	if (exchange->denied_by[0])
		STORY_ANSWER(*line, "%s policy", exchange->denied_by);
}

/* Lattice or the target, and why we think so. Only its own words in a refusal, or the application's
 * marker, are proof; an echoed request id shows the way through, not who spoke. */
static void describe_speaker(const struct evidence_exchange *exchange, struct story_line *line)
{
	if (exchange->is_lattice_denial)
		describe_denial(exchange, line);
	else if (exchange->denies_signature)
		STORY_ANSWER(*line, "it complains of the signature");
	else if (exchange->has_marker)
		STORY_ANSWER(*line, "from the application (the expected header is there)");
	else if (exchange->outcome != OUTCOME_OK && exchange->is_bare)
		STORY_ANSWER(*line, "probably from VPC Lattice itself (a bare response)");
	else if (exchange->outcome != OUTCOME_OK)
		STORY_ANSWER(*line, "probably from the application (more than a bare response)");
	if (exchange->echoes_request_id)
		STORY_ANSWER(*line, "it came through VPC Lattice (our request id is echoed)");
}

static void describe_status(const struct evidence_exchange *exchange, struct story_line *line)
{
	STORY_ANSWER(*line, "%d", exchange->status);
	story_append(line->answer, sizeof line->answer, " %s", version_words(exchange->http_version));
	if (exchange->outcome != OUTCOME_OK && outcome_phase(exchange->outcome) == OUTCOME_PHASE_HEALTH &&
	    !exchange->is_lattice_denial)
		STORY_ANSWER(*line, "%s", outcome_words(exchange->outcome));
	describe_speaker(exchange, line);
	if (exchange->server[0])
		STORY_ANSWER(*line, "Server: %s", exchange->server);
}

static void describe_skew(const struct evidence_exchange *exchange, struct story_line *line)
{
	int64_t skew_s = exchange->skew_us / US_PER_S;

	if (!exchange->has_date || (exchange->skew_us < SKEW_TOLD_US && exchange->skew_us > -SKEW_TOLD_US))
		return;
	STORY_ANSWER(*line, "this host's clock is %" PRId64 " s %s its Date", skew_s > 0 ? skew_s : -skew_s,
		skew_s > 0 ? "behind" : "ahead of");
}

static void describe_progress(const struct evidence_exchange *exchange, struct story_line *line)
{
	if (exchange->stage == HTTP_STAGE_TRANSFER)
		STORY_ANSWER(*line, "after %" PRId64 " bytes of the body", exchange->received_bytes);
	else
		STORY_ANSWER(*line, "before the first byte");
}

static void describe_response(const struct evidence_exchange *exchange, struct story_line *line)
{
	line->mark = exchange->outcome == OUTCOME_OK ? STORY_GOOD : STORY_BAD;
	line->elapsed_us = exchange->phase_us[PHASE_FIRST_BYTE];
	if (exchange->status != 0) {
		describe_status(exchange, line);
	} else {
		STORY_ANSWER(*line, "%s", outcome_words(exchange->outcome));
		line->elapsed_us = exchange->total_us;
	}
	if (exchange->outcome == OUTCOME_HTTP_TIMEOUT || exchange->outcome == OUTCOME_HTTP_RESET)
		describe_progress(exchange, line);
	describe_skew(exchange, line);
	if (exchange->is_from_daemon)
		STORY_ANSWER(*line, "as the daemon's last run found it");
}

/* ---- the main exchange, hop by hop ------------------------------------------------------------- */

/* With one path its address stands above already. */
static void name_path(const struct story_teller *teller, const struct evidence_path *path, struct story_line *line)
{
	char address[ADDRESS_TEXT_SIZE];

	if (evidence_count_paths(teller->evidence) < 2)
		return;
	address_format(&path->address, address);
	STORY_NAME(*line, "%s", address);
}

static void tell_tcp(struct story_teller *teller, const struct evidence_path *path)
{
	const struct evidence_exchange *exchange = &path->exchanges[EXCHANGE_MAIN];
	struct story_line line = story_line_of("tcp", DIAGNOSIS_HOP_CONNECT);
	char address[ADDRESS_TEXT_SIZE];

	if (!exchange->is_asked || exchange->stage < HTTP_STAGE_CONNECT)
		return;
	address_format_port(&path->address, address);
	name_path(teller, path, &line);
	if (!line.subject[0])
		STORY_NAME(line, "port %u", (unsigned)address_port(&path->address));
	STORY_ASK(line, "Does %s take a connection?", address);
	story_connect_describe_tcp(exchange, &line);
	story_add(teller, &line);
}

static void tell_tls(struct story_teller *teller, const struct evidence_path *path)
{
	const struct evidence_exchange *exchange = &path->exchanges[EXCHANGE_MAIN];
	struct story_line line = story_line_of("tls", DIAGNOSIS_HOP_TLS);

	if (!exchange->is_asked || !teller->evidence->target.is_tls || exchange->stage < HTTP_STAGE_TLS)
		return;
	name_path(teller, path, &line);
	STORY_ASK(line, "Does the handshake for %s succeed?", teller->evidence->target.host);
	story_connect_describe_tls(teller, exchange, &line);
	story_add(teller, &line);
}

static void describe_detail(const struct evidence_exchange *exchange, struct story_line *line)
{
	if (exchange->detail[0])
		STORY_ANSWER(*line, "%s", exchange->detail);
}

/* Its words alone do not say which header or what of the body. */
static bool is_about_content(enum outcome outcome)
{
	return outcome == OUTCOME_HTTP_HEADER || outcome == OUTCOME_HTTP_BODY || outcome == OUTCOME_HTTP_PROTOCOL;
}

static void tell_unsent(struct story_teller *teller, struct story_line *line)
{
	line->mark = STORY_SKIPPED;
	STORY_ANSWER(*line, "%s is never sent by a diagnosis; it ended after the handshake",
		teller->evidence->target.method);
}

static void tell_http(struct story_teller *teller, const struct evidence_path *path)
{
	const struct evidence_exchange *exchange = &path->exchanges[EXCHANGE_MAIN];
	struct story_line line = story_line_of("http", DIAGNOSIS_HOP_HTTP);

	if (!exchange->is_asked)
		return;
	name_path(teller, path, &line);
	STORY_ASK(line, "What comes back for %s %s", teller->evidence->target.method, teller->evidence->target.url);
	if (exchange->stage == HTTP_STAGE_SETUP) {
		line.mark = STORY_BAD;
		STORY_ANSWER(line, "not tried: %s", outcome_words(exchange->outcome));
		describe_detail(exchange, &line);
	} else if (exchange->stage < HTTP_STAGE_FIRST_BYTE) {
		line.mark = STORY_SKIPPED;
		STORY_ANSWER(line, "not reached");
	} else if (exchange->is_stand_in) {
		tell_unsent(teller, &line);
	} else {
		describe_response(exchange, &line);
		if (line.mark != STORY_GOOD && (teller->verbose || is_about_content(exchange->outcome)))
			describe_detail(exchange, &line);
	}
	story_add(teller, &line);
}

/* ---- what was tried to understand it ------------------------------------------------------------ */

struct follow_up {
	const char *step;
	enum diagnosis_hop hop;
	const char *subject;
	const char *question;
};

static const struct follow_up follow_ups[EXCHANGE_KINDS] = {
	[EXCHANGE_OTHER_SCHEME] = { "http", DIAGNOSIS_HOP_HTTP, "other scheme",
		"Does the port speak the other scheme, http for https or the other way round?" },
	[EXCHANGE_OTHER_NAME] = { "tls", DIAGNOSIS_HOP_TLS, "generated name",
		"Does the same address answer for the service's generated name?" },
	[EXCHANGE_SMALL_SEGMENTS] = { "tcp", DIAGNOSIS_HOP_CONNECT, "small segments",
		"Does it answer with segments small enough for any path?" },
	[EXCHANGE_OTHER_PORT] = { "tcp", DIAGNOSIS_HOP_CONNECT, "other port",
		"Does the address take a connection on the other usual port?" },
};

/* How far it came, by the phase that ended it. Any response shows what was asked: that it answers. */
static void describe_follow_up(const struct story_teller *teller, const struct evidence_exchange *exchange,
	struct story_line *line)
{
	if (exchange->status != 0) {
		line->mark = STORY_GOOD;
		STORY_ANSWER(*line, "answers: %d %s", exchange->status, version_words(exchange->http_version));
	} else if (exchange->phase_us[PHASE_CONNECT] == PHASE_NONE) {
		story_connect_describe_tcp(exchange, line);
	} else if (exchange->phase_us[PHASE_TLS] != PHASE_NONE ||
		   outcome_phase(exchange->outcome) == OUTCOME_PHASE_TLS) {
		story_connect_describe_tls(teller, exchange, line);
	} else if (exchange->outcome == OUTCOME_OK) {
		story_connect_describe_tcp(exchange, line);
	} else {
		describe_response(exchange, line);
	}
	line->elapsed_us = exchange->total_us;
}

static void tell_follow_ups(struct story_teller *teller, const struct evidence_path *path, const char *step)
{
	for (size_t i = 0; i < EXCHANGE_KINDS; i++) {
		const struct follow_up *follow_up = &follow_ups[i];
		const struct evidence_exchange *exchange = &path->exchanges[i];
		struct story_line line;

		if (!follow_up->step || strcmp(follow_up->step, step) != 0 || !exchange->is_asked)
			continue;
		line = story_line_of(follow_up->step, follow_up->hop);
		STORY_NAME(line, "%s", follow_up->subject);
		if (i == EXCHANGE_OTHER_PORT)
			STORY_NAME(line, " %u", (unsigned)exchange->port);
		STORY_ASK(line, "%s", follow_up->question);
		describe_follow_up(teller, exchange, &line);
		story_add(teller, &line);
	}
}

static void tell_hop(struct story_teller *teller, void (*tell)(struct story_teller *, const struct evidence_path *),
	const char *step)
{
	const struct evidence *evidence = teller->evidence;

	for (size_t i = 0; i < evidence_count_paths(evidence); i++)
		tell(teller, &evidence->paths[i]);
	for (size_t i = 0; i < evidence_count_paths(evidence); i++)
		tell_follow_ups(teller, &evidence->paths[i], step);
}

void story_http_tell(struct story_teller *teller)
{
	tell_hop(teller, tell_tcp, "tcp");
	tell_hop(teller, tell_tls, "tls");
	tell_hop(teller, tell_http, "http");
}
