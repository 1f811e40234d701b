/* SPDX-License-Identifier: Apache-2.0 */
/* Each hop in its less usual states: a table of a small change to a healthy world and what is told then. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "lattice-probe/evidence.h"
#include "lattice-probe/story.h"
#include "lattice-probe/units.h"

#include "evidence_fixture.h"

#define SET_TEXT(field, text) (void)snprintf((field), sizeof(field), "%s", (text))

struct row {
	void (*change)(struct evidence *evidence);
	const char *step;
	const char *subject; /* NULL: the first of the step */
	enum story_mark mark;
	const char *words;
};

static bool is_told(const struct story *story, const struct row *row)
{
	for (size_t i = 0; i < story->count; i++) {
		const struct story_step *step = &story->steps[i];

		if (strcmp(step->step, row->step) != 0 || (row->subject && strcmp(step->subject, row->subject) != 0))
			continue;
		if (strstr(step->answer, row->words) && step->mark == row->mark)
			return true;
		print_message("%s %s told with mark %d: %s\n", step->step, step->subject, (int)step->mark, step->answer);
		if (!row->subject)
			return false;
	}
	return false;
}

static void assert_rows(const struct row *rows, size_t count, bool verbose)
{
	static struct evidence evidence;
	static struct story story;

	for (size_t i = 0; i < count; i++) {
		evidence_healthy(&evidence);
		rows[i].change(&evidence);
		story_tell(&evidence, verbose, &story);
		if (!is_told(&story, &rows[i]))
			fail_msg("%s does not tell \"%s\"", rows[i].step, rows[i].words);
	}
}

#define ASSERT_ROWS(rows, verbose) assert_rows(rows, sizeof(rows) / sizeof *(rows), verbose)

static struct evidence_exchange *main_of(struct evidence *evidence)
{
	return &evidence_path(evidence)->exchanges[EXCHANGE_MAIN];
}

/* ---- where ------------------------------------------------------------------------------------ */

static void hide_imds(struct evidence *evidence)
{
	evidence->where.imds = EVIDENCE_IMDS_SILENT;
	evidence->where.platform = HOST_PLATFORM_UNKNOWN;
	evidence_set_exchange(evidence, EXCHANGE_MAIN, OUTCOME_CONNECT_TIMEOUT);
}

static void limit_hops(struct evidence *evidence)
{
	evidence->where.imds = EVIDENCE_IMDS_HOP_LIMIT;
}

static void switch_imds_off(struct evidence *evidence)
{
	evidence->where.imds = EVIDENCE_IMDS_OFF;
}

static void answer_oddly(struct evidence *evidence)
{
	evidence->where.imds = EVIDENCE_IMDS_ODD;
}

static void leave_aws(struct evidence *evidence)
{
	evidence_set_outside(evidence);
	evidence_set_exchange(evidence, EXCHANGE_MAIN, OUTCOME_CONNECT_TIMEOUT);
}

static void leave_aws_and_be_answered(struct evidence *evidence)
{
	evidence_set_outside(evidence);
}

static void move_to_an_unsupported_zone(struct evidence *evidence)
{
	SET_TEXT(evidence->where.facts.availability_zone_id, "use1-az3");
	evidence_set_exchange(evidence, EXCHANGE_MAIN, OUTCOME_CONNECT_TIMEOUT);
}

static void have_only_ipv6(struct evidence *evidence)
{
	evidence->where.has_ipv4_default = false;
	evidence->where.has_ipv6_default = true;
	SET_TEXT(evidence->where.public_ipv4, "198.51.100.7");
}

static void have_no_default(struct evidence *evidence)
{
	evidence->where.has_ipv4_default = false;
	evidence_set_exchange(evidence, EXCHANGE_MAIN, OUTCOME_CONNECT_UNREACHABLE);
}

static void have_no_credentials(struct evidence *evidence)
{
	evidence->publishing.is_asked = true;
	SET_TEXT(evidence->publishing.why, "nothing in the chain");
}

static void the_machine_and_its_ways_out_are_told(void **state)
{
	static const struct row rows[] = {
		{ hide_imds, "where", "machine", STORY_UNKNOWN, "does not say whether it is EC2" },
		{ hide_imds, "where", "metadata", STORY_UNKNOWN, "does not answer" },
		{ limit_hops, "where", "metadata", STORY_BAD, "hop limit is too low" },
		{ switch_imds_off, "where", "metadata", STORY_UNKNOWN, "switched off" },
		{ answer_oddly, "where", "metadata", STORY_UNKNOWN, "not EC2's" },
		{ leave_aws, "where", "machine", STORY_BAD, "not EC2: the firmware says LENOVO" },
		{ leave_aws_and_be_answered, "where", "machine", STORY_GOOD, "not EC2" },
		{ move_to_an_unsupported_zone, "where", "machine", STORY_BAD, "a zone without VPC Lattice" },
		{ have_only_ipv6, "where", "network", STORY_GOOD, "IPv6 only, public address 198.51.100.7" },
		{ have_no_default, "where", "network", STORY_BAD, "no default route" },
		{ have_no_credentials, "where", "credentials", STORY_UNKNOWN, "none: nothing in the chain" },
		{ have_no_credentials, "publish", NULL, STORY_SKIPPED, "there are no credentials" },
	};

	(void)state;
	ASSERT_ROWS(rows, false);
}

/* ---- DNS and the address ------------------------------------------------------------------------ */

static void give_many_addresses(struct evidence *evidence)
{
	struct evidence_answer *answer = &evidence->dns.resolvers[0].answers[EVIDENCE_A];

	answer->address_count = 11;
	for (size_t i = 0; i < EVIDENCE_ADDRESSES_MAX; i++)
		answer->addresses[i] = evidence_address(EVIDENCE_LATTICE_V4, 0);
	answer->cname_count = 1;
	answer->retransmits = 2;
	SET_TEXT(answer->cname, "alias.example.com");
}

static void fail_to_resolve(struct evidence *evidence)
{
	evidence_set_resolver(&evidence->dns.resolvers[0], OUTCOME_DNS_SERVFAIL);
}

static void refuse_to_resolve(struct evidence *evidence)
{
	evidence_set_resolver(&evidence->dns.resolvers[0], OUTCOME_DNS_REFUSED);
}

static void not_reach_the_resolver(struct evidence *evidence)
{
	evidence_set_resolver(&evidence->dns.resolvers[0], OUTCOME_DNS_UNREACHABLE);
}

static void write_an_address_into_the_url(struct evidence *evidence)
{
	evidence->target.name = EVIDENCE_NAME_LITERAL;
	evidence->dns = (struct evidence_dns){ 0 };
}

static void lead_to_credentials(struct evidence *evidence)
{
	evidence_path(evidence)->class_ = ADDRESS_CLASS_CREDENTIALS;
}

static void lead_to_another_network(struct evidence *evidence)
{
	evidence_set_path_address(evidence, "10.99.0.7");
	evidence_set_exchange(evidence, EXCHANGE_MAIN, OUTCOME_CONNECT_TIMEOUT);
}

static void lead_to_the_internet(struct evidence *evidence)
{
	evidence_set_path_address(evidence, "198.51.100.80");
	evidence_path(evidence)->is_nat64 = true;
	evidence_set_exchange(evidence, EXCHANGE_MAIN, OUTCOME_CONNECT_TIMEOUT);
}

static void lead_to_the_internet_and_be_answered(struct evidence *evidence)
{
	evidence_set_path_address(evidence, "198.51.100.80");
}

static void lead_to_two_places(struct evidence *evidence)
{
	evidence_path(evidence);
	evidence->paths[1] = evidence->paths[0];
	evidence->paths[1].is_preferred = false;
	evidence->paths[1].address = evidence_address(EVIDENCE_LATTICE_V6, 443);
	evidence->path_count = 2;
}

static void answers_and_addresses_are_told(void **state)
{
	static const struct row rows[] = {
		{ give_many_addresses, "dns", "10.0.0.2 A", STORY_GOOD, "8 more, by way of alias.example.com, TTL 60 s, asked 3" },
		{ fail_to_resolve, "dns", "10.0.0.2 A", STORY_BAD, "SERVFAIL" },
		{ refuse_to_resolve, "dns", "10.0.0.2 AAAA", STORY_BAD, "REFUSED" },
		{ not_reach_the_resolver, "dns", "10.0.0.2 A", STORY_BAD, "cannot be reached, asked 2 times" },
		{ write_an_address_into_the_url, "dns", NULL, STORY_SKIPPED, "the URL holds an address" },
		{ lead_to_credentials, "address", NULL, STORY_BAD, "metadata or credential" },
		{ lead_to_another_network, "address", NULL, STORY_UNKNOWN, "private address outside this VPC" },
		{ lead_to_the_internet, "address", NULL, STORY_BAD, "a public address, inside NAT64" },
		{ lead_to_the_internet_and_be_answered, "address", NULL, STORY_GOOD, "a public address" },
		{ lead_to_two_places, "address", EVIDENCE_LATTICE_V6, STORY_GOOD, "not the one the probe would use" },
		{ lead_to_two_places, "tcp", EVIDENCE_LATTICE_V6, STORY_GOOD, "connected" },
	};

	(void)state;
	ASSERT_ROWS(rows, false);
}

/* ---- route and connection ----------------------------------------------------------------------- */

static void set_kind(struct evidence *evidence, enum route_kind kind)
{
	evidence_path(evidence)->route = (struct route){ .kind = kind, .error = EACCES };
}

static void prohibit(struct evidence *evidence)
{
	set_kind(evidence, ROUTE_PROHIBIT);
}

static void make_unreachable(struct evidence *evidence)
{
	set_kind(evidence, ROUTE_UNREACHABLE);
}

static void make_local(struct evidence *evidence)
{
	set_kind(evidence, ROUTE_LOCAL);
}

static void make_odd(struct evidence *evidence)
{
	set_kind(evidence, ROUTE_OTHER);
}

static void divert(struct evidence *evidence)
{
	struct evidence_path *path = evidence_path(evidence);

	path->has_other_device = true;
	path->route.prefix = evidence_address("169.254.171.0", 0);
	path->route.prefix_length = 24;
	path->neighbour_after = ROUTE_NEIGHBOUR_INCOMPLETE;
}

static void stay_on_the_link(struct evidence *evidence)
{
	struct evidence_path *path = evidence_path(evidence);

	path->route.gateway = (union address){ 0 };
	path->route.is_link_scope = true;
}

static void forget_the_route(struct evidence *evidence)
{
	stay_on_the_link(evidence);
	evidence_path(evidence)->neighbour_after = ROUTE_NEIGHBOUR_INCOMPLETE;
}

static void fail_with(struct evidence *evidence, int os_errno)
{
	evidence_set_exchange(evidence, EXCHANGE_MAIN, OUTCOME_CONNECT_UNREACHABLE);
	main_of(evidence)->os_errno = os_errno;
}

static void fail_with_acces(struct evidence *evidence)
{
	fail_with(evidence, EACCES);
}

static void fail_with_no_route(struct evidence *evidence)
{
	fail_with(evidence, EHOSTUNREACH);
	main_of(evidence)->tcp_retransmits = 3;
	main_of(evidence)->local_drops = 4;
}

static void fail_with_timeout(struct evidence *evidence)
{
	fail_with(evidence, ETIMEDOUT);
}

static void fail_with_something_else(struct evidence *evidence)
{
	fail_with(evidence, EADDRNOTAVAIL);
}

static void routes_and_connections_are_told(void **state)
{
	static const struct row rows[] = {
		{ prohibit, "route", NULL, STORY_BAD, "prohibits it" },
		{ make_unreachable, "route", NULL, STORY_BAD, "says unreachable" },
		{ make_local, "route", NULL, STORY_GOOD, "an address of this host itself" },
		{ make_odd, "route", NULL, STORY_BAD, "unusual kind" },
		{ divert, "route", NULL, STORY_UNKNOWN, "not the default route's device" },
		{ divert, "route", NULL, STORY_UNKNOWN, "route 169.254.171.0/24" },
		{ divert, "route", NULL, STORY_UNKNOWN, "the gateway has not answered" },
		{ stay_on_the_link, "route", NULL, STORY_GOOD, "somebody answers for it on the link" },
		{ forget_the_route, "route", NULL, STORY_UNKNOWN, "nobody has answered for it on the link yet" },
		{ fail_with_acces, "tcp", NULL, STORY_BAD, "EACCES" },
		{ fail_with_no_route, "tcp", NULL, STORY_BAD, "EHOSTUNREACH), 3 packets sent again, this host dropped 4" },
		{ fail_with_timeout, "tcp", NULL, STORY_BAD, "ETIMEDOUT" },
		{ fail_with_something_else, "tcp", NULL, STORY_BAD, "assign requested address" },
	};

	(void)state;
	ASSERT_ROWS(rows, false);
}

/* ---- TLS and HTTP ------------------------------------------------------------------------------- */

static void speak_no_tls(struct evidence *evidence)
{
	evidence_set_exchange(evidence, EXCHANGE_MAIN, OUTCOME_TLS_HANDSHAKE);
	main_of(evidence)->is_not_tls = true;
	main_of(evidence)->tls_alert = -1;
	evidence_set_exchange(evidence, EXCHANGE_OTHER_SCHEME, OUTCOME_OK);
	evidence_path(evidence)->exchanges[EXCHANGE_OTHER_SCHEME].http_version = 11;
}

static void connect_on_another_port(struct evidence *evidence)
{
	struct evidence_exchange *exchange;

	evidence_set_exchange(evidence, EXCHANGE_OTHER_PORT, OUTCOME_OK);
	exchange = &evidence_path(evidence)->exchanges[EXCHANGE_OTHER_PORT];
	exchange->status = 0;
	exchange->port = 80;
	exchange->phase_us[PHASE_TLS] = PHASE_NONE;
}

static void refuse_on_another_port(struct evidence *evidence)
{
	evidence_set_exchange(evidence, EXCHANGE_OTHER_PORT, OUTCOME_CONNECT_REFUSED);
	evidence_path(evidence)->exchanges[EXCHANGE_OTHER_PORT].port = 80;
}

static void stall_with_small_segments(struct evidence *evidence)
{
	evidence_set_exchange(evidence, EXCHANGE_SMALL_SEGMENTS, OUTCOME_HTTP_TIMEOUT);
	evidence_path(evidence)->exchanges[EXCHANGE_SMALL_SEGMENTS].phase_us[PHASE_TLS] = PHASE_NONE;
}

static void end_before_the_first_byte(struct evidence *evidence)
{
	evidence_set_exchange(evidence, EXCHANGE_MAIN, OUTCOME_HTTP_RESET);
}

static void stall_in_the_body(struct evidence *evidence)
{
	evidence_set_status(evidence, 200);
	main_of(evidence)->outcome = OUTCOME_HTTP_TIMEOUT;
	main_of(evidence)->stage = HTTP_STAGE_TRANSFER;
	main_of(evidence)->received_bytes = 4096;
	main_of(evidence)->is_from_daemon = true;
}

static void complain_of_the_signature(struct evidence *evidence)
{
	evidence_set_status(evidence, 403);
	main_of(evidence)->denies_signature = true;
	main_of(evidence)->http_version = 10;
	main_of(evidence)->has_date = true;
	main_of(evidence)->skew_us = 400 * US_PER_S;
}

static void be_ahead(struct evidence *evidence)
{
	main_of(evidence)->has_date = true;
	main_of(evidence)->skew_us = -7 * US_PER_S;
}

static void handshakes_and_responses_are_told(void **state)
{
	static const struct row rows[] = {
		{ speak_no_tls, "tls", NULL, STORY_BAD, "what the peer sends is no TLS" },
		{ speak_no_tls, "http", "other scheme", STORY_GOOD, "answers: 200 HTTP/1.1" },
		{ connect_on_another_port, "tcp", "other port 80", STORY_GOOD, "connected" },
		{ refuse_on_another_port, "tcp", "other port 80", STORY_BAD, "nothing listens there" },
		{ stall_with_small_segments, "tcp", "small segments", STORY_BAD, "before the first byte" },
		{ end_before_the_first_byte, "http", NULL, STORY_BAD, "before the first byte" },
		{ stall_in_the_body, "http", NULL, STORY_BAD, "after 4096 bytes of the body, as the daemon's last run" },
		{ complain_of_the_signature, "http", NULL, STORY_BAD, "403 HTTP/1.0" },
		{ complain_of_the_signature, "http", NULL, STORY_BAD, "complains of the signature" },
		{ complain_of_the_signature, "http", NULL, STORY_BAD, "clock is 400 s behind its Date" },
		{ be_ahead, "http", NULL, STORY_GOOD, "clock is 7 s ahead of its Date" },
	};

	(void)state;
	ASSERT_ROWS(rows, false);
}

/* ---- AWS and the daemon ------------------------------------------------------------------------- */

static void set_end(struct evidence *evidence, enum control_end end)
{
	evidence_add_control(evidence);
	evidence->control.is_associated = CLAIM_UNKNOWN;
	evidence->control.ends[CONTROL_VPC_ASSOCIATIONS] = end;
}

static void not_reach_aws(struct evidence *evidence)
{
	set_end(evidence, CONTROL_UNREACHABLE);
}

static void fail_at_aws(struct evidence *evidence)
{
	set_end(evidence, CONTROL_FAILED);
}

static void leave_it_open(struct evidence *evidence)
{
	set_end(evidence, CONTROL_OK);
}

static void share_the_subnet(struct evidence *evidence)
{
	evidence_add_control(evidence);
	evidence->control.owns_vpc = CLAIM_NO;
	SET_TEXT(evidence->control.association_failure, "quota exceeded");
}

static void not_be_taken(struct evidence *evidence)
{
	evidence_add_publishing(evidence);
	evidence->publishing.class_ = AWS_CLASS_SKEWED;
	evidence->publishing.skew_us = -600 * US_PER_S;
	SET_TEXT(evidence->publishing.code, "RequestTimeTooSkewed");
}

static void run_without_the_probe(struct evidence *evidence)
{
	evidence->daemon.is_running = true;
}

static void run_without_a_result(struct evidence *evidence)
{
	evidence->daemon = (struct evidence_daemon){ .is_running = true, .knows_probe = true };
}

static void aws_and_the_daemon_are_told(void **state)
{
	static const struct row rows[] = {
		{ not_reach_aws, "aws", "association", STORY_UNKNOWN, "did not answer in time" },
		{ fail_at_aws, "aws", "association", STORY_UNKNOWN, "with an error" },
		{ leave_it_open, "aws", "association", STORY_UNKNOWN, "leaves it open" },
		{ share_the_subnet, "aws", "VPC owner", STORY_UNKNOWN, "another account" },
		{ share_the_subnet, "aws", "association", STORY_GOOD, "quota exceeded" },
		{ not_be_taken, "publish", NULL, STORY_BAD, "RequestTimeTooSkewed" },
		{ not_be_taken, "publish", NULL, STORY_BAD, "600 s ahead of AWS's" },
		{ run_without_the_probe, "daemon", NULL, STORY_SKIPPED, "no such probe" },
		{ run_without_a_result, "daemon", NULL, STORY_UNKNOWN, "no result yet" },
	};

	(void)state;
	ASSERT_ROWS(rows, false);
}

static void count_no_drops(struct evidence *evidence)
{
	evidence->dns.counts_drops = true;
}

static void ask_a_stub(struct evidence *evidence)
{
	evidence->dns.resolvers[0].is_vpc = false;
	evidence->dns.resolvers[0].is_local = true;
	evidence_set_resolver(&evidence->dns.resolvers[0], OUTCOME_DNS_BAD_REPLY);
	SET_TEXT(evidence->dns.resolvers[0].answers[EVIDENCE_A].detail, "truncated");
}

static void be_refused(struct evidence *evidence)
{
	set_end(evidence, CONTROL_NOT_ASKED);
	SET_TEXT(evidence->control.first_refusal, "AccessDenied");
}

static void explain_the_handshake(struct evidence *evidence)
{
	evidence_set_exchange(evidence, EXCHANGE_MAIN, OUTCOME_TLS_HANDSHAKE);
	SET_TEXT(main_of(evidence)->detail, "wrong version number");
}

static void verbose_tells_what_is_well_and_why(void **state)
{
	static const struct row rows[] = {
		{ count_no_drops, "where", "metadata", STORY_GOOD, "answers" },
		{ count_no_drops, "dns", "allowance", STORY_GOOD, "none dropped" },
		{ ask_a_stub, "dns", "10.0.0.2 A", STORY_BAD, "truncated" },
		{ be_refused, "aws", "association", STORY_SKIPPED, "not asked" },
		{ be_refused, "aws", "refusal", STORY_UNKNOWN, "AccessDenied" },
		{ explain_the_handshake, "tls", NULL, STORY_BAD, "wrong version number" },
	};

	(void)state;
	ASSERT_ROWS(rows, true);
}

static void the_longest_story_is_told_to_its_end(void **state)
{
	static struct evidence evidence;
	static struct story story;

	(void)state;
	evidence_failing(&evidence, OUTCOME_TLS_HANDSHAKE);
	evidence_add_control(&evidence);
	evidence_add_publishing(&evidence);
	while (evidence_add_resolver(&evidence, "192.168.7.53", OUTCOME_DNS_NXDOMAIN))
		;
	for (size_t i = 0; i < EVIDENCE_RESOLVERS_MAX; i++)
		evidence.dns.resolvers[i].answered = 1;
	for (int kind = EXCHANGE_MAIN + 1; kind < EXCHANGE_KINDS; kind++)
		evidence_set_exchange(&evidence, (enum evidence_exchange_kind)kind, OUTCOME_OK);
	for (size_t i = 1; i < EVIDENCE_PATHS_MAX; i++)
		evidence.paths[i] = evidence.paths[0];
	evidence.path_count = EVIDENCE_PATHS_MAX;
	evidence_set_answer(&evidence.dns.generated[EVIDENCE_A], OUTCOME_DNS_NXDOMAIN, NULL);
	evidence_set_answer(&evidence.dns.generated[EVIDENCE_AAAA], OUTCOME_DNS_NXDOMAIN, NULL);
	SET_TEXT(evidence.control.first_refusal, "AccessDenied");
	evidence.daemon.is_running = true;
	evidence.is_cut_short = true;
	evidence.dns.counts_drops = true;
	story_tell(&evidence, true, &story);
	assert_true(story.count < STORY_STEPS_MAX);
	assert_string_equal(story.steps[story.count - 1].step, "end");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_machine_and_its_ways_out_are_told),
		cmocka_unit_test(answers_and_addresses_are_told),
		cmocka_unit_test(routes_and_connections_are_told),
		cmocka_unit_test(handshakes_and_responses_are_told),
		cmocka_unit_test(aws_and_the_daemon_are_told),
		cmocka_unit_test(verbose_tells_what_is_well_and_why),
		cmocka_unit_test(the_longest_story_is_told_to_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
