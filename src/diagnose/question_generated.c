/* SPDX-License-Identifier: Apache-2.0 */
#include "question_internal.h"

#include <string.h>

static bool is_lattice_name(const char *name)
{
	enum evidence_name kind = evidence_name_of(name);

	return kind == EVIDENCE_NAME_SERVICE || kind == EVIDENCE_NAME_ENDPOINT || kind == EVIDENCE_NAME_RESOURCE;
}

const char *question_generated_find(const struct evidence_dns *evidence)
{
	for (size_t i = 0; i < evidence->resolver_count; i++)
		for (size_t j = 0; j < EVIDENCE_FAMILIES; j++) {
			const char *cname = evidence->resolvers[i].answers[j].cname;

			if (cname[0] && is_lattice_name(cname))
				return cname;
		}
	return "";
}

void question_generated_stop(struct question_generated *generated)
{
	for (size_t i = 0; i < EVIDENCE_FAMILIES; i++)
		question_ask_stop(&generated->asks[i]);
	generated->open = 0;
}

static void on_answer(void *user)
{
	struct question_generated *generated = user;

	if (--generated->open == 0)
		generated->ended(generated->user);
}

bool question_generated_start(struct question_generated *generated, const struct diagnose_context *context,
	struct evidence *evidence, void (*ended)(void *user), void *user)
{
	const struct evidence_resolver *resolver = evidence_vpc_resolver(evidence);
	struct evidence_dns *dns = &evidence->dns;

	*generated = (struct question_generated){ .ended = ended, .user = user };
	if (!resolver || !dns_message_name_is_valid(dns->generated_name))
		return false;
	for (size_t i = 0; i < EVIDENCE_FAMILIES; i++) {
		struct question_ask *ask = &generated->asks[i];

		if (!question_ask_is_wanted(evidence->target.ip, (enum evidence_family)i))
			continue;
		*ask = (struct question_ask){ .context = context, .server = &resolver->server,
			.name = dns->generated_name, .family = (enum evidence_family)i,
			.answer = &dns->generated[i], .ended = on_answer, .user = generated };
		generated->open += question_ask_start(ask);
	}
	return generated->open > 0;
}
