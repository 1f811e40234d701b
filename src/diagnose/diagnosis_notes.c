/* SPDX-License-Identifier: Apache-2.0 */
/* What was odd on the way and is not the cause; and what the evidence excludes. */
#include "lattice-probe/diagnosis.h"

#include <stdlib.h>

#include "diagnosis_internal.h"

#define SKEW_NOTED_US (5 * US_PER_S)
#define CERTIFICATE_DAYS_NOTED 14

/* ---- notes ------------------------------------------------------------------------------------- */

static void note_paths(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	for (size_t i = 0; i < diagnosis_view_count_paths(view); i++) {
		const struct evidence_path *path = &view->evidence->paths[i];
		const struct evidence_exchange *main = &path->exchanges[EXCHANGE_MAIN];

		if (path == view->path || !main->is_asked || main->outcome == OUTCOME_NONE)
			continue;
		diagnosis_say_note(ret_diagnosis, "The other address %s: %s", diagnosis_say_address(&path->address).text,
			outcome_words(main->outcome));
	}
}

static void note_route(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	const struct evidence_path *path = view->path;
	bool is_connected = diagnosis_view_passed(view->main, HTTP_STAGE_CONNECT);

	if (!path)
		return;
	if (diagnosis_view_is_zeroconf(&path->route) && ret_diagnosis->verdict != DIAGNOSIS_ROUTE_ZEROCONF)
		diagnosis_say_note(ret_diagnosis, "A zeroconf route 169.254.0.0/16 dev %s leads to the address%s",
			path->route.device, is_connected ? "; the link answers for it" : "");
	if (path->has_other_device && is_connected)
		diagnosis_say_note(ret_diagnosis, "The address is reached by %s, not by the default route's device",
			path->route.device);
	if (path->is_nat64)
		diagnosis_say_note(ret_diagnosis, "The address is a NAT64 one: a translator is on the way");
	if (is_connected && !diagnosis_view_is_expected(path->class_) && path->class_ != ADDRESS_CLASS_NONE &&
	    view->target->name != EVIDENCE_NAME_LITERAL)
		diagnosis_say_note(ret_diagnosis, "%s is %s", diagnosis_say_address(&path->address).text,
			address_class_words(path->class_));
}

static void note_exchange(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	const struct evidence_exchange *main = view->main;

	if (!main)
		return;
	if (main->tcp_retransmits > 0)
		diagnosis_say_note(ret_diagnosis, "TCP sent %d segment%s again", (int)main->tcp_retransmits,
			main->tcp_retransmits == 1 ? "" : "s");
	if (main->has_date && llabs(main->skew_us) > SKEW_NOTED_US)
		diagnosis_say_note(ret_diagnosis, "The server's clock and ours are %s apart",
			diagnosis_say_time(main->skew_us).text);
	if (main->certificate_days != CERTIFICATE_DAYS_NONE && main->certificate_days >= 0 &&
	    main->certificate_days < CERTIFICATE_DAYS_NOTED)
		diagnosis_say_note(ret_diagnosis, "The certificate expires in %d days", (int)main->certificate_days);
	if (main->is_from_daemon)
		diagnosis_say_note(ret_diagnosis, "The request was not made now: this is the daemon's last run");
	else if (main->is_stand_in)
		diagnosis_say_note(ret_diagnosis, "%s is never sent by a diagnosis: only the way there was tried",
			view->target->method[0] ? view->target->method : "An unsafe method");
}

static void note_resolvers(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	bool is_dns = diagnosis_hop(ret_diagnosis->verdict) == DIAGNOSIS_HOP_DNS;

	for (size_t i = 0; i < diagnosis_view_count_resolvers(view); i++) {
		const struct evidence_resolver *resolver = &view->evidence->dns.resolvers[i];
		enum outcome outcome = diagnosis_view_outcome(view, resolver);

		if (!is_dns && resolver->is_configured && outcome != OUTCOME_NONE && outcome != OUTCOME_OK)
			diagnosis_say_note(ret_diagnosis, "The configured resolver %s: %s",
				diagnosis_say_address(&resolver->server).text, outcome_words(outcome));
		else if (outcome == OUTCOME_OK && resolver->answered > 0 && resolver->asked > resolver->answered)
			diagnosis_say_note(ret_diagnosis, "The resolver %s answered %d of %d questions",
				diagnosis_say_address(&resolver->server).text, resolver->answered, resolver->asked);
	}
	if (view->evidence->dns.link_local_drops > 0 && ret_diagnosis->verdict != DIAGNOSIS_DNS_THROTTLED)
		diagnosis_say_note(ret_diagnosis, "Packets beyond the link-local allowance were dropped: %llu",
			(unsigned long long)view->evidence->dns.link_local_drops);
}

static bool is_blocked_on_paper(const struct evidence_control *control)
{
	return control->is_associated == CLAIM_NO || control->instance_sg_allows == CLAIM_NO ||
	       control->association_sg_allows == CLAIM_NO || control->nacl_allows_out == CLAIM_NO ||
	       control->nacl_allows_back == CLAIM_NO;
}

static void note_surroundings(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	const struct evidence *evidence = view->evidence;

	if (diagnosis_view_has_control(view) && is_blocked_on_paper(&evidence->control) &&
	    diagnosis_view_passed(view->main, HTTP_STAGE_CONNECT))
		diagnosis_say_note(ret_diagnosis, "The control plane's settings seem to forbid the connection, which stands");
	if (evidence->control.first_refusal[0])
		diagnosis_say_note(ret_diagnosis, "Not to be asked: %s", evidence->control.first_refusal);
	if (evidence->daemon.is_running && evidence->daemon.knows_probe && view->main &&
	    evidence->daemon.last_outcome != OUTCOME_NONE && evidence->daemon.last_outcome != view->main->outcome)
		diagnosis_say_note(ret_diagnosis, "The running agent's last result differs: %s",
			outcome_words(evidence->daemon.last_outcome));
	if (evidence->is_cut_short)
		diagnosis_say_note(ret_diagnosis, "The time was over before every question was answered");
}

void diagnosis_notes_add(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	note_paths(view, ret_diagnosis);
	note_route(view, ret_diagnosis);
	note_exchange(view, ret_diagnosis);
	note_resolvers(view, ret_diagnosis);
	note_surroundings(view, ret_diagnosis);
}

/* ---- ruled out ----------------------------------------------------------------------------------- */

static void rule_out_dns(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	struct diagnosis_text server;
	struct diagnosis_text address;

	if (!view->answering || !view->path || !diagnosis_view_vpc_agrees(view, view->path))
		return;
	server = diagnosis_say_address(&view->answering->server);
	address = diagnosis_say_address(&view->path->address);
	if (view->answering->is_vpc)
		diagnosis_say_ruled_out(ret_diagnosis, DIAGNOSIS_DNS_WRONG_RESOLVER, "the VPC resolver %s gives %s",
			server.text, address.text);
	else
		diagnosis_say_ruled_out(ret_diagnosis, DIAGNOSIS_DNS_WRONG_RESOLVER,
			"%s gives %s, and the VPC resolver agrees", server.text, address.text);
}

static void rule_out_place(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	const struct evidence_where *where = &view->evidence->where;

	if (where->imds == EVIDENCE_IMDS_OK)
		diagnosis_say_ruled_out(ret_diagnosis, DIAGNOSIS_OUTSIDE_VPC, "the instance's metadata answers%s%s",
			where->facts.vpc_id[0] ? ": it is in " : "", where->facts.vpc_id);
	else if (where->platform == HOST_PLATFORM_EC2)
		diagnosis_say_ruled_out(ret_diagnosis, DIAGNOSIS_OUTSIDE_VPC, "the firmware says Amazon EC2");
	else if (view->is_vpc_heard)
		diagnosis_say_ruled_out(ret_diagnosis, DIAGNOSIS_OUTSIDE_VPC, "the VPC resolver answers");
	if (view->path && view->path->route.kind == ROUTE_UNICAST)
		diagnosis_say_ruled_out(ret_diagnosis, DIAGNOSIS_ROUTE_MISSING, "the kernel has a route, by %s",
			view->path->route.device[0] ? view->path->route.device : "a device");
}

/* What stands cannot have been kept from standing. */
static void rule_out_connected(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	static const enum diagnosis_verdict blocks[] = {
		DIAGNOSIS_INSTANCE_SG_BLOCKS, DIAGNOSIS_NACL_BLOCKS, DIAGNOSIS_ASSOCIATION_SG_BLOCKS,
		DIAGNOSIS_VPC_NOT_ASSOCIATED,
	};
	bool is_association = diagnosis_view_is_association(view->path->class_);

	for (size_t i = 0; i < sizeof blocks / sizeof *blocks - (is_association ? 0 : 2); i++)
		diagnosis_say_ruled_out(ret_diagnosis, blocks[i], "the TCP connection to %s stands",
			diagnosis_say_address(&view->path->address).text);
	if (diagnosis_view_passed(view->main, HTTP_STAGE_TLS) && view->target->is_tls)
		diagnosis_say_ruled_out(ret_diagnosis, DIAGNOSIS_TLS_FAILED, "the handshake ended well%s%s",
			view->main->tls_version[0] ? ": " : "", view->main->tls_version);
}

void diagnosis_notes_rule_out(const struct diagnosis_view *view, struct diagnosis *ret_diagnosis)
{
	enum diagnosis_hop hop = diagnosis_hop(ret_diagnosis->verdict);

	if (hop == DIAGNOSIS_HOP_NONE || hop == DIAGNOSIS_HOP_DNS || hop == DIAGNOSIS_HOP_PUBLISH)
		return;
	rule_out_dns(view, ret_diagnosis);
	if (diagnosis_view_passed(view->main, HTTP_STAGE_CONNECT))
		rule_out_connected(view, ret_diagnosis);
	else
		rule_out_place(view, ret_diagnosis);
}
