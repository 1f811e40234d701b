/* SPDX-License-Identifier: Apache-2.0 */
#include "lattice-probe/endpoint.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "lattice-probe/err.h"

#define REGION_MAX 63

/* What a region's name begins with, the longer beginnings first: "us-gov-" is not "us-". */
struct partition {
	const char *prefix;
	const char *name;
	const char *suffix;
	const char *dual_stack_suffix;
	bool fips_is_plain; /* the ordinary host is the FIPS one */
};

static const struct partition partitions[] = {
	{ "us-gov-", "aws-us-gov", "amazonaws.com", "api.aws", true },
	{ "us-isob-", "aws-iso-b", "sc2s.sgov.gov", "api.aws.scloud", false },
	{ "us-isof-", "aws-iso-f", "csp.hci.ic.gov", "api.aws.hci.ic.gov", false },
	{ "us-iso-", "aws-iso", "c2s.ic.gov", "api.aws.ic.gov", false },
	{ "eu-isoe-", "aws-iso-e", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk", false },
	{ "eusc-", "aws-eusc", "amazonaws.eu", "api.amazonwebservices.eu", false },
	{ "cn-", "aws-cn", "amazonaws.com.cn", "api.amazonwebservices.com.cn", false },
	{ "", "aws", "amazonaws.com", "api.aws", false }, /* regions yet unknown are of this one, as botocore has it */
};

static const struct partition *partition_of(const char *region)
{
	const struct partition *partition = partitions;

	while (strncmp(region, partition->prefix, strlen(partition->prefix)) != 0)
		partition++;
	return partition;
}

const char *endpoint_partition(const char *region)
{
	return partition_of(region)->name;
}

static bool is_lower(char character)
{
	return character >= 'a' && character <= 'z';
}

/* At least two words of letters and a number, joined by hyphens: "us-east-1", "us-gov-west-1". */
bool endpoint_region_is_valid(const char *region)
{
	size_t words = 0;

	if (strlen(region) > REGION_MAX)
		return false;
	while (is_lower(*region)) {
		while (is_lower(*region))
			region++;
		if (*region++ != '-')
			return false;
		words++;
	}
	return words >= 2 && region[0] != '\0' && strspn(region, "0123456789") == strlen(region);
}

int endpoint_format(const char *service, const char *region, const struct endpoint_options *options,
	char ret_url[static ENDPOINT_SIZE])
{
	char url[ENDPOINT_SIZE];
	const struct partition *partition;
	const char *suffix;
	bool is_plain;
	int length;

	if (!endpoint_region_is_valid(region))
		return ERR_SYNTAX;
	partition = partition_of(region);
	suffix = options->dual_stack ? partition->dual_stack_suffix : partition->suffix;
	is_plain = !options->fips || (partition->fips_is_plain && !options->dual_stack);
	length = snprintf(url, sizeof url, "https://%s%s.%s.%s", service, is_plain ? "" : "-fips", region, suffix);
	if (length < 0 || (size_t)length >= sizeof url)
		return ERR_LIMIT;
	memcpy(ret_url, url, (size_t)length + 1);
	return 0;
}

bool endpoint_is_lattice_host(const char *host, char ret_region[64])
{
	static const char service[] = ".vpc-lattice-svcs.";
	static const char suffix[] = ".on.aws";
	const char *found = strstr(host, service);
	char region[REGION_MAX + 1];
	size_t length;

	if (!found || found == host || host[0] == '.')
		return false;
	found += sizeof service - 1;
	length = strlen(found);
	if (length < sizeof suffix || length - (sizeof suffix - 1) > REGION_MAX)
		return false;
	length -= sizeof suffix - 1;
	if (strcmp(found + length, suffix) != 0)
		return false;
	memcpy(region, found, length);
	region[length] = '\0';
	if (!endpoint_region_is_valid(region))
		return false;
	if (ret_region)
		memcpy(ret_region, region, length + 1);
	return true;
}
