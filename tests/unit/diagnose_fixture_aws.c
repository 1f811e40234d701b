/* SPDX-License-Identifier: Apache-2.0 */
/* AWS, whole runs and this host's kernel, in place of the real ones. */
#include "diagnose_fixture.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "lattice-probe/aws_call.h"
#include "lattice-probe/control.h"
#include "lattice-probe/credentials.h"
#include "lattice-probe/err.h"
#include "lattice-probe/host.h"
#include "lattice-probe/imds.h"
#include "lattice-probe/probe.h"
#include "lattice-probe/publishing.h"
#include "lattice-probe/region.h"
#include "lattice-probe/route.h"

/* ---- the metadata service ----------------------------------------------------------------- */

struct imds_query {
	struct fixture_call call;
	char path[128];
	void (*answered)(void *user, int err, const char *text, const char *hint);
	void (*facts_answered)(void *user, int err, const struct imds_facts *facts, const char *hint);
	void *user;
};

static struct imds_query imds_queries[DIAGNOSE_FIXTURE_CALLS_MAX];

static const char *item_of(const char *path)
{
	static const struct { const char *end; const char *text; } items[] = {
		{ "meta-data/mac", "0a:1b:2c:3d:4e:5f" }, { "owner-id", "123456789012" },
		{ "vpc-ipv4-cidr-blocks", "10.0.0.0/16\n10.9.0.0/16" }, { "vpc-ipv6-cidr-blocks", "fd00:10::/56" },
		{ "security-group-ids", "sg-1\nsg-2" }, { "public-ipv4s", "203.0.113.7" },
	};

	if (diagnose_fixture.imds_item && strstr(path, "/macs/"))
		return diagnose_fixture.imds_item;
	for (size_t i = 0; i < sizeof items / sizeof *items; i++)
		if (strlen(path) >= strlen(items[i].end) &&
		    strcmp(path + strlen(path) - strlen(items[i].end), items[i].end) == 0)
			return items[i].text;
	return NULL;
}

static void end_imds(struct fixture_call *call)
{
	struct imds_query *query = (struct imds_query *)call;
	const struct imds_facts facts = { "i-0123456789abcdef0", "us-east-1a", "use1-az4", "us-east-1",
		"vpc-0123456789abcdef0", "subnet-0123456789abcdef0" };
	int err = diagnose_fixture.imds_err;
	const char *item = item_of(query->path);

	if (query->facts_answered)
		query->facts_answered(query->user, err, &facts, diagnose_fixture.imds_hint);
	else if (err || item)
		query->answered(query->user, err, err ? NULL : item, diagnose_fixture.imds_hint);
	else
		query->answered(query->user, ERR_NOT_FOUND, NULL, "");
}

static struct imds_query *ask_imds(const char *path)
{
	struct imds_query *query = &imds_queries[diagnose_fixture.imds_count++];

	assert_true(diagnose_fixture.imds_count < DIAGNOSE_FIXTURE_CALLS_MAX);
	*query = (struct imds_query){ .user = NULL };
	(void)snprintf(query->path, sizeof query->path, "%s", path);
	fixture_call_open(&query->call, diagnose_fixture.imds_hangs, end_imds);
	return query;
}

struct imds_query *imds_get(struct imds *imds, const char *path,
	void (*answered)(void *user, int err, const char *text, const char *hint), void *user)
{
	struct imds_query *query = ask_imds(path);

	(void)imds;
	query->answered = answered;
	query->user = user;
	return query;
}

struct imds_query *imds_get_facts(struct imds *imds,
	void (*answered)(void *user, int err, const struct imds_facts *facts, const char *hint), void *user)
{
	struct imds_query *query = ask_imds("");

	(void)imds;
	query->facts_answered = answered;
	query->user = user;
	return query;
}

void imds_cancel(struct imds_query *query)
{
	if (query)
		fixture_call_cancel(&query->call);
}

/* ---- AWS ---------------------------------------------------------------------------------- */

static struct {
	struct fixture_call call;
	void (*ready)(void *user, int err, const char *why);
	void *user;
} waiter;

static void end_wait(struct fixture_call *call)
{
	(void)call;
	waiter.ready(waiter.user, diagnose_fixture.has_credentials ? 0 : ERR_NOT_FOUND, "none in this test");
}

int credentials_wait(struct credentials *credentials, void (*ready)(void *user, int err, const char *why), void *user)
{
	(void)credentials;
	waiter.ready = ready;
	waiter.user = user;
	fixture_call_open(&waiter.call, diagnose_fixture.credentials_hang, end_wait);
	return 0;
}

void credentials_wait_cancel(struct credentials *credentials, void *user)
{
	(void)credentials;
	assert_ptr_equal(user, waiter.user);
	fixture_call_cancel(&waiter.call);
}

int credentials_set_region(struct credentials *credentials, const char *region)
{
	(void)credentials;
	(void)region;
	return 0;
}

const struct credentials_set *credentials_get(struct credentials *credentials, const char **ret_why)
{
	static char key[] = "AKIDEXAMPLE";
	static char secret[] = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
	static struct credentials_set set = { .access_key_id = key, .secret_access_key = secret };

	(void)credentials;
	*ret_why = "none in this test";
	return diagnose_fixture.has_credentials ? &set : NULL;
}

int64_t aws_transport_skew_us(const struct aws_transport *transport)
{
	(void)transport;
	return 0;
}

int64_t aws_transport_estimate_skew_us(struct wall date, struct wall sent, struct wall answered)
{
	(void)date;
	(void)sent;
	(void)answered;
	return 0;
}

struct region_search {
	struct fixture_call call;
	void (*found)(void *user, int err, const char *region, const char *source);
	void *user;
};

static struct region_search region_search;

static void end_region(struct fixture_call *call)
{
	const char *region = diagnose_fixture.region_found;

	(void)call;
	region_search.found(region_search.user, region ? 0 : ERR_NOT_FOUND, region ? region : "", "imds");
}

struct region_search *region_find(struct loop *loop, struct imds *imds, const char *configured,
	void (*found)(void *user, int err, const char *region, const char *source), void *user)
{
	(void)loop;
	(void)imds;
	(void)configured;
	region_search.found = found;
	region_search.user = user;
	fixture_call_open(&region_search.call, false, end_region);
	return &region_search;
}

void region_cancel(struct region_search *search)
{
	if (search)
		fixture_call_cancel(&search->call);
}

struct control {
	struct fixture_call call;
	void (*finished)(void *user, const struct evidence_control *control);
	void *user;
};

static struct control control;

static void end_control(struct fixture_call *call)
{
	(void)call;
	control.finished(control.user, &diagnose_fixture.control);
}

struct control *control_start(struct loop *loop, struct aws_transport *transport, struct credentials *credentials,
	const struct control_question *question,
	void (*finished)(void *user, const struct evidence_control *control), void *user)
{
	(void)loop;
	(void)transport;
	(void)credentials;
	diagnose_fixture.control_count++;
	diagnose_fixture.control_question = *question;
	(void)snprintf(diagnose_fixture.control_region, sizeof diagnose_fixture.control_region, "%s", question->region);
	control.finished = finished;
	control.user = user;
	fixture_call_open(&control.call, !diagnose_fixture.has_control, end_control);
	return &control;
}

void control_cancel(struct control *running)
{
	if (running)
		fixture_call_cancel(&running->call);
}

struct publishing {
	struct fixture_call call;
	void (*finished)(void *user, const struct evidence_publishing *publishing);
	void *user;
};

static struct publishing publishing;

static void end_publishing(struct fixture_call *call)
{
	(void)call;
	publishing.finished(publishing.user, &diagnose_fixture.publishing);
}

struct publishing *publishing_start(struct loop *loop, struct aws_transport *transport,
	struct credentials *credentials, const char *region, const char *endpoint, const char *namespace_,
	int64_t timeout_us, void (*finished)(void *user, const struct evidence_publishing *publishing), void *user)
{
	(void)loop;
	(void)transport;
	(void)credentials;
	(void)endpoint;
	(void)namespace_;
	assert_string_not_equal(region, "");
	assert_true(timeout_us > 0);
	diagnose_fixture.publishing_count++;
	publishing.finished = finished;
	publishing.user = user;
	fixture_call_open(&publishing.call, !diagnose_fixture.has_publishing, end_publishing);
	return &publishing;
}

void publishing_cancel(struct publishing *running)
{
	if (running)
		fixture_call_cancel(&running->call);
}

/* ---- a whole run -------------------------------------------------------------------------- */

struct probe {
	struct fixture_call call;
	void (*finished)(void *user, struct result *result);
	void *user;
};

static struct probe run;

static void end_run(struct fixture_call *call)
{
	(void)call;
	run.finished(run.user, diagnose_fixture.run);
}

struct probe *probe_start(const struct probe_context *context, struct target *target, struct wall scheduled,
	struct mono due, unsigned rotation, void (*finished)(void *user, struct result *result), void *user)
{
	(void)context;
	(void)target;
	(void)scheduled;
	(void)due;
	(void)rotation;
	diagnose_fixture.run_count++;
	run.finished = finished;
	run.user = user;
	fixture_call_open(&run.call, !diagnose_fixture.run, end_run);
	return &run;
}

void probe_cancel(struct probe *running)
{
	fixture_call_cancel(&running->call);
}

/* ---- this host ---------------------------------------------------------------------------- */

enum host_platform host_read_identity(const char *root, struct host_identity *ret_identity)
{
	assert_string_equal(root, "");
	*ret_identity = (struct host_identity){ .vendor = "Amazon EC2" };
	return HOST_PLATFORM_EC2;
}

void host_read_network_namespace(char ret_text[static HOST_TEXT_SIZE])
{
	(void)snprintf(ret_text, HOST_TEXT_SIZE, "net:[1]");
}

/* Both counters rise by three whenever somebody looks. */
bool host_read_retransmit_failures(uint64_t *ret_count)
{
	static uint64_t count;

	*ret_count = count += 3;
	return true;
}

bool host_read_link_local_drops(const char *device, uint64_t *ret_count)
{
	static uint64_t count;

	*ret_count = count += 3;
	return strcmp(device, "eth0") == 0;
}

int route_lookup(const union address *destination, struct route *ret_route)
{
	bool is_ipv4 = destination->sa.sa_family == AF_INET;

	*ret_route = (struct route){ .kind = ROUTE_UNICAST, .device = "eth0", .prefix_length = 0, .table = 254,
		.source = fixture_address("10.0.1.10") };
	if (is_ipv4 && diagnose_fixture.is_without_ipv4)
		*ret_route = (struct route){ .kind = ROUTE_NONE, .prefix_length = -1 };
	return 0;
}

int route_read_neighbour(const struct route *route, const union address *destination,
	enum route_neighbour *ret_neighbour)
{
	(void)route;
	(void)destination;
	*ret_neighbour = ROUTE_NEIGHBOUR_REACHABLE;
	return 0;
}

const char *route_kind_name(enum route_kind kind)
{
	(void)kind;
	return "of the test";
}

const char *route_neighbour_name(enum route_neighbour neighbour)
{
	(void)neighbour;
	return "of the test";
}

bool route_has_default(int family)
{
	return family == AF_INET6 || !diagnose_fixture.is_without_ipv4;
}
