/* SPDX-License-Identifier: Apache-2.0 */
#include "lattice-probe/conf_keys.h"

#include <string.h>

#include "config_internal.h"

#include "lattice-probe/conf.h"
#include "lattice-probe/nearest.h"
#include "lattice-probe/units.h"

#define A CONF_SECTION_AGENT
#define C CONF_SECTION_CLOUDWATCH
#define P CONF_SECTION_PROBE

#define IN_CONF(field) .offset = offsetof(struct conf, field), .size_bytes = sizeof((struct conf *)0)->field
#define IN_TARGET(field) .offset = offsetof(struct target, field), .size_bytes = sizeof((struct target *)0)->field

#define MS(n) ((n) * US_PER_MS)
#define S(n) ((n) * US_PER_S)
#define MIB(n) ((n) * INT64_C(1048576))

/* In the order of the shipped file. */
const struct conf_key conf_keys[] = {
	{ .name = "fleet", .sections = A, .type = CONF_TYPE_TEXT, .default_text = "lattice-probe", IN_CONF(fleet),
		.help = "Name that agents share which watch the same services; a dimension of the agents' own metrics." },
	{ .name = "agent_id", .sections = A, .type = CONF_TYPE_TEXT, .default_text = "", IN_CONF(agent_id),
		.help = "Name of this agent; without it the ECS task id, else the EC2 instance id, else machine-id." },
	{ .name = "interval", .sections = A | P, .type = CONF_TYPE_DURATION, .unit = "duration",
		.default_text = "10s", .min = S(1), .max = US_PER_DAY, IN_TARGET(interval_us),
		.help = "Time from one run of a probe to its next." },
	{ .name = "timeout", .sections = A | P, .type = CONF_TYPE_DURATION, .unit = "duration",
		.default_text = "3s", .min = MS(10), .max = S(300), IN_TARGET(timeout_us),
		.help = "Limit of a whole run; must be shorter than the interval." },
	{ .name = "dns_timeout", .sections = A | P, .type = CONF_TYPE_DURATION, .unit = "duration",
		.default_text = "2s", .min = MS(10), .max = S(300), IN_TARGET(dns_timeout_us),
		.help = "Limit of the DNS phase, all resolvers together." },
	{ .name = "connect_timeout", .sections = A | P, .type = CONF_TYPE_DURATION, .unit = "duration",
		.default_text = "2s", .min = MS(10), .max = S(300), IN_TARGET(connect_timeout_us),
		.help = "Limit of the TCP handshake." },
	{ .name = "tls_timeout", .sections = A | P, .type = CONF_TYPE_DURATION, .unit = "duration",
		.default_text = "2s", .min = MS(10), .max = S(300), IN_TARGET(tls_timeout_us),
		.help = "Limit of the TLS handshake." },
	{ .name = "dns_tries", .sections = A | P, .type = CONF_TYPE_INTEGER, .unit = "datagrams",
		.default_text = "2", .min = 1, .max = 2, IN_TARGET(dns_tries),
		.help = "Datagrams that each resolver is sent before it counts as silent." },
	{ .name = "resolver", .sections = A | P, .type = CONF_TYPE_CUSTOM, .default_text = "system",
		.choices = "system, vpc, or up to 8 of IP, IP:port, [v6]:port", .set = conf_agent_set_resolver,
		.help = "Who is asked for names: the system's resolvers, the VPC's own, or these servers in order." },
	{ .name = "unhealthy_after", .sections = A | P, .type = CONF_TYPE_INTEGER, .unit = "runs",
		.default_text = "3", .min = 1, .max = 1000, IN_TARGET(unhealthy_after),
		.help = "Failures in a row that make a probe unhealthy; this host's own faults do not count." },
	{ .name = "healthy_after", .sections = A | P, .type = CONF_TYPE_INTEGER, .unit = "runs",
		.default_text = "2", .min = 1, .max = 1000, IN_TARGET(healthy_after),
		.help = "Successes in a row that make an unhealthy probe healthy again." },
	{ .name = "diagnose", .sections = A | P, .type = CONF_TYPE_BOOL, .default_text = "yes",
		IN_TARGET(is_diagnosed),
		.help = "Whether the agent looks for the cause, now and then, when a probe turns unhealthy." },
	{ .name = "max_dns_rate", .sections = A, .type = CONF_TYPE_INTEGER, .unit = "datagrams/s",
		.default_text = "50", .min = 1, .max = 1024, IN_CONF(max_dns_rate),
		.help = "DNS datagrams a second at most; EC2 lets 1024 a second through, all services together." },
	{ .name = "max_in_flight", .sections = A, .type = CONF_TYPE_INTEGER, .unit = "runs",
		.default_text = "4096", .min = 1, .max = 65536, IN_CONF(max_in_flight),
		.help = "Runs going at once at most; above, a run is a counted miss." },
	{ .name = "state_directory", .sections = A, .type = CONF_TYPE_CUSTOM, .default_text = CONF_STATE_DIRECTORY,
		.choices = "none, or an absolute path of up to 255 bytes", .set = conf_agent_set_state_directory,
		.help = "Existing folder where what CloudWatch has not taken yet, and recent runs, outlive the agent." },
	{ .name = "store_retention", .sections = A, .type = CONF_TYPE_DURATION, .unit = "duration",
		.default_text = "24h", .min = S(60), .max = 31 * US_PER_DAY, IN_CONF(store_retention_us),
		.help = "Age at which a stored run is removed." },
	{ .name = "store_max_size", .sections = A, .type = CONF_TYPE_SIZE, .unit = "bytes",
		.default_text = "64MiB", .min = MIB(1), .max = MIB(65536), IN_CONF(store_max_bytes),
		.help = "Room for stored runs; beyond it the oldest are removed." },
	{ .name = "outbox_max_size", .sections = A, .type = CONF_TYPE_SIZE, .unit = "bytes",
		.default_text = "256MiB", .min = MIB(1), .max = MIB(65536), IN_CONF(outbox_max_bytes),
		.help = "Room for what waits for CloudWatch; beyond it the oldest is dropped and counted." },
	{ .name = "shutdown_timeout", .sections = A, .type = CONF_TYPE_DURATION, .unit = "duration",
		.default_text = "5s", .min = 0, .max = S(80), IN_CONF(shutdown_timeout_us),
		.help = "Time to publish what is left when the agent is stopped." },
	{ .name = "status_socket", .sections = A, .type = CONF_TYPE_CUSTOM,
		.default_text = "/run/lattice-probe/status.sock", .choices = "none, or an absolute path of up to 99 bytes",
		.set = conf_agent_set_status_socket,
		.help = "Unix socket where the status command asks the agent." },

	{ .name = "namespace", .sections = C, .type = CONF_TYPE_CUSTOM, .default_text = "LatticeProbe",
		.choices = "1 to 255 printable ASCII characters, not AWS/… or :…", .set = conf_cloudwatch_set_namespace,
		.help = "CloudWatch namespace of all metrics." },
	{ .name = "dimension.", .sections = C, .type = CONF_TYPE_CUSTOM, .default_text = "",
		.choices = "1 to 1024 printable ASCII characters", .set = conf_dimensions_set_static,
		.help = "A dimension with a fixed value that every metric carries; it keeps environments apart." },
	{ .name = "dimension_sets", .sections = C, .type = CONF_TYPE_CUSTOM, .default_text = "Service",
		.choices = "Service, AvailabilityZone, AvailabilityZoneId, VpcId, SubnetId, InstanceId and the "
			   "names of dimension.NAME, by comma; up to 8 sets, by |", .set = conf_dimensions_set_sets,
		.help = "Each set is published, and billed, as a series of its own." },
	{ .name = "metrics", .sections = C, .type = CONF_TYPE_CUSTOM, .default_text = "Success, Latency, DnsLatency",
		.choices = "Success, Latency, DnsLatency, ConnectLatency, TlsLatency, FirstByteLatency, TransferLatency, "
			   "FailedLatency, TcpRetransmits, DnsRetransmits, CertificateDaysRemaining",
		.set = conf_cloudwatch_set_metrics,
		.help = "Metrics of each service; Success is always among them." },
	{ .name = "failure_metrics", .sections = C, .type = CONF_TYPE_CHOICE, .default_text = "sparse",
		.choices = "sparse|always", IN_CONF(failure_metrics_always),
		.help = "Whether failure counts are published only in periods with a failure, or always." },
	{ .name = "agent_metrics", .sections = C, .type = CONF_TYPE_CHOICE, .default_text = "fleet",
		.choices = "fleet|agent|both|none", IN_CONF(agent_metrics),
		.help = "Whether the agents' own metrics are published for the fleet, for each agent, both or not." },
	{ .name = "period", .sections = C, .type = CONF_TYPE_CUSTOM, .unit = "duration", .default_text = "60s",
		.choices = "1s, 5s, 10s, 30s, or a multiple of 60s up to 1h", .set = conf_cloudwatch_set_period,
		.help = "Time that one datum covers; below 60s is high resolution, with more requests to pay." },
	{ .name = "region", .sections = C, .type = CONF_TYPE_CUSTOM, .default_text = "auto",
		.choices = "auto, or a region such as us-east-1", .set = conf_cloudwatch_set_region,
		.help = "Region that metrics go to; auto takes it from the environment, the profile or the instance." },
	{ .name = "endpoint", .sections = C, .type = CONF_TYPE_CUSTOM, .default_text = "auto",
		.choices = "auto, or https://host (http:// on loopback only)", .set = conf_cloudwatch_set_endpoint,
		.help = "Where CloudWatch is; auto is the region's public endpoint, which an interface endpoint may take over." },
	{ .name = "proxy", .sections = C, .type = CONF_TYPE_CUSTOM, .default_text = "none",
		.choices = "none, or http://host:port", .set = conf_cloudwatch_set_proxy,
		.help = "HTTP proxy for CloudWatch and STS; probes and metadata never use one." },
	{ .name = "backfill_rate", .sections = C, .type = CONF_TYPE_CUSTOM, .unit = "requests/min", .default_text = "6/min",
		.choices = "1/min to 600/min", .set = conf_cloudwatch_set_backfill_rate,
		.help = "Requests a minute at most for data that waited out an outage; live data goes first." },
	{ .name = "expected_agents", .sections = C, .type = CONF_TYPE_INTEGER, .unit = "agents",
		.default_text = "1", .min = 1, .max = 100000, IN_CONF(expected_agents),
		.help = "Agents in the fleet: for the heartbeat alarm and the cost estimate." },
	{ .name = "max_metrics", .sections = C, .type = CONF_TYPE_INTEGER, .unit = "metrics",
		.default_text = "1000", .min = 1, .max = 1000000, IN_CONF(max_metrics),
		.help = "A configuration that would publish more metrics than this is refused, before the bill is." },

	{ .name = "url", .sections = P, .type = CONF_TYPE_CUSTOM, .join = CONF_JOIN_NOTHING, .default_text = "",
		.choices = "https://host[:port]/path or http://…", .set = conf_request_set_url,
		.help = "What is asked for; a long one may go on in indented lines." },
	{ .name = "enabled", .sections = P, .type = CONF_TYPE_CUSTOM, .default_text = "yes",
		.choices = "yes or no", .set = conf_request_set_enabled,
		.help = "no keeps the probe in the file and does not run it." },
	{ .name = "expect_status", .sections = P, .type = CONF_TYPE_CUSTOM, .join = CONF_JOIN_NEWLINE,
		.default_text = "200-299", .choices = "up to 16 of 200 or 200-299, by comma, from 100 to 999",
		.set = conf_expect_set_status,
		.help = "Statuses that are healthy." },
	{ .name = "expect_body", .sections = P, .type = CONF_TYPE_CUSTOM, .join = CONF_JOIN_NEWLINE,
		.default_text = "", .choices = "text", .set = conf_expect_set_body,
		.help = "Text that the body must hold; indented lines below it make one text of several lines." },
	{ .name = "expect_body_regex", .sections = P, .type = CONF_TYPE_CUSTOM, .join = CONF_JOIN_NEWLINE,
		.default_text = "", .choices = "a PCRE2 pattern", .set = conf_expect_set_body,
		.help = "Pattern that must match somewhere in the body; its effort is bounded." },
	{ .name = "expect_header.", .sections = P, .type = CONF_TYPE_CUSTOM, .join = CONF_JOIN_NEWLINE,
		.default_text = "", .choices = "text", .set = conf_expect_set_header,
		.help = "Text that the response header NAME must hold." },
	{ .name = "expect_header_regex.", .sections = P, .type = CONF_TYPE_CUSTOM, .join = CONF_JOIN_NEWLINE,
		.default_text = "", .choices = "a PCRE2 pattern", .set = conf_expect_set_header,
		.help = "Pattern that must match somewhere in the response header NAME." },
	{ .name = "method", .sections = P, .type = CONF_TYPE_CUSTOM, .default_text = "GET",
		.choices = "an HTTP method such as GET, HEAD or POST", .set = conf_request_set_method,
		.help = "Request method." },
	{ .name = "header.", .sections = P, .type = CONF_TYPE_CUSTOM, .join = CONF_JOIN_NEWLINE, .default_text = "",
		.choices = "one line of text", .set = conf_header_set_inline,
		.help = "Request header NAME; a secret belongs in header_file.NAME." },
	{ .name = "header_file.", .sections = P, .type = CONF_TYPE_CUSTOM, .default_text = "",
		.choices = "a file that is not world-readable, or the name of a systemd credential",
		.set = conf_header_set_file,
		.help = "Request header NAME with the value that this file or LoadCredential= holds." },
	{ .name = "body", .sections = P, .type = CONF_TYPE_CUSTOM, .join = CONF_JOIN_NEWLINE, .default_text = "",
		.choices = "text", .set = conf_request_set_body,
		.help = "Request body; indented lines below it go on after a newline." },
	{ .name = "body_file", .sections = P, .type = CONF_TYPE_CUSTOM, .default_text = "",
		.choices = "a file of up to 1 MiB that is not world-readable, or the name of a systemd credential",
		.set = conf_request_set_body_file,
		.help = "Request body from a file or LoadCredential=, byte for byte." },
	{ .name = "max_body", .sections = P, .type = CONF_TYPE_SIZE, .unit = "bytes", .default_text = "64KiB",
		.min = 1, .max = MIB(16), IN_TARGET(max_body_bytes),
		.help = "A response body longer than this is http_too_large." },
	{ .name = "ip", .sections = P, .type = CONF_TYPE_CHOICE, .default_text = "auto",
		.choices = "auto|v4|v6|both", IN_TARGET(ip),
		.help = "Address family: auto prefers IPv4 where it is routed, both tries one address of each." },
	{ .name = "addresses", .sections = P, .type = CONF_TYPE_CHOICE, .default_text = "first",
		.choices = "first|all|rotate", IN_TARGET(addresses),
		.help = "Which of several addresses a run tries: the first, all of them, or each in its turn." },
	{ .name = "http", .sections = P, .type = CONF_TYPE_CHOICE, .default_text = "auto",
		.choices = "auto|1.1|2", IN_TARGET(http),
		.help = "HTTP version; auto lets TLS choose." },
	{ .name = "follow_redirects", .sections = P, .type = CONF_TYPE_BOOL, .default_text = "no",
		IN_TARGET(follow_redirects),
		.help = "yes follows up to 5 redirects, each resolved and checked anew, never signed." },
	{ .name = "tls_verify", .sections = P, .type = CONF_TYPE_BOOL, .default_text = "yes", IN_TARGET(tls_verify),
		.help = "no takes any certificate." },
	{ .name = "tls_ca", .sections = P, .type = CONF_TYPE_CUSTOM, .default_text = "",
		.choices = "a PEM file", .set = conf_request_set_tls_ca,
		.help = "Certificates to trust in place of the system's." },
	{ .name = "auth", .sections = P, .type = CONF_TYPE_CHOICE, .default_text = "none",
		.choices = "none|sigv4", IN_TARGET(auth),
		.help = "sigv4 signs the request with the agent's credentials, for services with an auth policy." },
	{ .name = "sign_host", .sections = P, .type = CONF_TYPE_CUSTOM, .default_text = "",
		.choices = "up to 16 host names, by comma", .set = conf_request_set_sign_host,
		.help = "Hosts outside *.vpc-lattice-svcs.REGION.on.aws that a signature may go to." },
};

const size_t conf_keys_count = sizeof conf_keys / sizeof *conf_keys;

static bool is_family(const struct conf_key *key)
{
	return key->name[strlen(key->name) - 1] == '.';
}

const struct conf_key *conf_keys_find(const char *name, enum conf_section section)
{
	for (size_t i = 0; i < conf_keys_count; i++) {
		const struct conf_key *key = &conf_keys[i];
		size_t length = strlen(key->name);

		if (!(key->sections & section))
			continue;
		if (is_family(key) ? strncmp(name, key->name, length) == 0 && name[length] : strcmp(name, key->name) == 0)
			return key;
	}
	return NULL;
}

/* Only the part up to the dot counts against a family: its NAME is the user's own. */
static unsigned distance_to(const struct conf_key *key, const char *name, unsigned limit)
{
	char part[NEAREST_WORD_SIZE];
	size_t length = is_family(key) ? strcspn(name, ".") + 1 : strlen(name);

	if (length > strlen(name))
		length = strlen(name);
	if (length >= sizeof part)
		return limit + 1;
	memcpy(part, name, length);
	part[length] = '\0';
	return nearest_distance(part, key->name, limit);
}

const struct conf_key *conf_keys_nearest(const char *name, enum conf_section section)
{
	const struct conf_key *nearest = NULL;
	unsigned best = nearest_limit(strlen(name)) + 1;

	/* The section's own keys first, so that they win a tie. */
	for (int own = 1; own >= 0; own--)
		for (size_t i = 0; i < conf_keys_count; i++) {
			const struct conf_key *key = &conf_keys[i];
			unsigned distance;

			if (((key->sections & section) != 0) != own)
				continue;
			distance = distance_to(key, name, best);
			if (distance < best) {
				best = distance;
				nearest = key;
			}
		}
	return nearest;
}
