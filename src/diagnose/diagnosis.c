/* SPDX-License-Identifier: Apache-2.0 */
/* The rules run in the order of the path; the first that decides names the fault that must be mended
 * first. What the probe's own exchange came to goes before all of them: a service that answers as
 * expected is healthy, and what this host lacks is no verdict about the service. */
#include "lattice-probe/diagnosis.h"

#include <assert.h>
#include <string.h>

#include "diagnosis_internal.h"

struct row {
	const char *name;
	const char *words;
	enum diagnosis_hop hop;
	enum diagnosis_basis basis;
};

/* Rows and enum come from one list, so neither can have what the other lacks. */
static const struct row rows[DIAGNOSIS_COUNT] = {
#define DIAGNOSIS(NAME, name, hop, basis, words) \
	[DIAGNOSIS_##NAME] = { name, words, DIAGNOSIS_HOP_##hop, DIAGNOSIS_BASIS_##basis },
#include "lattice-probe/diagnosis.def"
#undef DIAGNOSIS
};

static const struct row *row_of(enum diagnosis_verdict verdict)
{
	assert((size_t)verdict < DIAGNOSIS_COUNT);
	return &rows[verdict];
}

const char *diagnosis_name(enum diagnosis_verdict verdict)
{
	return row_of(verdict)->name;
}

const char *diagnosis_words(enum diagnosis_verdict verdict)
{
	return row_of(verdict)->words;
}

enum diagnosis_hop diagnosis_hop(enum diagnosis_verdict verdict)
{
	return row_of(verdict)->hop;
}

enum diagnosis_basis diagnosis_basis(enum diagnosis_verdict verdict)
{
	return row_of(verdict)->basis;
}

const char *diagnosis_hop_name(enum diagnosis_hop hop)
{
	static const char *const names[] = {
		[DIAGNOSIS_HOP_NONE] = "none", [DIAGNOSIS_HOP_DNS] = "dns", [DIAGNOSIS_HOP_ROUTE] = "route",
		[DIAGNOSIS_HOP_CONNECT] = "connect", [DIAGNOSIS_HOP_TLS] = "tls", [DIAGNOSIS_HOP_HTTP] = "http",
		[DIAGNOSIS_HOP_PUBLISH] = "publish",
	};

	assert((size_t)hop < sizeof names / sizeof *names);
	return names[hop];
}

const char *diagnosis_basis_name(enum diagnosis_basis basis)
{
	static const char *const names[] = {
		[DIAGNOSIS_BASIS_DOCUMENTED] = "documented", [DIAGNOSIS_BASIS_OBSERVED] = "observed",
		[DIAGNOSIS_BASIS_INFERRED] = "inferred",
	};

	assert((size_t)basis < sizeof names / sizeof *names);
	return names[basis];
}

const char *diagnosis_confidence_name(enum diagnosis_confidence confidence)
{
	static const char *const names[] = {
		[DIAGNOSIS_CERTAIN] = "certain", [DIAGNOSIS_LIKELY] = "likely",
		[DIAGNOSIS_CANDIDATES] = "candidates",
	};

	assert((size_t)confidence < sizeof names / sizeof *names);
	return names[confidence];
}

/* ---- deciding --------------------------------------------------------------------------------- */

static void decide_healthy(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	const struct evidence_exchange *main = view->main;
	struct diagnosis_text address = diagnosis_say_address(&view->path->address);
	bool is_seen = !main->is_stand_in && !main->is_from_daemon;

	if (diagnosis_dns_decide_fallback(view, ret_diagnosis) || diagnosis_publish_decide(view, ret_diagnosis))
		return;
	diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_HEALTHY, is_seen ? DIAGNOSIS_CERTAIN : DIAGNOSIS_LIKELY);
	if (main->status > 0)
		diagnosis_say_summary(ret_diagnosis, "%s answers from here as expected: status %d from %s.", view->host,
			main->status, address.text);
	else
		diagnosis_say_summary(ret_diagnosis, "The way to %s is open: %s takes the connection%s.", view->host,
			address.text, view->target->is_tls ? " and the TLS handshake" : "");
	diagnosis_say_why(ret_diagnosis, "%s port %u (%s): %s", address.text, (unsigned)view->target->port,
		address_class_words(view->path->class_), outcome_words(main->outcome));
}

/* Never a verdict about the service. */
static void decide_local(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	if (diagnosis_view_ended(view, OUTCOME_LOCAL_DENIED)) {
		(void)diagnosis_address_decide(view, ret_diagnosis);
		return;
	}
	diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_UNDETERMINED, DIAGNOSIS_LIKELY);
	diagnosis_say_summary(ret_diagnosis, "Nothing can be said of %s: %s.", view->host,
		outcome_words(view->main->outcome));
	diagnosis_say_why(ret_diagnosis, "the request was not made: that is this host's trouble, not the service's");
}

static void decide_nothing(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	diagnosis_say_verdict(ret_diagnosis, DIAGNOSIS_UNDETERMINED, DIAGNOSIS_LIKELY);
	if (view->evidence->is_cut_short)
		diagnosis_say_summary(ret_diagnosis, "The time was over before %s could be judged.", view->host);
	else if (view->evidence->dns.is_asked && !view->first)
		diagnosis_say_summary(ret_diagnosis, "No resolver is configured: %s could not be looked up.", view->host);
	else
		diagnosis_say_summary(ret_diagnosis, "The evidence does not say what is wrong with %s.", view->host);
	diagnosis_say_why(ret_diagnosis, view->main ? "the exchange ended in a way that no rule knows" :
		"the request was not made");
}

static void decide_failure(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	static bool (*const rules[])(const struct diagnosis_view *, struct diagnosis *) = {
		diagnosis_dns_decide, diagnosis_address_decide, diagnosis_route_decide, diagnosis_connect_decide,
		diagnosis_tls_decide, diagnosis_http_decide,
	};

	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
		if (rules[i](view, ret_diagnosis))
			return;
	decide_nothing(view, ret_diagnosis);
}

/* The one place where what is only inferred is kept from being certain. */
static void clamp(struct diagnosis *diagnosis)
{
	if (diagnosis->basis == DIAGNOSIS_BASIS_INFERRED && diagnosis->confidence == DIAGNOSIS_CERTAIN)
		diagnosis->confidence = DIAGNOSIS_LIKELY;
}

void diagnosis_decide(const struct evidence *evidence, struct diagnosis *ret_diagnosis)
{
	struct diagnosis_view view;

	memset(ret_diagnosis, 0, sizeof *ret_diagnosis);
	diagnosis_view_init(&view, evidence);
	if (diagnosis_view_ended(&view, OUTCOME_OK))
		decide_healthy(&view, ret_diagnosis);
	else if (view.main && outcome_is_local(view.main->outcome) && !diagnosis_view_is_routeless(&view))
		decide_local(&view, ret_diagnosis);
	else
		decide_failure(&view, ret_diagnosis);
	clamp(ret_diagnosis);
	diagnosis_notes_add(&view, ret_diagnosis);
	diagnosis_notes_rule_out(&view, ret_diagnosis);
}
