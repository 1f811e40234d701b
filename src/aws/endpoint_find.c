/* SPDX-License-Identifier: Apache-2.0 */
/* https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html: a service's own variable
 * goes before the one for all. */
#include "lattice-probe/endpoint.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "aws_internal.h"

#include "lattice-probe/err.h"
#include "lattice-probe/imds.h"

static bool is_true(const char *name)
{
	const char *value = getenv(name);

	return value && strcasecmp(value, "true") == 0;
}

static const char *environment(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

/* Variables are named after the service's API, hosts after its signing name. */
static const char *override_of(const char *service)
{
	static const struct { const char *service; const char *variable; } variables[] = {
		{ "monitoring", "AWS_ENDPOINT_URL_CLOUDWATCH" }, { "sts", "AWS_ENDPOINT_URL_STS" },
		{ "ec2", "AWS_ENDPOINT_URL_EC2" }, { "vpc-lattice", "AWS_ENDPOINT_URL_VPC_LATTICE" } };
	const char *url = NULL;

	if (is_true("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"))
		return NULL;
	for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
		if (strcmp(variables[i].service, service) == 0)
			url = environment(variables[i].variable);
	return url ? url : environment("AWS_ENDPOINT_URL");
}

int endpoint_find(const char *service, const char *region, char ret_url[static ENDPOINT_SIZE])
{
	const char *url = override_of(service);
	size_t length = url ? strlen(url) : 0;

	if (!url)
		return endpoint_format(service, region, &(struct endpoint_options){
			.fips = is_true("AWS_USE_FIPS_ENDPOINT"),
			.dual_stack = is_true("AWS_USE_DUALSTACK_ENDPOINT") || !imds_has_ipv4_route() }, ret_url);
	if (length >= ENDPOINT_SIZE)
		return ERR_LIMIT;
	memcpy(ret_url, url, length + 1);
	return 0;
}
