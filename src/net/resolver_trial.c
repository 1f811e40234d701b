/* SPDX-License-Identifier: Apache-2.0 */
/* What a datagram from the server comes to (the socket is connected, others never reach us):
 *   - our id, our question, parses, whole     an answer, or the server's error
 *   - the same, but TC                        c-ares is to ask again over TCP
 *   - our id, but no reply, or not parseable  a bad reply, at once
 *   - another id, or another question         a forgery or a straggler: ignored, counted
 * Over TCP, where nobody can slip in a reply, the last is a bad reply too. */
#include "lattice-probe/resolver.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lattice-probe/err.h"
#include "resolver_internal.h"

#define STREAM_MAX_BYTES ((size_t)2 * (2 + 65535))
#define PLAIN_UDP_BYTES 512 /* RFC 1035 section 4.2.1 */

void resolver_trial_init(struct resolver_trial *trial, struct resolver_scratch *scratch, const char *name,
	enum dns_type type)
{
	size_t length = strlen(name);

	assert(length < sizeof trial->name);
	*trial = (struct resolver_trial){ .scratch = scratch, .type = type };
	memcpy(trial->name, name, length + 1);
	buf_init(&trial->stream, STREAM_MAX_BYTES);
}

void resolver_trial_done(struct resolver_trial *trial)
{
	buf_done(&trial->stream);
}

static void end_v(struct resolver_trial *trial, enum outcome outcome, const char *format, va_list arguments)
	__attribute__((format(printf, 3, 0)));

static void end_v(struct resolver_trial *trial, enum outcome outcome, const char *format, va_list arguments)
{
	trial->end.outcome = outcome;
	trial->end.received = mono_now();
	(void)vsnprintf(trial->end.why, sizeof trial->end.why, format, arguments);
}

void resolver_trial_fail(struct resolver_trial *trial, enum outcome outcome, const char *format, ...)
{
	va_list arguments;

	if (trial->end.outcome != OUTCOME_NONE)
		return;
	va_start(arguments, format);
	end_v(trial, outcome, format, arguments);
	va_end(arguments);
}

void resolver_trial_fail_by_errno(struct resolver_trial *trial, const char *call)
{
	int error = errno;
	bool is_ours = error == EMFILE || error == ENFILE || error == ENOMEM || error == ENOBUFS ||
		error == EAGAIN;

	if (trial->end.outcome == OUTCOME_NONE)
		trial->end.local_errno = error;
	resolver_trial_fail(trial, is_ours ? OUTCOME_LOCAL_FAULT : OUTCOME_DNS_UNREACHABLE, "%s: %s", call,
		strerror(error));
	errno = error;
}

/* ---- replies -------------------------------------------------------------------------------- */

static const char *rcode_text(int rcode)
{
	static const char *const names[] = { "NOERROR", "FORMERR", "SERVFAIL", "NXDOMAIN", "NOTIMP", "REFUSED",
		"YXDOMAIN", "YXRRSET", "NXRRSET", "NOTAUTH", "NOTZONE" };

	return rcode < (int)(sizeof names / sizeof *names) ? names[rcode] : "an unknown RCODE";
}

static enum outcome outcome_of(const struct dns_message *message)
{
	switch (message->rcode) {
	case 0:
		if (message->is_cname_loop)
			return OUTCOME_DNS_BAD_REPLY;
		return message->address_total > 0 ? OUTCOME_OK : OUTCOME_DNS_NODATA;
	case 2:
		return OUTCOME_DNS_SERVFAIL;
	case 3:
		return OUTCOME_DNS_NXDOMAIN;
	case 5:
		return OUTCOME_DNS_REFUSED;
	default:
		return OUTCOME_DNS_BAD_REPLY;
	}
}

static void end_by_reply(struct resolver_trial *trial, const uint8_t *reply, size_t length)
{
	const struct dns_message *message = &trial->scratch->message;
	bool is_empty = message->rcode == 0 && message->address_total == 0;

	resolver_trial_fail(trial, outcome_of(message), "%s%s", rcode_text(message->rcode),
		message->is_cname_loop ? ", an alias that leads back to itself" : is_empty ? " without an address" : "");
	trial->end.has_reply = true;
	trial->end.message = message;
	trial->end.reply = reply;
	trial->end.reply_bytes = length;
}

static bool has_our_id(const struct resolver_trial *trial, const uint8_t *reply, size_t length)
{
	return length >= sizeof trial->id && memcmp(reply, trial->id, sizeof trial->id) == 0;
}

bool resolver_trial_datagram(struct resolver_trial *trial, size_t length, struct mono arrived)
{
	struct dns_message *message = &trial->scratch->message;
	const uint8_t *reply = trial->scratch->datagram;
	int err = ERR_NOT_FOUND;

	if (trial->is_tcp || trial->end.outcome != OUTCOME_NONE)
		return false;
	if (has_our_id(trial, reply, length))
		err = dns_message_parse(reply, length, trial->name, trial->type, message);
	if (err == ERR_NOT_FOUND) {
		trial->forged++;
		return false;
	}
	if (err) {
		resolver_trial_fail(trial, OUTCOME_DNS_BAD_REPLY, "malformed reply of %zu bytes", length);
		return false;
	}
	if (message->is_truncated) {
		trial->is_tcp = true;
		return true;
	}
	end_by_reply(trial, reply, length);
	trial->end.received = arrived;
	/* 1.18 would take a longer one for truncated, and go to TCP. */
	return length <= PLAIN_UDP_BYTES;
}

void resolver_trial_stream(struct resolver_trial *trial, const void *bytes, size_t length)
{
	struct dns_message *message = &trial->scratch->message;
	const uint8_t *reply;
	size_t reply_length;

	if (buf_append(&trial->stream, bytes, length) != 0) {
		resolver_trial_fail(trial, OUTCOME_LOCAL_FAULT, "no memory for a reply over TCP");
		return;
	}
	if (trial->stream.length_bytes < 2 || trial->end.outcome != OUTCOME_NONE)
		return;
	/* Two bytes of length, then the reply (RFC 1035 section 4.2.2). */
	reply = (const uint8_t *)trial->stream.data;
	reply_length = (size_t)reply[0] << 8 | reply[1];
	reply += 2;
	if (trial->stream.length_bytes - 2 < reply_length)
		return;
	if (has_our_id(trial, reply, reply_length) &&
	    dns_message_parse(reply, reply_length, trial->name, trial->type, message) == 0 && !message->is_truncated)
		end_by_reply(trial, reply, reply_length);
	else
		resolver_trial_fail(trial, OUTCOME_DNS_BAD_REPLY, "malformed reply of %zu bytes over TCP",
			reply_length);
}
