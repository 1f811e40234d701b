/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lattice-probe/buf.h"
#include "lattice-probe/conf.h"
#include "lattice-probe/err.h"
#include "lattice-probe/units.h"

/* Loads text that must hold no mistake; prints what it holds otherwise. */
static struct conf *load_bytes(const char *text, size_t length_bytes)
{
	struct conf_findings findings;
	struct conf *conf = NULL;
	int err;

	conf_findings_init(&findings);
	err = conf_load_text("t.conf", text, length_bytes, &conf, &findings);
	for (size_t i = 0; i < findings.count; i++)
		if (findings.items[i].severity == CONF_MISTAKE)
			print_message("%s:%u: %s\n", findings.items[i].file, findings.items[i].line,
				findings.items[i].text);
	conf_findings_done(&findings);
	assert_int_equal(err, 0);
	return conf;
}

static struct conf *load(const char *text)
{
	return load_bytes(text, strlen(text));
}

/* ---- defaults ----------------------------------------------------------------------------- */

static void the_defaults_are_those_of_the_manual(void **state)
{
	struct conf *confs[2] = { conf_new_default(), load("") };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct conf *conf = confs[i];

		assert_non_null(conf);
		assert_string_equal(conf->fleet, "lattice-probe");
		assert_string_equal(conf->agent_id, "");
		assert_int_equal(conf->defaults.interval_us, 10 * US_PER_S);
		assert_int_equal(conf->defaults.timeout_us, 3 * US_PER_S);
		assert_int_equal(conf->defaults.dns_timeout_us, 2 * US_PER_S);
		assert_int_equal(conf->defaults.connect_timeout_us, 2 * US_PER_S);
		assert_int_equal(conf->defaults.tls_timeout_us, 2 * US_PER_S);
		assert_int_equal(conf->defaults.dns_tries, 2);
		assert_int_equal(conf->defaults.resolver.mode, TARGET_RESOLVER_SYSTEM);
		assert_int_equal(conf->max_dns_rate, 50);
		assert_int_equal(conf->max_in_flight, 4096);
		assert_string_equal(conf->state_directory, "/var/lib/lattice-probe");
		assert_int_equal(conf->store_retention_us, US_PER_DAY);
		assert_int_equal(conf->store_max_bytes, 64 * 1048576);
		assert_int_equal(conf->outbox_max_bytes, 256 * 1048576);
		assert_int_equal(conf->shutdown_timeout_us, 5 * US_PER_S);
		assert_string_equal(conf->status_socket, "/run/lattice-probe/status.sock");
		assert_int_equal(conf->defaults.unhealthy_after, 3);
		assert_int_equal(conf->defaults.healthy_after, 2);
		assert_true(conf->defaults.is_diagnosed);
		assert_string_equal(conf->namespace_, "LatticeProbe");
		assert_int_equal(conf->period_us, 60 * US_PER_S);
		assert_string_equal(conf->region, "auto");
		assert_string_equal(conf->endpoint, "auto");
		assert_string_equal(conf->proxy, "none");
		assert_int_equal(conf->metrics, METRIC_SUCCESS | METRIC_LATENCY | METRIC_DNS_LATENCY);
		assert_false(conf->failure_metrics_always);
		assert_int_equal(conf->agent_metrics, CONF_AGENT_METRICS_FLEET);
		assert_int_equal(conf->dimension_set_count, 1);
		assert_int_equal(conf->dimension_sets[0].count, 1);
		assert_string_equal(conf->dimension_sets[0].names[0], "Service");
		assert_int_equal(conf->static_dimension_count, 0);
		assert_int_equal(conf->expected_agents, 1);
		assert_int_equal(conf->backfill_interval_us, 10 * US_PER_S);
		assert_int_equal(conf->max_metrics, 1000);
		assert_int_equal(conf->target_count, 0);
		conf_free(conf);
	}
	conf_free(NULL);
}

static void a_probe_that_sets_nothing_has_the_defaults(void **state)
{
	struct conf *conf = load("[probe a]\nurl = https://h/healthz\n");
	const struct target *target = conf->targets[0];

	(void)state;
	assert_int_equal(conf->target_count, 1);
	assert_int_equal(target->references, 1);
	assert_string_equal(target->name, "a");
	assert_string_equal(target->url.text, "https://h/healthz");
	assert_int_equal(target->interval_us, 10 * US_PER_S);
	assert_string_equal(target->method, "GET");
	assert_int_equal(target->expect_status_count, 1);
	assert_int_equal(target->expect_status[0].first, 200);
	assert_int_equal(target->expect_status[0].last, 299);
	assert_int_equal(target->max_body_bytes, 65536);
	assert_true(target->tls_verify);
	assert_false(target->follow_redirects);
	assert_int_equal(target->ip, TARGET_IP_AUTO);
	assert_int_equal(target->addresses, TARGET_ADDRESSES_FIRST);
	assert_int_equal(target->http, TARGET_HTTP_AUTO);
	assert_int_equal(target->auth, TARGET_AUTH_NONE);
	assert_null(target->body);
	assert_null(target->tls_ca);
	assert_int_equal(target->header_count + target->expect_body_count + target->expect_header_count, 0);
	conf_free(conf);
}

/* ---- every key ---------------------------------------------------------------------------- */

static void every_key_of_the_agent_reaches_its_place(void **state)
{
	struct conf *conf = load("[agent]\nfleet = checkout-probes\nagent_id = web-1\ninterval = 1m\ntimeout = 20s\n"
		"dns_timeout = 10s\nconnect_timeout = 11s\ntls_timeout = 1500ms\ndns_tries = 1\nmax_dns_rate = 1024\n"
		"max_in_flight = 7\nresolver = 10.0.0.2, [fd00::2]:5353\nshutdown_timeout = 0s\n"
		"state_directory = /data/probe\nstore_retention = 2h\nstore_max_size = 8MiB\noutbox_max_size = 9MiB\n"
		"status_socket = none\nunhealthy_after = 1000\nhealthy_after = 1\ndiagnose = no\n");
	const struct target *defaults = &conf->defaults;
	char text[ADDRESS_TEXT_SIZE];

	(void)state;
	assert_string_equal(conf->fleet, "checkout-probes");
	assert_string_equal(conf->agent_id, "web-1");
	assert_int_equal(defaults->interval_us, 60 * US_PER_S);
	assert_int_equal(defaults->timeout_us, 20 * US_PER_S);
	assert_int_equal(defaults->dns_timeout_us, 10 * US_PER_S);
	assert_int_equal(defaults->connect_timeout_us, 11 * US_PER_S);
	assert_int_equal(defaults->tls_timeout_us, 1500 * US_PER_MS);
	assert_int_equal(defaults->dns_tries, 1);
	assert_int_equal(conf->max_dns_rate, 1024);
	assert_int_equal(conf->max_in_flight, 7);
	assert_int_equal(defaults->resolver.mode, TARGET_RESOLVER_LIST);
	assert_int_equal(defaults->resolver.server_count, 2);
	address_format_port(&defaults->resolver.servers[0], text);
	assert_string_equal(text, "10.0.0.2:53");
	address_format_port(&defaults->resolver.servers[1], text);
	assert_string_equal(text, "[fd00::2]:5353");
	assert_string_equal(conf->state_directory, "/data/probe");
	assert_int_equal(conf->store_retention_us, 7200 * US_PER_S);
	assert_int_equal(conf->store_max_bytes, 8 * 1048576);
	assert_int_equal(conf->outbox_max_bytes, 9 * 1048576);
	assert_int_equal(conf->shutdown_timeout_us, 0);
	assert_string_equal(conf->status_socket, "none");
	assert_int_equal(defaults->unhealthy_after, 1000);
	assert_int_equal(defaults->healthy_after, 1);
	assert_false(defaults->is_diagnosed);
	conf_free(conf);
}

static void every_key_of_cloudwatch_reaches_its_place(void **state)
{
	struct conf *conf = load("[cloudwatch]\nnamespace = Team/Probes\nperiod = 5s\nregion = us-gov-west-1\n"
		"endpoint = https://VPCE-1.monitoring.us-east-1.vpce.amazonaws.com:443/\nproxy = http://10.0.0.9:3128\n"
		"metrics = TlsLatency, CertificateDaysRemaining\nfailure_metrics = always\nagent_metrics = both\n"
		"dimension_sets = Service, Stage | AvailabilityZoneId,Service |Stage\n"
		"dimension.Stage = beta 2\ndimension.Team = core\nexpected_agents = 12\nmax_metrics = 50000\n"
		"backfill_rate = 30/min\n");

	(void)state;
	assert_string_equal(conf->namespace_, "Team/Probes");
	assert_int_equal(conf->period_us, 5 * US_PER_S);
	assert_string_equal(conf->region, "us-gov-west-1");
	assert_string_equal(conf->endpoint, "https://vpce-1.monitoring.us-east-1.vpce.amazonaws.com");
	assert_string_equal(conf->proxy, "http://10.0.0.9:3128");
	assert_int_equal(conf->metrics, METRIC_SUCCESS | METRIC_TLS_LATENCY | METRIC_CERTIFICATE_DAYS);
	assert_true(conf->failure_metrics_always);
	assert_int_equal(conf->agent_metrics, CONF_AGENT_METRICS_BOTH);
	assert_int_equal(conf->static_dimension_count, 2);
	assert_string_equal(conf->static_dimensions[0].name, "Stage");
	assert_string_equal(conf->static_dimensions[0].value, "beta 2");
	assert_string_equal(conf->static_dimensions[1].name, "Team");
	assert_int_equal(conf->dimension_set_count, 3);
	assert_int_equal(conf->dimension_sets[0].count, 1);
	assert_string_equal(conf->dimension_sets[0].names[0], "Service");
	assert_int_equal(conf->dimension_sets[1].count, 2);
	assert_string_equal(conf->dimension_sets[1].names[0], "AvailabilityZoneId");
	assert_int_equal(conf->dimension_sets[2].count, 0);
	assert_int_equal(conf->expected_agents, 12);
	assert_int_equal(conf->backfill_interval_us, 2 * US_PER_S);
	assert_int_equal(conf->max_metrics, 50000);
	conf_free(conf);
}

static void every_choice_of_the_agents_metrics_is_its_own(void **state)
{
	static const struct {
		const char *text;
		enum conf_agent_metrics value;
	} rows[] = { { "fleet", CONF_AGENT_METRICS_FLEET }, { "agent", CONF_AGENT_METRICS_AGENT },
		{ "both", CONF_AGENT_METRICS_BOTH }, { "none", CONF_AGENT_METRICS_NONE } };

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char text[100];
		struct conf *conf;

		(void)snprintf(text, sizeof text, "[cloudwatch]\nagent_metrics = %s\nendpoint = http://127.0.0.1:5000",
			rows[i].text);
		conf = load(text);
		assert_int_equal(conf->agent_metrics, rows[i].value);
		assert_string_equal(conf->endpoint, "http://127.0.0.1:5000");
		conf_free(conf);
	}
}

static void every_key_of_a_request_reaches_its_place(void **state)
{
	struct conf *conf = load("[probe a]\nurl = https://a-1.7d67968.vpc-lattice-svcs.us-east-1.on.aws/\n"
		"method = POST\nheader.Accept = */*\nheader.Cookie = a=b; c=d\nbody = {\n  \"a\": 1\n  }\nip = v6\n"
		"addresses = rotate\nauth = sigv4\nsign_host = Other.Example., b\nhttp = 1.1\ntls_verify = no\n"
		"follow_redirects = yes\nmax_body = 2MiB\ninterval = 2m\ntimeout = 100s\ndns_timeout = 99s\n"
		"connect_timeout = 98s\ntls_timeout = 97s\ndns_tries = 1\nresolver = vpc\nenabled = yes\n"
		"unhealthy_after = 5\nhealthy_after = 4\ndiagnose = no\n");
	const struct target *target = conf->targets[0];

	(void)state;
	assert_string_equal(target->method, "POST");
	assert_int_equal(target->header_count, 2);
	assert_string_equal(target->headers[0].name, "Accept");
	assert_string_equal(target->headers[0].value, "*/*");
	assert_false(target->headers[0].is_secret);
	assert_string_equal(target->headers[1].value, "a=b; c=d");
	assert_true(target->headers[1].is_secret);
	assert_string_equal(target->body, "{\n\"a\": 1\n}");
	assert_int_equal(target->body_bytes, 10);
	assert_int_equal(target->ip, TARGET_IP_V6);
	assert_int_equal(target->addresses, TARGET_ADDRESSES_ROTATE);
	assert_int_equal(target->auth, TARGET_AUTH_SIGV4);
	assert_int_equal(target->sign_host_count, 2);
	assert_string_equal(target->sign_hosts[0], "other.example");
	assert_string_equal(target->sign_hosts[1], "b");
	assert_int_equal(target->http, TARGET_HTTP_1_1);
	assert_false(target->tls_verify);
	assert_true(target->follow_redirects);
	assert_int_equal(target->max_body_bytes, 2 * 1024 * 1024);
	assert_int_equal(target->interval_us, 120 * US_PER_S);
	assert_int_equal(target->timeout_us, 100 * US_PER_S);
	assert_int_equal(target->dns_timeout_us, 99 * US_PER_S);
	assert_int_equal(target->connect_timeout_us, 98 * US_PER_S);
	assert_int_equal(target->tls_timeout_us, 97 * US_PER_S);
	assert_int_equal(target->dns_tries, 1);
	assert_int_equal(target->resolver.mode, TARGET_RESOLVER_VPC);
	assert_int_equal(target->unhealthy_after, 5);
	assert_int_equal(target->healthy_after, 4);
	assert_false(target->is_diagnosed);
	conf_free(conf);
}

static void every_expectation_reaches_its_place(void **state)
{
	struct conf *conf = load("[probe a]\nurl = http://h\nexpect_status = 200, 204-206,\n  301\n"
		"expect_body = \"status\":\"ok\"\nexpect_body_regex = (?x) o+\n  k\nexpect_header.Server = nginx\n"
		"expect_header_regex.ETag = ^\"\n");
	const struct target *target = conf->targets[0];

	(void)state;
	assert_int_equal(target->expect_status_count, 3);
	assert_int_equal(target->expect_status[1].first, 204);
	assert_int_equal(target->expect_status[1].last, 206);
	assert_int_equal(target->expect_status[2].first, 301);
	assert_int_equal(target->expect_status[2].last, 301);
	assert_int_equal(target->expect_body_count, 2);
	assert_string_equal(target->expect_body[0].text, "\"status\":\"ok\"");
	assert_null(target->expect_body[0].code);
	assert_non_null(target->expect_body[1].code);
	assert_true(target_pattern_matches(&target->expect_body[1], "xook", 4, NULL));
	assert_int_equal(target->expect_header_count, 2);
	assert_string_equal(target->expect_headers[0].name, "Server");
	assert_null(target->expect_headers[0].pattern.code);
	assert_string_equal(target->expect_headers[1].name, "ETag");
	assert_true(target_pattern_matches(&target->expect_headers[1].pattern, "\"x\"", 3, NULL));
	conf_free(conf);
}

/* ---- inheritance -------------------------------------------------------------------------- */

static void timers_of_the_agent_hold_for_probes_wherever_they_stand(void **state)
{
	struct conf *conf = load("[probe a]\nurl = http://h\n[probe b]\nurl = http://h\ninterval = 7s\ntimeout = 6s\n"
		"resolver = system\n[agent]\ninterval = 30s\ntimeout = 4s\ndns_timeout = 3s\nresolver = vpc\n");

	(void)state;
	assert_int_equal(conf->targets[0]->interval_us, 30 * US_PER_S);
	assert_int_equal(conf->targets[0]->timeout_us, 4 * US_PER_S);
	assert_int_equal(conf->targets[0]->dns_timeout_us, 3 * US_PER_S);
	assert_int_equal(conf->targets[0]->resolver.mode, TARGET_RESOLVER_VPC);
	assert_int_equal(conf->targets[1]->interval_us, 7 * US_PER_S);
	assert_int_equal(conf->targets[1]->timeout_us, 6 * US_PER_S);
	assert_int_equal(conf->targets[1]->resolver.mode, TARGET_RESOLVER_SYSTEM);
	conf_free(conf);
}

static void inherited_phase_limits_give_way_to_a_shorter_timeout(void **state)
{
	struct conf *conf = load("[agent]\ntimeout = 1s\n[probe a]\nurl = http://h\n[probe b]\nurl = http://h\n"
		"timeout = 500ms\ntls_timeout = 200ms\n[probe c]\nurl = http://h\ntimeout = 5s\n");

	(void)state;
	assert_int_equal(conf->targets[0]->dns_timeout_us, US_PER_S);
	assert_int_equal(conf->targets[1]->connect_timeout_us, 500 * US_PER_MS);
	assert_int_equal(conf->targets[1]->tls_timeout_us, 200 * US_PER_MS);
	assert_int_equal(conf->targets[2]->dns_timeout_us, 2 * US_PER_S);
	conf_free(conf);
}

static void a_disabled_probe_is_counted_and_left_out(void **state)
{
	struct conf *conf = load("[probe a]\nurl = http://h\nenabled = no\n[probe b]\nurl = http://h\n");

	(void)state;
	assert_int_equal(conf->target_count, 1);
	assert_string_equal(conf->targets[0]->name, "b");
	assert_int_equal(conf->disabled_count, 1);
	conf_free(conf);
}

static void a_url_alone_becomes_a_target(void **state)
{
	struct conf *conf = load("[agent]\ninterval = 20s\ntimeout = 900ms\n");
	struct target *target = NULL;
	const char *why = NULL;

	(void)state;
	assert_int_equal(conf_target_for_url(conf, "https://h.example:8443/x?y", &target, &why), 0);
	assert_string_equal(target->name, "h.example");
	assert_string_equal(target->url.text, "https://h.example:8443/x?y");
	assert_int_equal(target->timeout_us, 900 * US_PER_MS);
	assert_int_equal(target->dns_timeout_us, 900 * US_PER_MS);
	assert_string_equal(target->method, "GET");
	assert_int_equal(target->expect_status_count, 1);
	target_drop(target);
	target = NULL;
	assert_int_equal(conf_target_for_url(conf, "h.example", &target, &why), ERR_SYNTAX);
	assert_non_null(why);
	assert_int_equal(conf_target_for_url(conf, "http://[::ffff:169.254.169.254]/", &target, &why), ERR_SYNTAX);
	assert_non_null(strstr(why, "never probed"));
	assert_null(target);
	conf_free(conf);
}

/* ---- grammar ------------------------------------------------------------------------------ */

static void white_space_comments_and_line_ends_do_not_matter(void **state)
{
	struct conf *conf = load("\xef\xbb\xbf# comment\r\n; another\r\n  # indented\r\n\r\n[ agent ] ; why\r\n"
		"fleet=a b \t\r\nmax_dns_rate   =\t 9 ; comment = 10\r\nagent_id: c;d\r\n\t\r\n"
		"[probe   a-B_c.9  ]\nurl=http://h ;x\n[cloudwatch]\nnamespace = no newline at the end");

	(void)state;
	assert_string_equal(conf->fleet, "a b");
	assert_int_equal(conf->max_dns_rate, 9);
	assert_string_equal(conf->agent_id, "c;d");
	assert_string_equal(conf->targets[0]->name, "a-B_c.9");
	assert_string_equal(conf->targets[0]->url.text, "http://h/");
	assert_string_equal(conf->namespace_, "no newline at the end");
	conf_free(conf);
}

static void names_are_kept_whole(void **state)
{
	char text[200];
	char name[TARGET_NAME_MAX + 1];
	struct conf *conf;

	(void)state;
	memset(name, 'n', TARGET_NAME_MAX);
	name[TARGET_NAME_MAX] = '\0';
	(void)snprintf(text, sizeof text, "[probe %s]\nurl = http://h\n[probe %.*s]\nurl = http://h", name,
		TARGET_NAME_MAX - 1, name);
	conf = load(text);
	assert_string_equal(conf->targets[0]->name, name);
	assert_int_equal(strlen(conf->targets[1]->name), TARGET_NAME_MAX - 1);
	conf_free(conf);
}

static void an_indented_line_continues_a_url_with_nothing_between(void **state)
{
	struct conf *conf = load("[probe a]\nurl = https://h\n    /a/b\n\t?c=d ; comment\n    # comment\n  &e=f\n");

	(void)state;
	assert_string_equal(conf->targets[0]->url.text, "https://h/a/b?c=d&e=f");
	conf_free(conf);
}

static void an_indented_line_continues_a_body_after_a_newline(void **state)
{
	struct conf *conf = load("[probe a]\nurl = http://h\nmethod = POST\nbody = one\n two = 2\n   [three]\n"
		"# not part of it\n four;4 #4\nexpect_body =\n first\n second\n");

	(void)state;
	assert_string_equal(conf->targets[0]->body, "one\ntwo = 2\n[three]\nfour;4 #4");
	assert_string_equal(conf->targets[0]->expect_body[0].text, "first\nsecond");
	conf_free(conf);
}

static void quotes_are_part_of_a_value(void **state)
{
	struct conf *conf = load("[agent]\nfleet = \"f\"\n[probe a]\nurl = http://h\nexpect_body = 'x\"\n");

	(void)state;
	assert_string_equal(conf->fleet, "\"f\"");
	assert_string_equal(conf->targets[0]->expect_body[0].text, "'x\"");
	conf_free(conf);
}

/* inih alone would cut at 200 bytes: every length around its multiples, with spaces at every place. */
static void values_of_any_length_are_kept_to_the_byte(void **state)
{
	static char value[8000];
	static char text[2 * sizeof value + 100];

	(void)state;
	for (size_t length = 1; length < sizeof value; length += length < 900 ? 1 : 487) {
		struct conf *conf;

		for (size_t i = 0; i < length; i++)
			value[i] = "ab  c#;=[] :"[(i * 7 + length) % 12];
		value[0] = value[length - 1] = 'x';
		value[length] = '\0';
		for (char *c = value; (c = strstr(c, " ;")); )
			c[1] = '_';
		(void)snprintf(text, sizeof text, "[probe a]\nurl = http://h\nexpect_body = %s\nheader.X = %s\n", value,
			value);
		conf = load(text);
		assert_string_equal(conf->targets[0]->expect_body[0].text, value);
		assert_string_equal(conf->targets[0]->headers[0].value, value);
		conf_free(conf);
	}
}

/* ---- random round trip -------------------------------------------------------------------- */

static uint64_t next_random(uint64_t *seed)
{
	*seed = *seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return *seed >> 33;
}

/* Text that the grammar can say in one value: no control characters, nothing that begins a comment,
 * no white space at the ends. */
static void random_text(uint64_t *seed, char *text, size_t size)
{
	size_t length = 1 + next_random(seed) % (size - 1);

	for (size_t i = 0; i < length; i++)
		text[i] = (char)(' ' + next_random(seed) % 95);
	for (size_t i = 1; i < length; i++)
		if (text[i] == ';' && text[i - 1] == ' ')
			text[i] = ':';
	if (strchr(" ;#", text[0]))
		text[0] = 'a';
	if (text[length - 1] == ' ')
		text[length - 1] = 'z';
	text[length] = '\0';
}

static void what_is_written_is_read_back(void **state)
{
	uint64_t seed = (uint64_t)time(NULL);

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	for (int round = 0; round < 200; round++) {
		char body[4][600];
		char header[600];
		int interval_s = 2 + (int)(next_random(&seed) % 3600);
		int timeout_ms = 10 + (int)(next_random(&seed) % 1900);
		int lines = 1 + (int)(next_random(&seed) % 4);
		struct conf *conf;
		struct buf text;
		struct buf joined;

		buf_init(&text, 100000);
		buf_init(&joined, 100000);
		random_text(&seed, header, sizeof header);
		(void)buf_append_format(&text, "[probe p%d]\nurl = http://h/%d\nmethod = PUT\nbody = ", round, round);
		for (int i = 0; i < lines; i++) {
			random_text(&seed, body[i], sizeof body[i]);
			(void)buf_append_format(&text, "%s%s\n", i ? "  " : "", body[i]);
			(void)buf_append_format(&joined, "%s%s", i ? "\n" : "", body[i]);
		}
		(void)buf_append_format(&text, "header.X-Y = %s\ninterval = %ds\ntimeout = %dms\n", header, interval_s,
			timeout_ms);
		conf = load(buf_text(&text));
		assert_string_equal(conf->targets[0]->body, buf_text(&joined));
		assert_string_equal(conf->targets[0]->headers[0].value, header);
		assert_int_equal(conf->targets[0]->interval_us, interval_s * US_PER_S);
		assert_int_equal(conf->targets[0]->timeout_us, timeout_ms * US_PER_MS);
		conf_free(conf);
		buf_done(&text);
		buf_done(&joined);
	}
}

/* ---- size --------------------------------------------------------------------------------- */

static void ten_thousand_probes_are_read_quickly(void **state)
{
	struct buf text;
	clock_t started;
	struct conf *conf;

	(void)state;
	buf_init(&text, 16 * 1024 * 1024);
	(void)buf_append_text(&text, "[cloudwatch]\nmax_metrics = 100000\n");
	for (int i = 0; i < 10000; i++)
		(void)buf_append_format(&text, "[probe service-%d]\nurl = https://service-%d.example/healthz\n"
			"expect_status = 200\nexpect_body_regex = \"status\":\\s*\"ok\"\n", i, i);
	started = clock();
	conf = load(buf_text(&text));
	print_message("%.0f ms of CPU\n", (double)(clock() - started) * 1e3 / CLOCKS_PER_SEC);
	/* About 0.05 s; a loop in a loop over the names would take minutes. */
	assert_true((double)(clock() - started) / CLOCKS_PER_SEC < 10);
	assert_int_equal(conf->target_count, 10000);
	assert_string_equal(conf->targets[9999]->name, "service-9999");
	conf_free(conf);
	buf_done(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_defaults_are_those_of_the_manual),
		cmocka_unit_test(a_probe_that_sets_nothing_has_the_defaults),
		cmocka_unit_test(every_key_of_the_agent_reaches_its_place),
		cmocka_unit_test(every_key_of_cloudwatch_reaches_its_place),
		cmocka_unit_test(every_choice_of_the_agents_metrics_is_its_own),
		cmocka_unit_test(every_key_of_a_request_reaches_its_place),
		cmocka_unit_test(every_expectation_reaches_its_place),
		cmocka_unit_test(timers_of_the_agent_hold_for_probes_wherever_they_stand),
		cmocka_unit_test(inherited_phase_limits_give_way_to_a_shorter_timeout),
		cmocka_unit_test(a_disabled_probe_is_counted_and_left_out),
		cmocka_unit_test(a_url_alone_becomes_a_target),
		cmocka_unit_test(white_space_comments_and_line_ends_do_not_matter),
		cmocka_unit_test(names_are_kept_whole),
		cmocka_unit_test(an_indented_line_continues_a_url_with_nothing_between),
		cmocka_unit_test(an_indented_line_continues_a_body_after_a_newline),
		cmocka_unit_test(quotes_are_part_of_a_value),
		cmocka_unit_test(values_of_any_length_are_kept_to_the_byte),
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(ten_thousand_probes_are_read_quickly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
