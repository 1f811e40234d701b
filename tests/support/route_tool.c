/* SPDX-License-Identifier: Apache-2.0 */
/* route_tool: what route says of addresses, so that a test can hold it against the kernel it runs on.
 * Each argument is an address, with port or without: one JSON line for each. "default-4" and
 * "default-6" ask for the default route, "DEVICE/STATISTIC" for a counter of a device's driver. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "lattice-probe/err.h"
#include "lattice-probe/host.h"
#include "lattice-probe/parse.h"
#include "lattice-probe/route.h"

static void print(json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT);

	if (!text) {
		(void)fprintf(stderr, "route_tool: the answer is no JSON\n");
		exit(2);
	}
	(void)puts(text);
	free(text);
	json_decref(value);
}

static json_t *address_value(const union address *address)
{
	char text[ADDRESS_TEXT_SIZE];

	address_format(address, text);
	return json_string(text);
}

static void describe(const char *text)
{
	struct route route;
	enum route_neighbour neighbour = ROUTE_NEIGHBOUR_NONE;
	union address destination;
	int err = parse_address(text, 0, &destination);

	if (err == 0)
		err = route_lookup(&destination, &route);
	if (err == 0 && route.kind == ROUTE_UNICAST)
		err = route_read_neighbour(&route, &destination, &neighbour);
	if (err) {
		print(json_pack("{s:s}", "err", err_text(err)));
		return;
	}
	print(json_pack("{s:s,s:i,s:s,s:o,s:I,s:o,s:o,s:i,s:I,s:b,s:s}", "kind", route_kind_name(route.kind),
		"error", route.error, "device", route.device, "gateway", address_value(&route.gateway),
		"gateway_scope", (json_int_t)(route.gateway.sa.sa_family == AF_INET6 ?
			route.gateway.v6.sin6_scope_id : 0),
		"source", address_value(&route.source), "prefix", address_value(&route.prefix),
		"prefix_length", route.prefix_length, "table", (json_int_t)route.table,
		"is_link_scope", route.is_link_scope, "neighbour", route_neighbour_name(neighbour)));
}

static void count(const char *text)
{
	const char *slash = strchr(text, '/');
	char device[64];
	uint64_t value = 0;
	bool is_counted;

	(void)snprintf(device, sizeof device, "%.*s", (int)(slash - text), text);
	is_counted = host_counter_of_device(device, slash + 1, &value);
	print(json_pack("{s:b,s:I}", "is_counted", is_counted, "count", (json_int_t)value));
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "default-4") == 0 || strcmp(argv[i], "default-6") == 0)
			print(json_pack("{s:b}", "has_default",
				route_has_default(strcmp(argv[i], "default-4") == 0 ? AF_INET : AF_INET6)));
		else if (strchr(argv[i], '/'))
			count(argv[i]);
		else
			describe(argv[i]);
	}
	return fflush(stdout) == 0 ? 0 : 1;
}
