/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence_hostile.h"

#include <string.h>

#include "lattice-probe/diagnosis.h"

#include "evidence_fixture.h"

const char *const evidence_hostile_texts[] = {
	"\033]0;owned\007\033[2J\r\n",
	"\377\376\200\300\257\355\240\200",
	"\342\200\256\342\200\213\357\273\277",
	"\360\237\230\200\360\237",
	"%s%n%99999d{HOST}",
	"\"'`$(reboot);&|<>\\",
	"\001",
	"i\314\210\314\210",
	NULL,
};

#define FILL(field) fill((field), sizeof(field), text)

static void fill(char *field, size_t size_bytes, const char *text)
{
	size_t length = strlen(text);

	for (size_t i = 0; i + 1 < size_bytes; i++)
		field[i] = text[i % length];
	field[size_bytes - 1] = '\0';
}

static void fill_where(struct evidence_where *where, const char *text)
{
	FILL(where->identity.vendor);
	FILL(where->identity.product);
	FILL(where->identity.asset_tag);
	FILL(where->facts.instance_id);
	FILL(where->facts.availability_zone);
	FILL(where->facts.availability_zone_id);
	FILL(where->facts.region);
	FILL(where->facts.vpc_id);
	FILL(where->facts.subnet_id);
	FILL(where->account_id);
	FILL(where->public_ipv4);
	FILL(where->security_groups);
	FILL(where->network_namespace);
}

static void fill_answers(struct evidence_answer answers[EVIDENCE_FAMILIES], const char *text)
{
	for (size_t i = 0; i < EVIDENCE_FAMILIES; i++) {
		answers[i].is_asked = true;
		answers[i].outcome = OUTCOME_DNS_BAD_REPLY;
		answers[i].cname_count = 2;
		answers[i].address_count = SIZE_MAX;
		FILL(answers[i].cname);
		FILL(answers[i].detail);
	}
}

static void fill_dns(struct evidence_dns *dns, const char *text)
{
	fill_answers(dns->resolvers[0].answers, text);
	fill_answers(dns->generated, text);
	FILL(dns->generated_name);
}

static void fill_exchange(struct evidence_exchange *exchange, const char *text)
{
	exchange->is_asked = true;
	FILL(exchange->tls_version);
	FILL(exchange->alpn);
	FILL(exchange->certificate_subject);
	FILL(exchange->certificate_issuer);
	FILL(exchange->denied_by);
	FILL(exchange->server);
	FILL(exchange->detail);
	exchange->certificate_days = INT32_MIN + 1;
	exchange->is_lattice_denial = true;
	exchange->status = 403;
	exchange->has_date = true;
	exchange->skew_us = INT64_MIN;
}

static void fill_control(struct evidence_control *control, const char *text)
{
	FILL(control->first_refusal);
	FILL(control->association_id);
	FILL(control->association_status);
	FILL(control->association_failure);
	FILL(control->service_network_id);
	FILL(control->service_id);
	FILL(control->generated_name);
	FILL(control->service_status);
	FILL(control->blocked_by);
	control->instance_sg_allows = CLAIM_NO;
}

static void fill_publishing(struct evidence_publishing *publishing, const char *text)
{
	FILL(publishing->source);
	FILL(publishing->principal);
	FILL(publishing->why);
	FILL(publishing->code);
	FILL(publishing->endpoint);
	publishing->class_ = AWS_CLASS_DENIED;
	publishing->skew_us = INT64_MIN;
}

static void fill_lines(struct diagnosis_lines *lines, const char *text)
{
	lines->count = DIAGNOSIS_LINES_MAX;
	for (size_t i = 0; i < DIAGNOSIS_LINES_MAX; i++)
		FILL(lines->items[i]);
}

static void fill_diagnosis(struct diagnosis *diagnosis, const char *text)
{
	memset(diagnosis, 0, sizeof *diagnosis);
	diagnosis->verdict = DIAGNOSIS_DNS_WRONG_RESOLVER;
	FILL(diagnosis->summary);
	fill_lines(&diagnosis->why, text);
	fill_lines(&diagnosis->notes, text);
	diagnosis->ruled_out_count = DIAGNOSIS_CANDIDATES_MAX;
	for (size_t i = 0; i < DIAGNOSIS_CANDIDATES_MAX; i++)
		FILL(diagnosis->ruled_out[i].because);
}

void evidence_make_hostile(struct evidence *ret_evidence, struct diagnosis *ret_diagnosis, const char *text)
{
	evidence_healthy(ret_evidence);
	evidence_add_control(ret_evidence);
	evidence_add_publishing(ret_evidence);
	FILL(ret_evidence->target.probe);
	FILL(ret_evidence->target.url);
	FILL(ret_evidence->target.host);
	FILL(ret_evidence->target.method);
	fill_where(&ret_evidence->where, text);
	fill_dns(&ret_evidence->dns, text);
	for (size_t i = 0; i < EXCHANGE_KINDS; i++)
		fill_exchange(&ret_evidence->paths[0].exchanges[i], text);
	FILL(ret_evidence->paths[0].route.device);
	fill_control(&ret_evidence->control, text);
	fill_publishing(&ret_evidence->publishing, text);
	ret_evidence->daemon = (struct evidence_daemon){ .is_running = true, .knows_probe = true,
		.last_outcome = OUTCOME_HTTP_BODY, .age_us = INT64_MAX, .streak = INT32_MAX };
	FILL(ret_evidence->daemon.credentials);
	fill_diagnosis(ret_diagnosis, text);
}
