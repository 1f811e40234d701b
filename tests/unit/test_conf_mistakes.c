/* SPDX-License-Identifier: Apache-2.0 */
/* Every mistake the configuration knows, said once each, with its place. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lattice-probe/buf.h"
#include "lattice-probe/conf.h"
#include "lattice-probe/err.h"

struct row {
	const char *text;
	const char *finding; /* all of them, a line each */
};

/* All findings of one severity as "line: text", a line each. */
static char *describe(const struct conf_findings *findings, enum conf_severity severity)
{
	struct buf text;

	buf_init(&text, 1024 * 1024);
	for (size_t i = 0; i < findings->count; i++)
		if (findings->items[i].severity == severity)
			(void)buf_append_format(&text, "%s%u: %s", text.length_bytes ? "\n" : "",
				findings->items[i].line, findings->items[i].text);
	return buf_take(&text);
}

static void expect(const struct row *row, enum conf_severity severity)
{
	struct conf_findings findings;
	struct conf *conf = NULL;
	char *said;

	conf_findings_init(&findings);
	assert_int_equal(conf_load_text("t.conf", row->text, strlen(row->text), &conf, &findings),
		severity == CONF_MISTAKE ? ERR_SYNTAX : 0);
	assert_int_equal(conf != NULL, severity == CONF_WARNING);
	said = describe(&findings, severity);
	if (strcmp(said, row->finding) != 0)
		fail_msg("\n%s\nsaid:\n%s\nnot:\n%s", row->text, said, row->finding);
	free(said);
	conf_free(conf);
	conf_findings_done(&findings);
}

static void expect_all(const struct row *rows, size_t count, enum conf_severity severity)
{
	for (size_t i = 0; i < count; i++)
		expect(&rows[i], severity);
}

#define EXPECT_ALL(rows, severity) expect_all(rows, sizeof(rows) / sizeof *(rows), severity)

#define PROBE "[probe a]\nurl = https://h/\n" /* the next line is line 3 */
#define CLOUD "[cloudwatch]\n"                /* line 2 */
#define AGENT "[agent]\n"

static void the_form_of_lines_is_judged(void **state)
{
	static const struct row rows[] = {
		{ "fleet = x\nagent_id = y\n",
			"1: a key stands before the first section; write [agent], [cloudwatch] or [probe NAME] above it" },
		{ "[agent\nfleet = x\ninterval = 5\n[cloudwatch]\nperiod = 2s\n",
			"1: a section is written [agent], [cloudwatch] or [probe NAME], alone in its line; its keys are "
			"skipped\n5: [cloudwatch] period: \"2s\" is no period of CloudWatch; allowed: 1s, 5s, 10s, 30s, or a "
			"multiple of 60s up to 1h" },
		{ "[agent] fleet = x\n",
			"1: a section is written [agent], [cloudwatch] or [probe NAME], alone in its line; its keys are "
			"skipped" },
		{ AGENT "fleet\n",
			"2: this is neither [section], nor key = value, nor a comment (# or ; at its beginning)" },
		{ AGENT "fleet ; = x\n",
			"2: this is neither [section], nor key = value, nor a comment (# or ; at its beginning)" },
		{ AGENT "fleet = a\x1b[0mb\n", "2: the line holds a control character; a file is plain text" },
		{ AGENT "  fleet = a\n",
			"2: an indented line continues the value above it, and there is none that may continue; a key "
			"begins its line" },
		{ AGENT "fleet = a\n  b\n  c\n",
			"3: an indented line continues the value above it, and there is none that may continue; a key "
			"begins its line" },
		{ PROBE "expect_body = a\n\n  b\n",
			"5: an indented line continues the value above it, and there is none that may continue; a key "
			"begins its line" },
		{ PROBE "expect_body = a\n  # b\n",
			"4: an indented line that begins with # or ; is a comment even inside a value; a pattern may "
			"write it as [#] or [;], a body go into body_file" },
		{ PROBE "expect_body = a ; b\n",
			"3: [probe a] expect_body: \" ;\" would begin a comment; write [;] in a pattern, put a body into a "
			"file for body_file" },
		{ PROBE "expect_body_regex = a\n  b\t;c\n",
			"4: [probe a] expect_body_regex: \" ;\" would begin a comment; write [;] in a pattern, put a body "
			"into a file for body_file" },
	};

	(void)state;
	EXPECT_ALL(rows, CONF_MISTAKE);
}

static void sections_are_judged(void **state)
{
	static const struct row rows[] = {
		{ "[agents]\nx = y\n", "1: there is no section [agents]; did you mean [agent]?" },
		{ "[prbe a]\n", "1: there is no section [prbe]; did you mean [probe NAME]?" },
		{ "[]\nx = y\n", "1: there is no section []; allowed are [agent], [cloudwatch] and [probe NAME]" },
		{ "[agent x]\n", "1: [agent] this section takes no name" },
		{ AGENT "fleet = a\n" CLOUD AGENT, "4: [agent] the section stands twice in this file; put its keys together" },
		{ "[probe]\nurl = https://h\n", "1: [probe ] a probe needs a name; write [probe NAME]" },
		{ "[probe a b]\nurl = https://h\n",
			"1: [probe a b] a name is made of letters, digits, '-', '_' and '.'" },
		{ "[probe aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]\nurl = https://h\n",
			"1: [probe aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...] the name is longer than "
			"64 characters" },
		{ PROBE PROBE PROBE,
			"3: [probe a] the name is taken by the probe in t.conf:1\n"
			"5: [probe a] the name is taken by the probe in t.conf:1" },
		{ "[probe a]\n", "1: [probe a] url: is missing; write url = https://host/path" },
	};

	(void)state;
	EXPECT_ALL(rows, CONF_MISTAKE);
}

static void keys_are_judged(void **state)
{
	static const struct row rows[] = {
		{ AGENT "timout = 3s\n", "2: [agent] timout: there is no such key; did you mean timeout?" },
		{ PROBE "haeder.X = y\n", "3: [probe a] haeder.X: there is no such key; did you mean header.NAME?" },
		{ PROBE "header. = y\n", "3: [probe a] header.: there is no such key; did you mean header.NAME?" },
		{ AGENT "colour = red\n", "2: [agent] colour: there is no such key" },
		{ AGENT "= red\n", "2: [agent] : there is no such key" },
		{ AGENT "namespace = x\n", "2: [agent] namespace: this key stands in [cloudwatch]" },
		{ CLOUD "fleet = x\n", "2: [cloudwatch] fleet: this key stands in [agent]" },
		{ CLOUD "url = x\n", "2: [cloudwatch] url: this key stands in [probe NAME]" },
		{ AGENT "fleet = a\nfleet = b\n", "3: [agent] fleet: is set twice, first in line 2" },
		{ PROBE "header.A = a\nheader.a = b\n", "4: [probe a] header.a: is set twice, first in line 3" },
		{ AGENT "interval =\n", "2: [agent] interval: has no value; leave the line out for the default 10s" },
		{ PROBE "body =\n\n", "3: [probe a] body: has no value; give one or leave the line out" },
	};

	(void)state;
	EXPECT_ALL(rows, CONF_MISTAKE);
}

static void values_are_judged_by_their_type(void **state)
{
	static const struct row rows[] = {
		{ AGENT "interval = 5\n", "2: [agent] interval: \"5\" has no unit; write 5s (ms, s, m, h, d)" },
		{ AGENT "interval = soon\n",
			"2: [agent] interval: \"soon\" is no duration; write 1s to 1d, with ms, s, m, h or d" },
		{ AGENT "interval = 2d\n",
			"2: [agent] interval: \"2d\" is out of range; write 1s to 1d, with ms, s, m, h or d" },
		{ AGENT "timeout = 9999999999999d\n",
			"2: [agent] timeout: \"9999999999999d\" is out of range; write 10ms to 5m, with ms, s, m, h or d" },
		{ AGENT "max_dns_rate = 0\n",
			"2: [agent] max_dns_rate: \"0\" is out of range; write a whole number from 1 to 1024 (datagrams/s)" },
		{ AGENT "dns_tries = two\n",
			"2: [agent] dns_tries: \"two\" is no whole number; write a whole number from 1 to 2 (datagrams)" },
		{ PROBE "max_body = 64\n",
			"3: [probe a] max_body: \"64\" has no unit; write 1B to 16MiB, with B, KiB or MiB" },
		{ PROBE "max_body = big\n",
			"3: [probe a] max_body: \"big\" is no size; write 1B to 16MiB, with B, KiB or MiB" },
		{ PROBE "max_body = 17MiB\n",
			"3: [probe a] max_body: \"17MiB\" is out of range; write 1B to 16MiB, with B, KiB or MiB" },
		{ PROBE "tls_verify = 1\n", "3: [probe a] tls_verify: \"1\" is neither yes nor no; write yes or no" },
		{ PROBE "enabled = maybe\n", "3: [probe a] enabled: \"maybe\" is neither yes nor no; write yes or no" },
		{ PROBE "addresses = rotated\n",
			"3: [probe a] addresses: \"rotated\" is none of first|all|rotate; did you mean rotate?" },
		{ PROBE "ip = 4\n", "3: [probe a] ip: \"4\" is none of auto|v4|v6|both; did you mean v4?" },
		{ PROBE "http = h3-only\n", "3: [probe a] http: \"h3-only\" is none of auto|1.1|2" },
		{ CLOUD "failure_metrics = zeros\n",
			"2: [cloudwatch] failure_metrics: \"zeros\" is none of sparse|always" },
		{ AGENT "fleet = caf\xc3\xa9\n",
			"2: [agent] fleet: \"caf??\" holds other than ASCII; write 1 to 255 printable ASCII characters" },
	};

	(void)state;
	EXPECT_ALL(rows, CONF_MISTAKE);
}

static void resolvers_are_judged(void **state)
{
	static const struct row rows[] = {
		{ AGENT "resolver = sytem\n", "2: [agent] resolver: \"sytem\" is no resolver; did you mean system?" },
		{ AGENT "resolver = dns.example\n",
			"2: [agent] resolver: \"dns.example\" is no IP address; allowed are system, vpc, or up to 8 of IP, "
			"IP:port, [v6]:port" },
		{ AGENT "resolver = 10.0.0.2, vpc\n",
			"2: [agent] resolver: \"vpc\" stands alone or not at all; allowed are system, vpc, or up to 8 of IP, "
			"IP:port, [v6]:port" },
		{ AGENT "resolver = 10.0.0.2, 10.0.0.2:53\n",
			"2: [agent] resolver: 10.0.0.2:53 stands twice in the list" },
		{ AGENT "resolver = ::1,::2,::3,::4,::5,::6,::7,::8,::9\n",
			"2: [agent] resolver: there are more than 8 resolvers" },
	};

	(void)state;
	EXPECT_ALL(rows, CONF_MISTAKE);
}

#define SOCKET_ALLOWED "is no path of a socket; allowed are none, or an absolute path of up to 99 bytes"
#define NINETY_NINE "/2345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678s"

static void the_status_socket_and_health_are_judged(void **state)
{
	static const struct row rows[] = {
		{ AGENT "status_socket = status.sock\n", "2: [agent] status_socket: \"status.sock\" " SOCKET_ALLOWED },
		{ AGENT "status_socket = /run/\n", "2: [agent] status_socket: \"/run/\" " SOCKET_ALLOWED },
		{ AGENT "status_socket = " NINETY_NINE "1\n",
			"2: [agent] status_socket: the path is longer than 99 bytes" },
		{ AGENT "unhealthy_after = 0\n",
			"2: [agent] unhealthy_after: \"0\" is out of range; write a whole number from 1 to 1000 (runs)" },
	};

	(void)state;
	EXPECT_ALL(rows, CONF_MISTAKE);
}

#define NAMESPACE "allowed: 1 to 255 printable ASCII characters, not AWS/… or :…"
#define ENDPOINT "allowed: auto, or https://host (http:// on loopback only)"
#define PERIOD "allowed: 1s, 5s, 10s, 30s, or a multiple of 60s up to 1h"

static void the_keys_of_cloudwatch_are_judged(void **state)
{
	static const struct row rows[] = {
		{ CLOUD "namespace = AWS/EC2\n",
			"2: [cloudwatch] namespace: \"AWS/EC2\" is no namespace that CloudWatch takes; " NAMESPACE },
		{ CLOUD "namespace = :x\n",
			"2: [cloudwatch] namespace: \":x\" is no namespace that CloudWatch takes; " NAMESPACE },
		{ CLOUD "period = 1m30s\n", "2: [cloudwatch] period: \"1m30s\" is no duration; " PERIOD },
		{ CLOUD "backfill_rate = 6\n", "2: [cloudwatch] backfill_rate: \"6\" is no rate; allowed: 1/min to 600/min" },
		{ CLOUD "backfill_rate = 0/min\n", "2: [cloudwatch] backfill_rate: \"0/min\" is no rate; allowed: 1/min to 600/min" },
		{ CLOUD "backfill_rate = 6/minute\n",
			"2: [cloudwatch] backfill_rate: \"6/minute\" is no rate; allowed: 1/min to 600/min" },
		{ CLOUD "period = 15s\n", "2: [cloudwatch] period: \"15s\" is no period of CloudWatch; " PERIOD },
		{ CLOUD "period = 90s\n", "2: [cloudwatch] period: \"90s\" is no period of CloudWatch; " PERIOD },
		{ CLOUD "period = 60001ms\n", "2: [cloudwatch] period: \"60001ms\" is no period of CloudWatch; " PERIOD },
		{ CLOUD "period = 2h\n", "2: [cloudwatch] period: \"2h\" is no period of CloudWatch; " PERIOD },
		{ CLOUD "period = 99999999999d\n", "2: [cloudwatch] period: \"99999999999d\" is out of range; " PERIOD },
		{ CLOUD "region = us-east\n",
			"2: [cloudwatch] region: \"us-east\" is no region; allowed: auto, or a region such as us-east-1" },
		{ CLOUD "region = us-east-1.evil.example\n",
			"2: [cloudwatch] region: \"us-east-1.evil.example\" is no region; allowed: auto, or a region such as "
			"us-east-1" },
		{ CLOUD "endpoint = monitoring\n",
			"2: [cloudwatch] endpoint: a URL begins with https:// or http://; " ENDPOINT },
		{ CLOUD "endpoint = http://10.0.0.1\n",
			"2: [cloudwatch] endpoint: \"http://10.0.0.1\" would send signed requests in the clear; " ENDPOINT },
		{ CLOUD "endpoint = https://h/x\n",
			"2: [cloudwatch] endpoint: \"https://h/x\" has a path; only scheme, host and port belong here; "
			ENDPOINT },
		{ CLOUD "endpoint = https://169.254.170.2\n",
			"2: [cloudwatch] endpoint: \"https://169.254.170.2\" is an address that hands out credentials; "
			ENDPOINT },
		{ CLOUD "proxy = https://h:3128\n",
			"2: [cloudwatch] proxy: \"https://h:3128\" is an HTTPS proxy, which is not supported; allowed: none, "
			"or http://host:port" },
		{ CLOUD "proxy = http://h:3128/p\n",
			"2: [cloudwatch] proxy: \"http://h:3128/p\" has a path; only host and port belong here; allowed: none, "
			"or http://host:port" },
		{ CLOUD "metrics = Success, Latancy\n",
			"2: [cloudwatch] metrics: \"Latancy\" is no metric; did you mean Latency?" },
		{ CLOUD "metrics = Heartbeat\n",
			"2: [cloudwatch] metrics: \"Heartbeat\" is no metric to choose; allowed: Success, Latency, DnsLatency, "
			"ConnectLatency, TlsLatency, FirstByteLatency, TransferLatency, FailedLatency, TcpRetransmits, "
			"DnsRetransmits, CertificateDaysRemaining" },
		{ CLOUD "metrics = Latency, Latency\n", "2: [cloudwatch] metrics: Latency stands twice in the list" },
		{ "[cloudwatch]\nmax_metrics = 3\n" PROBE,
			"2: [cloudwatch] max_metrics: 4 metrics would be published and paid for, more than 3; choose fewer "
			"probes, metrics or dimension_sets, or raise max_metrics" },
	};

	(void)state;
	EXPECT_ALL(rows, CONF_MISTAKE);
}

static void dimensions_are_judged(void **state)
{
	static const struct row rows[] = {
		{ CLOUD "dimension.Service = x\n",
			"2: [cloudwatch] dimension.Service: the agent sets this dimension itself" },
		{ CLOUD "dimension.a,b = x\n",
			"2: [cloudwatch] dimension.a,b: a dimension's name is 1 to 63 printable ASCII characters, not beginning "
			"with a colon, without comma and |" },
		{ CLOUD "dimension.x = \xff\n",
			"2: [cloudwatch] dimension.x: a dimension's value is 1 to 1024 printable ASCII characters" },
		{ CLOUD "dimension.1 = x\ndimension.2 = x\ndimension.3 = x\ndimension.4 = x\ndimension.5 = x\n"
			"dimension.6 = x\ndimension.7 = x\ndimension.8 = x\ndimension.9 = x\ndimension.10 = x\n"
			"dimension.11 = x\ndimension.12 = x\ndimension.13 = x\ndimension.14 = x\ndimension.15 = x\n"
			"dimension.16 = x\ndimension.17 = x\n",
			"18: [cloudwatch] dimension.17: there are more than 16 such dimensions" },
		{ CLOUD "dimension_sets = Service, InstanceID\n",
			"2: [cloudwatch] dimension_sets: \"InstanceID\" is no dimension; did you mean InstanceId?" },
		{ CLOUD "dimension_sets = Service |\n",
			"2: [cloudwatch] dimension_sets: \"\" is no dimension; allowed are Service, AvailabilityZone, "
			"AvailabilityZoneId, VpcId, SubnetId, InstanceId and the names of dimension.NAME, by comma; up to 8 "
			"sets, by |" },
		{ CLOUD "dimension_sets = Service, Service\n",
			"2: [cloudwatch] dimension_sets: Service stands twice in a set" },
		{ CLOUD "dimension_sets = VpcId, Service | Service, VpcId\n",
			"2: [cloudwatch] dimension_sets: two sets are the same; the static dimensions are in each of them as "
			"it is" },
		{ CLOUD "dimension_sets = Service|VpcId|SubnetId|InstanceId|AvailabilityZone|AvailabilityZoneId|"
			"Service,VpcId|Service,SubnetId|Service,InstanceId\n",
			"2: [cloudwatch] dimension_sets: there are more than 8 sets" },
	};

	(void)state;
	EXPECT_ALL(rows, CONF_MISTAKE);
}

static void urls_and_methods_are_judged(void **state)
{
	static const struct row rows[] = {
		{ "[probe a]\nurl = https://user:SECRET@h/\n",
			"2: [probe a] url: a URL holds no user name or password: use header_file.Authorization" },
		{ "[probe a]\nurl = http://169.254.169.254/latest\n",
			"2: [probe a] url: this address hands out credentials and is never probed" },
		{ "[probe a]\nurl = http://[::ffff:a9fe:aa02]/\n",
			"2: [probe a] url: this address hands out credentials and is never probed" },
		{ PROBE "method = PO ST\n",
			"3: [probe a] method: \"PO ST\" is no HTTP method; write GET, HEAD, POST or the like" },
		{ PROBE "method = get\n",
			"3: [probe a] method: \"get\" has small letters, and methods have case; write it in capitals" },
		{ PROBE "method = CONNECT\n",
			"3: [probe a] method: \"CONNECT\" asks for a tunnel and not for a response; write GET, HEAD, POST or "
			"the like" },
		{ PROBE "method = HEAD\nexpect_body = x\n",
			"4: [probe a] expect_body: a response to HEAD has no body, so this never holds; write method = GET" },
		{ PROBE "method = PUT\nbody = x\nbody_file = y\n",
			"5: [probe a] body_file: the body is set by body and body_file both; choose one" },
		{ PROBE "body_file = /nowhere/at/all\n",
			"3: [probe a] body_file: /nowhere/at/all cannot be opened: No such file or directory" },
		{ PROBE "body_file = /\n", "3: [probe a] body_file: / is a directory" },
		{ PROBE "tls_ca = /dev/null\n", "3: [probe a] tls_ca: /dev/null is no regular file" },
		{ "[probe a]\nurl = http://10.0.0.1\nip = v6\n",
			"3: [probe a] ip: the url names an IPv4 address; leave ip out" },
		{ "[probe a]\nurl = http://[::1]\nip = both\n",
			"3: [probe a] ip: the url names an IPv6 address; leave ip out" },
	};

	(void)state;
	EXPECT_ALL(rows, CONF_MISTAKE);
}

#define HEADER_NAME "this is no header name; one is made of letters, digits and !#$%&'*+-.^_`|~"

static void headers_and_expectations_are_judged(void **state)
{
	static const struct row rows[] = {
		{ PROBE "header.A B = x\n", "3: [probe a] header.A B: " HEADER_NAME },
		{ PROBE "header.hOST = x\n",
			"3: [probe a] header.hOST: this header follows from the URL and the body; it cannot be set" },
		{ PROBE "header.Content-Length = 1\nheader.Transfer-Encoding = x\nheader.Connection = close\n",
			"3: [probe a] header.Content-Length: this header follows from the URL and the body; it cannot be set\n"
			"4: [probe a] header.Transfer-Encoding: this header follows from the URL and the body; it cannot be "
			"set\n"
			"5: [probe a] header.Connection: this header follows from the URL and the body; it cannot be set" },
		{ PROBE "header.X = a\n  b\n",
			"3: [probe a] header.X: a header is one line; it cannot go on in an indented one" },
		{ PROBE "header.X = a\nheader_file.x = b\n",
			"4: [probe a] header_file.x: the header is set by header.NAME and header_file.NAME both; choose one" },
		{ PROBE "header_file.X = /nowhere/at/all\n",
			"3: [probe a] header_file.X: /nowhere/at/all cannot be opened: No such file or directory" },
		{ PROBE "expect_status = 200-\n",
			"3: [probe a] expect_status: \"200-\" is no status; allowed: up to 16 of 200 or 200-299, by comma, "
			"from 100 to 999" },
		{ PROBE "expect_status = 299-200\n",
			"3: [probe a] expect_status: \"299-200\" is no status; allowed: up to 16 of 200 or 200-299, by comma, "
			"from 100 to 999" },
		{ PROBE "expect_status = 200, 99\n",
			"3: [probe a] expect_status: \"99\" is no status; allowed: up to 16 of 200 or 200-299, by comma, from "
			"100 to 999" },
		{ PROBE "expect_status = 1\n  2,3,4\n",
			"3: [probe a] expect_status: \"1?2\" is no status; allowed: up to 16 of 200 or 200-299, by comma, "
			"from 100 to 999" },
		{ PROBE "expect_status = 200,201,202,203,204,205,206,207,208,209,210,211,212,213,214,215,216\n",
			"3: [probe a] expect_status: there are more than 16 statuses or ranges" },
		{ PROBE "expect_body_regex = a(b\n",
			"3: [probe a] expect_body_regex: this is no PCRE2 pattern: missing closing parenthesis at character "
			"4" },
		{ PROBE "expect_header_regex.X = [\n",
			"3: [probe a] expect_header_regex.X: this is no PCRE2 pattern: missing terminating ] for character "
			"class at character 2" },
		{ PROBE "expect_header.X@Y = a\n", "3: [probe a] expect_header.X@Y: " HEADER_NAME },
		{ PROBE "expect_header.X = a\n  b\n",
			"3: [probe a] expect_header.X: a header is one line, so a text of several is never found in it" },
	};

	(void)state;
	EXPECT_ALL(rows, CONF_MISTAKE);
}

#define LATTICE "[probe a]\nurl = https://a-1.7d67968.vpc-lattice-svcs.us-east-1.on.aws/\n"

static void a_signature_goes_nowhere_unasked(void **state)
{
	static const struct row rows[] = {
		{ PROBE "auth = sigv4\n",
			"3: [probe a] auth: sigv4 is for hosts under *.vpc-lattice-svcs.REGION.on.aws; allow this one with "
			"sign_host = h" },
		{ "[probe a]\nauth = sigv4\nurl = https://a.vpc-lattice-svcs.us-east-1.on.aws.evil.example/\n",
			"2: [probe a] auth: sigv4 is for hosts under *.vpc-lattice-svcs.REGION.on.aws; allow this one with "
			"sign_host = a.vpc-lattice-svcs.us-east-1.on.aws.evil.example" },
		{ "[probe a]\nauth = sigv4\nurl = http://a.vpc-lattice-svcs.us-east-1.on.aws/\n",
			"2: [probe a] auth: sigv4 would send a session token in the clear; the url must begin with https://" },
		{ LATTICE "auth = sigv4\nheader.authorization = x\n",
			"3: [probe a] auth: sigv4 sets the Authorization and X-Amz-… headers itself; leave out header.NAME or "
			"auth" },
		{ PROBE "auth = sigv4\nsign_host = https://h/\n",
			"4: [probe a] sign_host: \"https://h/\": only the name of a host belongs here, without scheme, port "
			"and path" },
		{ PROBE "auth = sigv4\nsign_host = h:8443\n",
			"4: [probe a] sign_host: \"h:8443\": only the name of a host belongs here, without scheme, port and "
			"path" },
		{ PROBE "auth = sigv4\nsign_host = a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q\n",
			"4: [probe a] sign_host: there are more than 16 hosts" },
	};

	(void)state;
	EXPECT_ALL(rows, CONF_MISTAKE);
}

static void timers_that_contradict_each_other_are_found(void **state)
{
	static const struct row rows[] = {
		{ AGENT "timeout = 10s\n",
			"2: [agent] timeout: 10s is not shorter than the interval of 10s, so runs would overlap; write less" },
		{ AGENT "interval = 3s\n" PROBE,
			"2: [agent] interval: 3s is not longer than the timeout of 3s, so runs would overlap; write more, or "
			"set timeout" },
		{ AGENT "timeout = 8s\n" PROBE "interval = 5s\n",
			"5: [probe a] interval: 5s is not longer than the timeout of 8s, so runs would overlap; write more, or "
			"set timeout" },
		{ AGENT "dns_timeout = 4s\n",
			"2: [agent] dns_timeout: 4s is longer than the timeout of the whole run, 3s" },
		{ PROBE "timeout = 1s\nconnect_timeout = 1500ms\ntls_timeout = 2s\n",
			"4: [probe a] connect_timeout: 1500ms is longer than the timeout of the whole run, 1s\n"
			"5: [probe a] tls_timeout: 2s is longer than the timeout of the whole run, 1s" },
		{ PROBE "timeout = 20\ninterval = 2s\ndns_timeout = 9s\n",
			"3: [probe a] timeout: \"20\" has no unit; write 20s (ms, s, m, h, d)" },
	};

	(void)state;
	EXPECT_ALL(rows, CONF_MISTAKE);
}

static void what_is_odd_but_possible_is_a_warning(void **state)
{
	static const struct row rows[] = {
		{ PROBE, "0: [cloudwatch] dimension.NAME: nothing separates these metrics from those of another "
			 "environment in the account; set dimension.Environment = prod or the like, or another namespace" },
		{ CLOUD "namespace = \"x\"\n",
			"2: [cloudwatch] namespace: the quotes are part of the value; values are written without" },
		{ CLOUD "namespace = x\n" PROBE "body = x\n",
			"5: [probe a] body: a GET request with a body has no meaning to most servers; method = POST was "
			"meant?" },
		{ CLOUD "namespace = x\n" PROBE "sign_host = h\n",
			"5: [probe a] sign_host: has no effect without auth = sigv4" },
		{ AGENT "max_dns_rate = 1\n" CLOUD "dimension.Environment = x\n" PROBE "interval = 1s\ntimeout = 900ms\n",
			"2: [agent] max_dns_rate: the probes ask for up to 2.0 DNS datagrams/s, more than 1: answers within "
			"their TTL will be used again and runs will wait; raise max_dns_rate (EC2 passes 1024/s) or the "
			"interval" },
		{ "", "" },
	};

	(void)state;
	EXPECT_ALL(rows, CONF_WARNING);
}

/* ---- what a table cannot say -------------------------------------------------------------- */

static void all_mistakes_are_found_in_the_order_of_the_file(void **state)
{
	static const struct row row = {
		"[probe b]\nurl = x\ninterval = 1\n[agent]\ntimeout = 99d\nnonsense\n[probe a]\nhttp = 3\n",
		"2: [probe b] url: a URL begins with https:// or http://\n"
		"3: [probe b] interval: \"1\" has no unit; write 1s (ms, s, m, h, d)\n"
		"5: [agent] timeout: \"99d\" is out of range; write 10ms to 5m, with ms, s, m, h or d\n"
		"6: this is neither [section], nor key = value, nor a comment (# or ; at its beginning)\n"
		"7: [probe a] url: is missing; write url = https://host/path\n"
		"8: [probe a] http: \"3\" is none of auto|1.1|2; did you mean 2?"
	};

	(void)state;
	expect(&row, CONF_MISTAKE);
}

/* The filler with its '@' as the number. */
static void append_numbered(struct buf *text, const char *filler, size_t number)
{
	for (; *filler; filler++)
		if (*filler == '@')
			(void)buf_append_format(text, "%zu", number);
		else
			(void)buf_append_char(text, *filler);
}

/* The findings of a text made of `head`, `count` times `filler`, `tail`. */
static void expect_repeated(const char *head, const char *filler, size_t count, const char *tail,
	size_t mistakes, const char *first)
{
	struct conf_findings findings;
	struct conf *conf = NULL;
	struct buf text;

	buf_init(&text, 16 * 1024 * 1024);
	(void)buf_append_text(&text, head);
	for (size_t i = 0; i < count; i++)
		append_numbered(&text, filler, i);
	(void)buf_append_text(&text, tail);
	conf_findings_init(&findings);
	assert_int_equal(conf_load_text("t.conf", text.data, text.length_bytes, &conf, &findings), ERR_SYNTAX);
	assert_int_equal(findings.mistakes, mistakes);
	assert_true(findings.count <= CONF_FINDINGS_MAX);
	assert_string_equal(findings.items[0].text, first);
	conf_findings_done(&findings);
	buf_done(&text);
}

static void ceilings_are_said_when_they_are_reached(void **state)
{
	(void)state;
	expect_repeated("[agent]\nfleet = ", "x", 8192, "\n", 1,
		"the line is longer than 8192 bytes; continue a url or a body on an indented line, or use body_file");
	expect_repeated("[agent]\nfleet = ", "x", 256, "\n", 1,
		"[agent] fleet: \"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...\" is too long; write 1 to 255 "
		"printable ASCII characters");
	expect_repeated(PROBE "method = PUT\nbody = x\n", " 0123456789012345678901234567890123456789@\n", 1600, "", 1,
		"[probe a] body: the value is longer than 64 KiB; a long body goes into body_file");
	expect_repeated(PROBE, "header.h@ = x\n", 256, "", 1, "[probe a] header.h255: the section has more than 256 keys");
	expect_repeated("", "[probe p@]\nurl = http://h\nenabled = no\n", 100001, "", 1,
		"there are more than 100000 probes");
	expect_repeated(AGENT, "nonsense@ = x\n", 5000, "", 5000, "[agent] nonsense0: there is no such key");
	expect_repeated("[probe a]\nurl = https://h/", "\n  0123456789@", 800, "\n", 1,
		"[probe a] url: a URL is at most 8000 bytes long");
}

static void a_nul_is_no_end_of_the_file(void **state)
{
	static const char text[] = "[agent]\nfleet = a\0b\ninterval = 1\n";
	struct conf_findings findings;
	struct conf *conf = NULL;

	(void)state;
	conf_findings_init(&findings);
	assert_int_equal(conf_load_text("t.conf", text, sizeof text - 1, &conf, &findings), ERR_SYNTAX);
	assert_int_equal(findings.mistakes, 2);
	assert_string_equal(findings.items[0].text, "the line holds a control character; a file is plain text");
	conf_findings_done(&findings);
}

static void no_message_repeats_a_secret(void **state)
{
	static const char text[] = "[probe a]\nurl = https://u:SECRET@h/?SECRET\nheader.Host = SECRET\n"
		"header.Cookie = SECRET\n  SECRET\nbody = SECRET\nbody_file = x\n";
	struct conf_findings findings;
	struct conf *conf = NULL;

	(void)state;
	conf_findings_init(&findings);
	assert_int_equal(conf_load_text("t.conf", text, sizeof text - 1, &conf, &findings), ERR_SYNTAX);
	assert_int_equal(findings.mistakes, 4);
	for (size_t i = 0; i < findings.count; i++)
		assert_null(strstr(findings.items[i].text, "SECRET"));
	conf_findings_done(&findings);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_form_of_lines_is_judged),
		cmocka_unit_test(sections_are_judged),
		cmocka_unit_test(keys_are_judged),
		cmocka_unit_test(values_are_judged_by_their_type),
		cmocka_unit_test(resolvers_are_judged),
		cmocka_unit_test(the_status_socket_and_health_are_judged),
		cmocka_unit_test(the_keys_of_cloudwatch_are_judged),
		cmocka_unit_test(dimensions_are_judged),
		cmocka_unit_test(urls_and_methods_are_judged),
		cmocka_unit_test(headers_and_expectations_are_judged),
		cmocka_unit_test(a_signature_goes_nowhere_unasked),
		cmocka_unit_test(timers_that_contradict_each_other_are_found),
		cmocka_unit_test(what_is_odd_but_possible_is_a_warning),
		cmocka_unit_test(all_mistakes_are_found_in_the_order_of_the_file),
		cmocka_unit_test(ceilings_are_said_when_they_are_reached),
		cmocka_unit_test(a_nul_is_no_end_of_the_file),
		cmocka_unit_test(no_message_repeats_a_secret),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
