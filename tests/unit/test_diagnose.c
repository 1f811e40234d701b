/* SPDX-License-Identifier: Apache-2.0 */
/* What a diagnosis asks, what it leaves alone, and that it ends however the world behaves. What the
 * answers mean is another module's matter. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "diagnose_fixture.h"

#include "lattice-probe/err.h"
#include "lattice-probe/target.h"

#define CUSTOM "checkout.example.com"

static const struct evidence *const evidence = &diagnose_fixture.evidence;

static const struct evidence_exchange *exchange_of(enum evidence_exchange_kind kind)
{
	return &evidence->paths[0].exchanges[kind];
}

static void serve(const char *server, const char *name, const char *address)
{
	diagnose_fixture_add_rule((struct fixture_rule){ .server = server, .name = name, .outcome = OUTCOME_OK,
		.address = address });
}

static void fail_at(const char *server, enum outcome outcome)
{
	diagnose_fixture_add_rule((struct fixture_rule){ .server = server, .outcome = outcome });
}

/* ---- the healthy way ---------------------------------------------------------------------- */

static void a_healthy_service_is_asked_once(void **state)
{
	(void)state;
	diagnose_fixture_run();
	assert_int_equal(diagnose_fixture.transfer_count, 1);
	assert_int_equal(diagnose_fixture_count_transfers("GET", "https://" FIXTURE_NAME "/healthz"), 1);
	assert_string_equal(diagnose_fixture.transfers[0].address, FIXTURE_LATTICE ":443");
	assert_non_null(strstr(diagnose_fixture.transfers[0].headers, "x-amzn-requestid: "));
	assert_int_equal(evidence->path_count, 1);
	assert_true(evidence->paths[0].is_preferred);
	assert_int_equal(evidence->paths[0].class_, ADDRESS_CLASS_LATTICE);
	assert_int_equal(exchange_of(EXCHANGE_MAIN)->outcome, OUTCOME_OK);
	assert_int_equal(exchange_of(EXCHANGE_MAIN)->local_drops, 3);
	assert_int_equal(exchange_of(EXCHANGE_MAIN)->port, 443);
	assert_int_equal(evidence->paths[0].neighbour_after, ROUTE_NEIGHBOUR_REACHABLE);
	assert_false(evidence->is_cut_short);
	assert_int_equal(diagnose_fixture.finished_count, 1);
}

static void the_target_and_this_host_are_described(void **state)
{
	(void)state;
	(void)snprintf(diagnose_fixture.target->name, sizeof diagnose_fixture.target->name, "checkout");
	diagnose_fixture_run();
	assert_string_equal(evidence->target.probe, "checkout");
	assert_string_equal(evidence->target.host, FIXTURE_NAME);
	assert_int_equal(evidence->target.name, EVIDENCE_NAME_SERVICE);
	assert_true(evidence->target.is_tls && evidence->target.is_repeatable && !evidence->target.is_signed);
	assert_int_equal(evidence->where.imds, EVIDENCE_IMDS_OK);
	assert_int_equal(evidence->where.platform, HOST_PLATFORM_EC2);
	assert_string_equal(evidence->where.facts.vpc_id, "vpc-0123456789abcdef0");
	assert_string_equal(evidence->where.account_id, "123456789012");
	assert_string_equal(evidence->where.security_groups, "sg-1,sg-2");
	assert_string_equal(evidence->where.public_ipv4, "203.0.113.7");
	assert_int_equal(evidence->where.vpc_networks.count, 3);
	assert_string_equal(evidence->where.network_namespace, "net:[1]");
}

static void a_url_of_the_command_line_has_no_probe_name(void **state)
{
	(void)state;
	(void)snprintf(diagnose_fixture.target->name, sizeof diagnose_fixture.target->name, "%.64s", FIXTURE_NAME);
	diagnose_fixture_run();
	assert_string_equal(evidence->target.probe, "");
}

static void the_states_of_the_metadata_service_are_told_apart(void **state)
{
	static const struct { int err; const char *hint; enum evidence_imds imds; } rows[] = {
		{ 0, "", EVIDENCE_IMDS_OK },
		{ ERR_TIMEOUT, "no metadata service answers", EVIDENCE_IMDS_SILENT },
		{ ERR_TIMEOUT, "its hop limit is probably 1", EVIDENCE_IMDS_HOP_LIMIT },
		{ ERR_UNREACHABLE, "no metadata service answers", EVIDENCE_IMDS_SILENT },
		{ ERR_UNREACHABLE, "the metadata service is overloaded or broken", EVIDENCE_IMDS_ODD },
		{ ERR_DENIED, "it is switched off", EVIDENCE_IMDS_OFF },
		{ ERR_PROTOCOL, "its token is none", EVIDENCE_IMDS_ODD },
		{ ERR_NOMEM, "out of memory", EVIDENCE_IMDS_NOT_ASKED },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		diagnose_fixture.imds_err = rows[i].err;
		diagnose_fixture.imds_hint = rows[i].hint;
		diagnose_fixture.has_finished = false;
		diagnose_fixture.finished_count = 0;
		diagnose_fixture_run();
		assert_int_equal(evidence->where.imds, rows[i].imds);
	}
	assert_int_equal(diagnose_fixture_tear_down(state), 0);
	assert_int_equal(diagnose_fixture_set_up(state), 0);
}

static void nonsense_from_the_metadata_service_is_left_out(void **state)
{
	static const char *const items[] = { "", "\n\n", "<html>", "10.0.0.0/99\nnothing\n10.0.0.0/8/8", "1234567890123",
		"sg-1\n\x1b[31m", "%s%n" };
	char longest[5000];

	memset(longest, '7', sizeof longest - 1);
	longest[sizeof longest - 1] = '\0';
	for (size_t i = 0; i <= sizeof items / sizeof *items; i++) {
		diagnose_fixture.imds_item = i < sizeof items / sizeof *items ? items[i] : longest;
		diagnose_fixture_run();
		assert_string_equal(evidence->where.account_id, "");
		assert_string_equal(evidence->where.public_ipv4, "");
		assert_int_equal(evidence->where.vpc_networks.count, 0);
		assert_null(strpbrk(evidence->where.security_groups, "<%\x1b"));
		assert_int_equal(diagnose_fixture_tear_down(state), 0);
		assert_int_equal(diagnose_fixture_set_up(state), 0);
	}
}

static void more_networks_than_fit_are_left_out(void **state)
{
	char blocks[1024] = "";

	(void)state;
	for (int i = 0; i < 40; i++)
		(void)snprintf(blocks + strlen(blocks), sizeof blocks - strlen(blocks), "10.%d.0.0/16\n", i);
	diagnose_fixture.imds_item = blocks;
	diagnose_fixture_run();
	assert_int_equal(evidence->where.vpc_networks.count, ADDRESS_NETWORKS_MAX);
}

/* ---- DNS ---------------------------------------------------------------------------------- */

static void every_resolver_is_asked_by_itself(void **state)
{
	(void)state;
	diagnose_fixture.servers[1] = "8.8.8.8:53";
	diagnose_fixture.server_count = 2;
	diagnose_fixture_run();
	assert_int_equal(evidence->dns.resolver_count, 3);
	assert_int_equal(diagnose_fixture.question_count, 6);
	assert_true(evidence->dns.resolvers[0].is_configured && !evidence->dns.resolvers[0].is_outside);
	assert_true(evidence->dns.resolvers[1].is_configured && evidence->dns.resolvers[1].is_outside);
	assert_true(evidence->dns.resolvers[2].is_vpc && !evidence->dns.resolvers[2].is_configured);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(evidence->dns.resolvers[i].answers[EVIDENCE_A].outcome, OUTCOME_OK);
		assert_int_equal(evidence->dns.resolvers[i].answers[EVIDENCE_AAAA].outcome, OUTCOME_DNS_NODATA);
		assert_int_equal(evidence->dns.resolvers[i].asked, 2);
		assert_int_equal(evidence->dns.resolvers[i].answered, 2);
	}
	assert_int_equal(evidence->dns.resolvers[0].answers[EVIDENCE_A].ttl_s, 60);
	assert_true(evidence->dns.counts_drops);
	assert_int_equal(evidence->dns.link_local_drops, 3);
}

static void the_vpc_resolver_is_asked_once_where_it_is_configured(void **state)
{
	(void)state;
	diagnose_fixture.servers[0] = FIXTURE_VPC_RESOLVER;
	diagnose_fixture_run();
	assert_int_equal(evidence->dns.resolver_count, 1);
	assert_true(evidence->dns.resolvers[0].is_vpc && evidence->dns.resolvers[0].is_configured);
	assert_int_equal(diagnose_fixture.question_count, 2);
}

static void the_base_of_the_vpc_plus_two_is_its_resolver(void **state)
{
	(void)state;
	diagnose_fixture.servers[0] = "10.9.0.2:53";
	diagnose_fixture.servers[1] = "10.0.0.3:53";
	diagnose_fixture.server_count = 2;
	diagnose_fixture_run();
	assert_true(evidence->dns.resolvers[0].is_vpc);
	assert_false(evidence->dns.resolvers[1].is_vpc);
}

static void only_the_wanted_family_is_asked_for(void **state)
{
	(void)state;
	diagnose_fixture.target->ip = TARGET_IP_V6;
	serve(NULL, FIXTURE_NAME, "fd00:ec2:80::a9fe:ab21");
	diagnose_fixture_run();
	assert_int_equal(diagnose_fixture.question_count, 2);
	assert_false(evidence->dns.resolvers[0].answers[EVIDENCE_A].is_asked);
	assert_string_equal(diagnose_fixture.transfers[0].address, "[fd00:ec2:80::a9fe:ab21]:443");
}

static void a_literal_needs_no_resolver(void **state)
{
	(void)state;
	diagnose_fixture_set_url("http://169.254.171.7:8080/");
	diagnose_fixture_run();
	assert_int_equal(diagnose_fixture.question_count, 0);
	assert_false(evidence->dns.is_asked);
	assert_int_equal(evidence->target.name, EVIDENCE_NAME_LITERAL);
	assert_string_equal(diagnose_fixture.transfers[0].address, "169.254.171.7:8080");
}

static void a_name_that_is_not_there_stops_the_way(void **state)
{
	(void)state;
	diagnose_fixture.options.asks_aws = true;
	fail_at(NULL, OUTCOME_DNS_NXDOMAIN);
	diagnose_fixture_run();
	assert_int_equal(evidence->path_count, 0);
	assert_int_equal(diagnose_fixture.transfer_count, 0);
	assert_int_equal(evidence->dns.resolvers[0].answers[EVIDENCE_A].rcode, 3);
	assert_int_equal(diagnose_fixture.control_count, 1);
	assert_int_equal(diagnose_fixture.control_question.destination.sa.sa_family, AF_UNSPEC);
}

static void what_the_vpc_resolver_alone_knows_is_tried(void **state)
{
	(void)state;
	fail_at(FIXTURE_RESOLVER, OUTCOME_DNS_NXDOMAIN);
	diagnose_fixture_run();
	assert_int_equal(evidence->path_count, 1);
	assert_false(evidence->paths[0].is_preferred);
	assert_int_equal(exchange_of(EXCHANGE_MAIN)->outcome, OUTCOME_OK);
}

static void what_the_vpc_resolver_says_instead_is_tried_too(void **state)
{
	(void)state;
	serve(FIXTURE_RESOLVER, FIXTURE_NAME, "203.0.113.80");
	diagnose_fixture_run();
	assert_int_equal(evidence->path_count, 2);
	assert_int_equal(evidence->paths[0].class_, ADDRESS_CLASS_PUBLIC);
	assert_true(evidence->paths[0].is_preferred && !evidence->paths[1].is_preferred);
	assert_int_equal(evidence->paths[1].class_, ADDRESS_CLASS_LATTICE);
	assert_true(evidence->paths[1].exchanges[EXCHANGE_MAIN].is_asked);
}

static void ipv6_goes_first_where_ipv4_has_no_route(void **state)
{
	(void)state;
	diagnose_fixture.is_without_ipv4 = true;
	diagnose_fixture_add_rule((struct fixture_rule){ .name = FIXTURE_NAME, .type = DNS_TYPE_AAAA,
		.outcome = OUTCOME_OK, .address = "fd00:ec2:80::1" });
	diagnose_fixture_run();
	assert_int_equal(evidence->path_count, 2);
	assert_int_equal(evidence->paths[0].address.sa.sa_family, AF_INET6);
	assert_int_equal(evidence->paths[1].route.kind, ROUTE_NONE);
	assert_false(evidence->where.has_ipv4_default);
}

static void an_address_behind_nat64_is_known_as_such(void **state)
{
	(void)state;
	serve(NULL, FIXTURE_NAME, "64:ff9b::a9fe:ab21");
	diagnose_fixture_run();
	assert_true(evidence->paths[0].is_nat64);
	assert_int_equal(evidence->paths[0].class_, ADDRESS_CLASS_LATTICE);
}

static void a_loop_of_aliases_is_told(void **state)
{
	(void)state;
	diagnose_fixture_add_rule((struct fixture_rule){ .outcome = OUTCOME_DNS_BAD_REPLY, .cname = FIXTURE_NAME,
		.is_loop = true });
	diagnose_fixture_run();
	assert_true(evidence->dns.resolvers[0].answers[EVIDENCE_A].is_cname_loop);
}

static void lost_replies_are_asked_for_again(void **state)
{
	(void)state;
	diagnose_fixture_add_rule((struct fixture_rule){ .server = FIXTURE_RESOLVER, .name = FIXTURE_NAME,
		.outcome = OUTCOME_OK, .address = FIXTURE_LATTICE, .type = DNS_TYPE_A, .retransmits = 1 });
	diagnose_fixture_run();
	assert_int_equal(diagnose_fixture_count_questions(FIXTURE_RESOLVER, FIXTURE_NAME), 12);
	assert_int_equal(diagnose_fixture_count_questions(FIXTURE_VPC_RESOLVER, FIXTURE_NAME), 2);
	for (size_t i = 4; i < diagnose_fixture.question_count; i++) {
		assert_int_equal(diagnose_fixture.questions[i].tries, 1);
		assert_int_equal(diagnose_fixture.questions[i].timeout_us, 1 * US_PER_S);
	}
	/* Three datagrams at first, then ten that are all answered. */
	assert_int_equal(evidence->dns.resolvers[0].asked, 13);
	assert_int_equal(evidence->dns.resolvers[0].answered, 12);
}

static void an_answer_used_again_is_no_question(void **state)
{
	(void)state;
	diagnose_fixture_add_rule((struct fixture_rule){ .server = FIXTURE_RESOLVER, .name = FIXTURE_NAME,
		.type = DNS_TYPE_A, .outcome = OUTCOME_OK, .address = FIXTURE_LATTICE, .is_reused = true });
	diagnose_fixture_add_rule((struct fixture_rule){ .server = FIXTURE_RESOLVER, .type = DNS_TYPE_AAAA,
		.outcome = OUTCOME_DNS_TIMEOUT });
	diagnose_fixture_run();
	assert_int_equal(evidence->dns.resolvers[0].asked, 6);
	assert_int_equal(evidence->dns.resolvers[0].answered, 0);
}

static void a_silent_server_is_asked_again_before_it_is_called_silent(void **state)
{
	(void)state;
	fail_at(FIXTURE_RESOLVER, OUTCOME_DNS_TIMEOUT);
	diagnose_fixture_run();
	assert_int_equal(evidence->dns.resolvers[0].asked, 12);
	assert_int_equal(evidence->dns.resolvers[0].answered, 0);
	assert_int_equal(evidence->dns.resolvers[1].asked, 2);
}

static void a_vpc_resolver_that_nobody_uses_is_not_asked_again(void **state)
{
	(void)state;
	fail_at(FIXTURE_VPC_RESOLVER, OUTCOME_DNS_TIMEOUT);
	diagnose_fixture_run();
	assert_int_equal(diagnose_fixture_count_questions(FIXTURE_VPC_RESOLVER, FIXTURE_NAME), 2);
}

static void a_lattice_name_behind_an_alias_is_asked_of_the_vpc_resolver(void **state)
{
	(void)state;
	diagnose_fixture_set_url("https://" CUSTOM "/");
	diagnose_fixture_add_rule((struct fixture_rule){ .name = CUSTOM, .outcome = OUTCOME_DNS_NXDOMAIN,
		.cname = FIXTURE_NAME });
	diagnose_fixture_run();
	assert_int_equal(evidence->target.name, EVIDENCE_NAME_CUSTOM);
	assert_string_equal(evidence->dns.resolvers[0].answers[EVIDENCE_A].cname, FIXTURE_NAME);
	assert_string_equal(evidence->dns.generated_name, FIXTURE_NAME);
	assert_int_equal(evidence->dns.generated[EVIDENCE_A].outcome, OUTCOME_OK);
	assert_int_equal(diagnose_fixture_count_questions(FIXTURE_VPC_RESOLVER, FIXTURE_NAME), 2);
	assert_int_equal(diagnose_fixture_count_questions(FIXTURE_RESOLVER, FIXTURE_NAME), 0);
}

static void a_lattice_name_from_the_control_plane_is_asked_too(void **state)
{
	(void)state;
	diagnose_fixture.options.asks_aws = true;
	(void)snprintf(diagnose_fixture.control.generated_name, sizeof diagnose_fixture.control.generated_name, "%s",
		FIXTURE_NAME);
	diagnose_fixture_set_url("https://" CUSTOM "/");
	diagnose_fixture_run();
	assert_string_equal(evidence->dns.generated_name, FIXTURE_NAME);
	assert_int_equal(evidence->dns.generated[EVIDENCE_A].outcome, OUTCOME_OK);
}

/* ---- however the world behaves ------------------------------------------------------------ */

static void end_in(struct http_reply *reply, enum http_stage stage, enum http_end end, int curl_code)
{
	reply->end = end;
	reply->stage = stage;
	reply->curl_code = curl_code;
}

static void fail_handshake(struct http_transfer *transfer, struct http_reply *reply)
{
	(void)transfer;
	end_in(reply, HTTP_STAGE_TLS, HTTP_END_ERROR, 35); /* CURLE_SSL_CONNECT_ERROR */
	reply->tls_alert = 112;
}

static void hang(struct http_transfer *transfer, struct http_reply *reply)
{
	(void)reply;
	transfer->hangs = true;
}

static void it_ends_in_time_when_nothing_ever_answers(void **state)
{
	(void)state;
	diagnose_fixture.options = (struct diagnose_options){ .asks_aws = true, .asks_publishing = true };
	diagnose_fixture.imds_hangs = diagnose_fixture.credentials_hang = true;
	diagnose_fixture.has_control = diagnose_fixture.has_publishing = false;
	diagnose_fixture.reply = hang;
	diagnose_fixture_add_rule((struct fixture_rule){ .hangs = true });
	assert_true(diagnose_fixture_start());
	for (int i = 0; i < 12; i++)
		diagnose_fixture_pass(1 * US_PER_S);
	assert_false(diagnose_fixture.has_finished);
	while (!diagnose_fixture.has_finished)
		diagnose_fixture_pass(100 * US_PER_MS);
	assert_int_equal(diagnose_fixture.finished_count, 1);
	assert_true(evidence->is_cut_short);
	assert_true(evidence->elapsed_us < 15 * US_PER_S);
	assert_int_equal(evidence->where.imds, EVIDENCE_IMDS_SILENT);
	assert_int_equal(evidence->dns.resolvers[0].answers[EVIDENCE_A].outcome, OUTCOME_DNS_TIMEOUT);
	assert_int_equal(diagnose_fixture.open_count, 0);
}

static void it_ends_in_time_when_aws_never_answers(void **state)
{
	(void)state;
	diagnose_fixture.options = (struct diagnose_options){ .asks_aws = true, .asks_publishing = true };
	diagnose_fixture.has_control = diagnose_fixture.has_publishing = false;
	diagnose_fixture.reply = fail_handshake;
	diagnose_fixture_run();
	assert_true(evidence->is_cut_short);
	assert_true(evidence->elapsed_us < 15 * US_PER_S);
	assert_int_equal(exchange_of(EXCHANGE_MAIN)->outcome, OUTCOME_TLS_HANDSHAKE);
	assert_int_equal(diagnose_fixture.open_count, 0);
}

static void it_ends_when_nothing_can_be_asked(void **state)
{
	(void)state;
	diagnose_fixture.refuses_questions = diagnose_fixture.refuses_transfers = true;
	diagnose_fixture.context.imds = NULL;
	diagnose_fixture.context.credentials = NULL;
	diagnose_fixture.context.transport = NULL;
	diagnose_fixture.options = (struct diagnose_options){ .asks_aws = true, .asks_publishing = true };
	diagnose_fixture_run();
	assert_int_equal(evidence->dns.resolvers[0].answers[EVIDENCE_A].outcome, OUTCOME_LOCAL_FAULT);
	assert_int_equal(evidence->path_count, 0);
	diagnose_fixture.has_finished = false;
	diagnose_fixture.finished_count = 0;
	diagnose_fixture_set_url("http://169.254.171.1/");
	diagnose_fixture_run();
	assert_int_equal(exchange_of(EXCHANGE_MAIN)->outcome, OUTCOME_LOCAL_FAULT);
}

static void set_up_everything(void)
{
	diagnose_fixture.options = (struct diagnose_options){ .asks_aws = true, .asks_publishing = true };
	diagnose_fixture.context.region = "";
	diagnose_fixture.region_found = "us-east-1";
	diagnose_fixture.target->auth = TARGET_AUTH_SIGV4;
	diagnose_fixture.reply = fail_handshake;
	diagnose_fixture_set_url("https://" CUSTOM "/");
	diagnose_fixture_add_rule((struct fixture_rule){ .name = CUSTOM, .outcome = OUTCOME_OK, .cname = FIXTURE_NAME,
		.address = FIXTURE_LATTICE, .lost_of = 3 });
}

static void it_can_be_cancelled_after_any_step(void **state)
{
	int64_t step = 0;

	do {
		set_up_everything();
		diagnose_fixture.steps_max = ++step;
		assert_true(diagnose_fixture_start());
		diagnose_fixture_wait();
		assert_int_equal(diagnose_fixture.open_count, 0);
		if (diagnose_fixture.finished_count == 0) {
			assert_int_equal(diagnose_fixture_tear_down(state), 0);
			assert_int_equal(diagnose_fixture_set_up(state), 0);
		}
	} while (diagnose_fixture.finished_count == 0);
	assert_true(step > 20);
}

static void it_can_be_cancelled_at_once(void **state)
{
	(void)state;
	set_up_everything();
	assert_true(diagnose_fixture_start());
	diagnose_cancel(diagnose_fixture.diagnose);
	diagnose_fixture.diagnose = NULL;
	assert_int_equal(diagnose_fixture.open_count, 0);
	diagnose_cancel(NULL);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, diagnose_fixture_set_up, diagnose_fixture_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(a_healthy_service_is_asked_once),
		CASE(the_target_and_this_host_are_described),
		CASE(a_url_of_the_command_line_has_no_probe_name),
		CASE(the_states_of_the_metadata_service_are_told_apart),
		CASE(nonsense_from_the_metadata_service_is_left_out),
		CASE(more_networks_than_fit_are_left_out),
		CASE(every_resolver_is_asked_by_itself),
		CASE(the_vpc_resolver_is_asked_once_where_it_is_configured),
		CASE(the_base_of_the_vpc_plus_two_is_its_resolver),
		CASE(only_the_wanted_family_is_asked_for),
		CASE(a_literal_needs_no_resolver),
		CASE(a_name_that_is_not_there_stops_the_way),
		CASE(what_the_vpc_resolver_alone_knows_is_tried),
		CASE(what_the_vpc_resolver_says_instead_is_tried_too),
		CASE(ipv6_goes_first_where_ipv4_has_no_route),
		CASE(an_address_behind_nat64_is_known_as_such),
		CASE(a_loop_of_aliases_is_told),
		CASE(lost_replies_are_asked_for_again),
		CASE(an_answer_used_again_is_no_question),
		CASE(a_silent_server_is_asked_again_before_it_is_called_silent),
		CASE(a_vpc_resolver_that_nobody_uses_is_not_asked_again),
		CASE(a_lattice_name_behind_an_alias_is_asked_of_the_vpc_resolver),
		CASE(a_lattice_name_from_the_control_plane_is_asked_too),
		CASE(it_ends_in_time_when_nothing_ever_answers),
		CASE(it_ends_in_time_when_aws_never_answers),
		CASE(it_ends_when_nothing_can_be_asked),
		CASE(it_can_be_cancelled_after_any_step),
		CASE(it_can_be_cancelled_at_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
