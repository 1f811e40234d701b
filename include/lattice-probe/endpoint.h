/* SPDX-License-Identifier: Apache-2.0 */
/* endpoint: which host serves an AWS service in a region: partition suffix, FIPS, dual-stack. Pure but
 * for endpoint_find, which reads the environment and asks the kernel for a route.
 * Partition rules as botocore's partitions.json has them (facts: endpoints by partition). */
#ifndef LATTICE_PROBE_ENDPOINT_H
#define LATTICE_PROBE_ENDPOINT_H

#include <stdbool.h>

#define ENDPOINT_SIZE 256

struct endpoint_options {
	bool fips;
	bool dual_stack;
};

/* "https://monitoring.us-east-1.amazonaws.com" for service "monitoring" (also "sts",
 * "vpc-lattice", "ec2"). 0; ERR_SYNTAX when the region is not a possible region name. */
int endpoint_format(const char *service, const char *region, const struct endpoint_options *options,
	char ret_url[static ENDPOINT_SIZE]);

/* The same as the environment wants it: AWS_ENDPOINT_URL_<SERVICE> (CLOUDWATCH for "monitoring"), else
 * AWS_ENDPOINT_URL, neither with AWS_IGNORE_CONFIGURED_ENDPOINT_URLS=true; else the region's endpoint with
 * AWS_USE_FIPS_ENDPOINT and AWS_USE_DUALSTACK_ENDPOINT, dual-stack by itself where there is no IPv4 route.
 * What the variables say is copied, not judged. 0, ERR_SYNTAX, ERR_LIMIT. */
int endpoint_find(const char *service, const char *region, char ret_url[static ENDPOINT_SIZE]);

/* What an ARN of the region begins with: "aws", "aws-cn", "aws-us-gov", … Static text. */
const char *endpoint_partition(const char *region);

/* Letters, digits and hyphens in the shape of a region name. */
bool endpoint_region_is_valid(const char *region);

/* The data-plane suffixes of VPC Lattice: true for a host under *.vpc-lattice-svcs.<region>.on.aws
 * (a signature may go there), *ret_region (may be NULL) then points at a copy of the region. */
bool endpoint_is_lattice_host(const char *host, char ret_region[64]);

#endif
