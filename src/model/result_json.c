/* SPDX-License-Identifier: Apache-2.0 */
#include "lattice-probe/result_json.h"

#include <assert.h>
#include <stdint.h>
#include <stdio.h>

#include "lattice-probe/outcome.h"
#include "lattice-probe/result.h"
#include "lattice-probe/target.h"

/* jansson takes a NULL value as "no memory" and says so, so that the chain is checked once. */
struct writer {
	json_t *object;
	int failed;
};

static void put(struct writer *writer, const char *key, json_t *value)
{
	writer->failed |= json_object_set_new(writer->object, key, value);
}

static void put_number(struct writer *writer, const char *key, int64_t value)
{
	put(writer, key, json_integer(value));
}

static void put_number_unless(struct writer *writer, const char *key, int64_t value, int64_t none)
{
	put(writer, key, value == none ? json_null() : json_integer(value));
}

static void put_text(struct writer *writer, const char *key, const char *text)
{
	put(writer, key, *text ? json_string(text) : json_null());
}

/* The detail may quote what a server said; what is no UTF-8 cannot be JSON. */
static void put_detail(struct writer *writer, const char *detail)
{
	json_t *text = json_string(detail);

	put(writer, "detail", text ? text : json_string("(not printable)"));
}

static void put_phases(struct writer *writer, const int64_t phase_us[PHASE_COUNT], int64_t total_us)
{
	for (int phase = 0; phase < PHASE_COUNT; phase++) {
		char key[32];

		(void)snprintf(key, sizeof key, "%s_us", phase_name((enum phase)phase));
		put_number_unless(writer, key, phase_us[phase], PHASE_NONE);
	}
	put_number_unless(writer, "total_us", total_us, PHASE_NONE);
}

static const char *http_version_text(int version)
{
	switch (version) {
	case 0: return "";
	case 10: return "1.0";
	case 11: return "1.1";
	case 20: return "2";
	case 30: return "3";
	default: return "other";
	}
}

static json_t *cnames_to_json(const struct result *result)
{
	json_t *array = json_array();
	int failed = 0;

	for (size_t i = 0; array && i < result->cname_count; i++)
		failed |= json_array_append_new(array, json_string(result->cnames[i]));
	if (!failed)
		return array;
	json_decref(array);
	return NULL;
}

static json_t *marks_to_json(unsigned marks)
{
	static const struct {
		enum result_mark bit;
		const char *name;
	} names[] = {
		{ RESULT_MARK_LAGGED, "lagged" },
		{ RESULT_MARK_DNS_REUSED, "dns_reused" },
		{ RESULT_MARK_DNS_SHARED, "dns_shared" },
		{ RESULT_MARK_FALLBACK, "fallback" },
		{ RESULT_MARK_LOCAL_CACHE, "local_cache" },
	};
	json_t *array = json_array();
	int failed = 0;

	for (size_t i = 0; array && i < sizeof names / sizeof *names; i++)
		if (marks & names[i].bit)
			failed |= json_array_append_new(array, json_string(names[i].name));
	if (!failed)
		return array;
	json_decref(array);
	return NULL;
}

static json_t *attempt_to_json(const struct attempt *attempt)
{
	struct writer writer = { .object = json_object() };
	char address[ADDRESS_TEXT_SIZE];

	address_format(&attempt->address, address);
	put_text(&writer, "outcome", outcome_name(attempt->outcome));
	put_text(&writer, "address", address);
	put_number_unless(&writer, "status", attempt->status, 0);
	put_phases(&writer, attempt->phase_us, attempt->total_us);
	put_number_unless(&writer, "tcp_rtt_us", attempt->tcp_rtt_us, -1);
	put_number_unless(&writer, "tcp_retransmits", attempt->tcp_retransmits, -1);
	if (!writer.failed)
		return writer.object;
	json_decref(writer.object);
	return NULL;
}

static json_t *attempts_to_json(const struct result *result)
{
	json_t *array = json_array();
	int failed = 0;

	for (size_t i = 0; array && i < result->attempt_count; i++)
		failed |= json_array_append_new(array, attempt_to_json(&result->attempts[i]));
	if (!failed)
		return array;
	json_decref(array);
	return NULL;
}

static json_t *question_to_json(const struct result_question *question)
{
	struct writer writer = { .object = json_object() };
	char server[ADDRESS_TEXT_SIZE];

	address_format_port(&question->server, server);
	put_text(&writer, "type", question->type == RESULT_TYPE_A ? "A" : "AAAA");
	put_text(&writer, "outcome", outcome_name(question->outcome));
	put_number_unless(&writer, "rcode", question->rcode, -1);
	put_text(&writer, "resolver", server);
	put_number(&writer, "elapsed_us", question->elapsed_us);
	put_number_unless(&writer, "ttl_s", question->ttl_s, -1);
	put_number(&writer, "addresses", (int64_t)question->address_count);
	put_number(&writer, "retransmits", question->retransmits);
	put(&writer, "marks", marks_to_json(question->marks));
	if (!writer.failed)
		return writer.object;
	json_decref(writer.object);
	return NULL;
}

static json_t *questions_to_json(const struct result *result)
{
	json_t *array = json_array();
	int failed = 0;

	for (size_t i = 0; array && i < result->question_count; i++)
		failed |= json_array_append_new(array, question_to_json(&result->questions[i]));
	if (!failed)
		return array;
	json_decref(array);
	return NULL;
}

/* What was asked and who answered. */
static void put_answer(struct writer *writer, const struct result *result)
{
	char address[ADDRESS_TEXT_SIZE];
	char resolver[ADDRESS_TEXT_SIZE];

	address_format(&result->address, address);
	address_format_port(&result->resolver, resolver);
	put_text(writer, "probe", result->target->name);
	put_text(writer, "url", result->target->url.redacted);
	put_text(writer, "outcome", outcome_name(result->outcome));
	put_number_unless(writer, "status", result->status, 0);
	put_text(writer, "http_version", http_version_text(result->http_version));
	put_number_unless(writer, "family", result->family, 0);
	put_text(writer, "address", address);
	put_text(writer, "resolver", resolver);
	put_number_unless(writer, "rcode", result->rcode, -1);
	put(writer, "cname", cnames_to_json(result));
	put_number_unless(writer, "ttl_s", result->ttl_s, -1);
}

static void put_measures(struct writer *writer, const struct result *result)
{
	put_phases(writer, result->phase_us, result->total_us);
	put_number_unless(writer, "tcp_rtt_us", result->tcp_rtt_us, -1);
	put_number_unless(writer, "tcp_retransmits", result->tcp_retransmits, -1);
	put_number(writer, "dns_retransmits", result->dns_retransmits);
	put_number_unless(writer, "certificate_days", result->certificate_days, CERTIFICATE_DAYS_NONE);
	put_number(writer, "bytes", result->body_bytes);
	put_number(writer, "lag_us", result->lag_us);
	put(writer, "marks", marks_to_json(result->marks));
	put(writer, "questions", questions_to_json(result));
	put(writer, "attempts", attempts_to_json(result));
}

json_t *result_to_json(const struct result *result)
{
	struct writer writer = { .object = json_object() };
	char start[WALL_TEXT_SIZE];

	assert(result->target);
	wall_format_rfc3339(result->start, start);
	put_answer(&writer, result);
	put_measures(&writer, result);
	put_text(&writer, "start", result->start.us ? start : "");
	if (result->detail[0])
		put_detail(&writer, result->detail);
	if (!writer.failed)
		return writer.object;
	json_decref(writer.object);
	return NULL;
}
