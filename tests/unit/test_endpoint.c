/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lattice-probe/endpoint.h"
#include "lattice-probe/err.h"
#include "lattice-probe/imds.h"

static const struct {
	const char *service;
	const char *region;
	struct endpoint_options options;
	const char *url;
} endpoints[] = {
	{ "monitoring", "us-east-1", { false, false }, "https://monitoring.us-east-1.amazonaws.com" },
	{ "monitoring", "us-east-1", { true, false }, "https://monitoring-fips.us-east-1.amazonaws.com" },
	{ "monitoring", "us-east-1", { false, true }, "https://monitoring.us-east-1.api.aws" },
	{ "monitoring", "us-east-1", { true, true }, "https://monitoring-fips.us-east-1.api.aws" },
	{ "sts", "eu-central-2", { false, false }, "https://sts.eu-central-2.amazonaws.com" },
	{ "monitoring", "mx-central-1", { false, false }, "https://monitoring.mx-central-1.amazonaws.com" },
	{ "monitoring", "cn-northwest-1", { false, false }, "https://monitoring.cn-northwest-1.amazonaws.com.cn" },
	{ "monitoring", "cn-north-1", { false, true }, "https://monitoring.cn-north-1.api.amazonwebservices.com.cn" },
	{ "monitoring", "us-gov-west-1", { false, false }, "https://monitoring.us-gov-west-1.amazonaws.com" },
	{ "monitoring", "us-gov-west-1", { true, false }, "https://monitoring.us-gov-west-1.amazonaws.com" },
	{ "sts", "us-gov-east-1", { true, false }, "https://sts.us-gov-east-1.amazonaws.com" },
	{ "monitoring", "us-gov-west-1", { true, true }, "https://monitoring-fips.us-gov-west-1.api.aws" },
	{ "monitoring", "eusc-de-east-1", { false, false }, "https://monitoring.eusc-de-east-1.amazonaws.eu" },
	{ "monitoring", "eusc-de-east-1", { false, true }, "https://monitoring.eusc-de-east-1.api.amazonwebservices.eu" },
	{ "monitoring", "us-iso-east-1", { false, false }, "https://monitoring.us-iso-east-1.c2s.ic.gov" },
	{ "monitoring", "us-isob-east-1", { false, false }, "https://monitoring.us-isob-east-1.sc2s.sgov.gov" },
	{ "monitoring", "eu-isoe-west-1", { false, false }, "https://monitoring.eu-isoe-west-1.cloud.adc-e.uk" },
	{ "monitoring", "us-isof-south-1", { false, false }, "https://monitoring.us-isof-south-1.csp.hci.ic.gov" },
	{ "monitoring", "us-isof-south-1", { false, true }, "https://monitoring.us-isof-south-1.api.aws.hci.ic.gov" },
	{ "vpc-lattice", "zz-newplace-7", { false, false }, "https://vpc-lattice.zz-newplace-7.amazonaws.com" },
};

static void each_partition_has_its_suffix(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof endpoints / sizeof *endpoints; i++) {
		char url[ENDPOINT_SIZE] = "";

		assert_int_equal(endpoint_format(endpoints[i].service, endpoints[i].region, &endpoints[i].options, url), 0);
		assert_string_equal(url, endpoints[i].url);
	}
}

static void each_region_is_of_a_partition(void **state)
{
	static const struct {
		const char *region;
		const char *partition;
	} regions[] = {
		{ "us-east-1", "aws" }, { "zz-newplace-7", "aws" }, { "cn-north-1", "aws-cn" }, { "us-gov-west-1", "aws-us-gov" },
		{ "eusc-de-east-1", "aws-eusc" }, { "us-iso-east-1", "aws-iso" }, { "us-isob-east-1", "aws-iso-b" },
		{ "eu-isoe-west-1", "aws-iso-e" }, { "us-isof-south-1", "aws-iso-f" }, { "", "aws" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof regions / sizeof *regions; i++)
		assert_string_equal(endpoint_partition(regions[i].region), regions[i].partition);
}

/* A region ends up in a host name and in the signature's scope: nothing else may pass. */
static void what_is_no_region_makes_no_host(void **state)
{
	static const char *const wrong[] = { "", "us", "us-east", "us-east-", "us-1", "us--1", "US-EAST-1",
		"us-east-1.evil.example", "us-east-1/", "us-east-1a", "-us-east-1", "us-east-1 ", "1-us-east",
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-b-1" };
	char url[ENDPOINT_SIZE] = "untouched";

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		assert_false(endpoint_region_is_valid(wrong[i]));
		assert_int_equal(endpoint_format("monitoring", wrong[i], &(struct endpoint_options){ 0 }, url), ERR_SYNTAX);
	}
	assert_string_equal(url, "untouched");
}

static void a_service_too_long_for_a_host_is_refused(void **state)
{
	char service[ENDPOINT_SIZE];
	char url[ENDPOINT_SIZE] = "untouched";

	(void)state;
	memset(service, 'a', sizeof service - 1);
	service[sizeof service - 1] = '\0';
	assert_int_equal(endpoint_format(service, "us-east-1", &(struct endpoint_options){ 0 }, url), ERR_LIMIT);
	assert_string_equal(url, "untouched");
}

static void lattice_hosts_are_told_with_their_region(void **state)
{
	char region[64] = "";

	(void)state;
	assert_true(endpoint_is_lattice_host("checkout-0a1b2c3d4e5f67890.7d67968.vpc-lattice-svcs.us-east-1.on.aws", region));
	assert_string_equal(region, "us-east-1");
	assert_true(endpoint_is_lattice_host("a.vpc-lattice-svcs.us-gov-west-1.on.aws", region));
	assert_string_equal(region, "us-gov-west-1");
	assert_true(endpoint_is_lattice_host("a.vpc-lattice-svcs.us-east-1.on.aws", NULL));
}

/* A signature and a session token go to these hosts: what only looks alike must not get them. */
static void what_only_looks_like_lattice_is_refused(void **state)
{
	static const char *const wrong[] = { "", "on.aws", "vpc-lattice-svcs.us-east-1.on.aws",
		".vpc-lattice-svcs.us-east-1.on.aws", "a.vpc-lattice-svcs.us-east-1.on.aws.evil.example",
		"a.vpc-lattice-svcs.us-east-1.evil.on.aws", "a.vpc-lattice-svcs..on.aws",
		"a.vpc-lattice-svcs.on.aws", "a.vpc-lattice-svcs.us-east-1.onxaws", "a.vpc-lattice-svcs.us-east-1",
		"evil-vpc-lattice-svcs.us-east-1.on.aws", "a.vpc-lattice-svcs.us-east-1.on.aws:443",
		"..vpc-lattice-svcs.us-east-1.on.aws",
		"a.vpc-lattice-svcs.b.vpc-lattice-svcs.us-east-1.on.aws" };
	char region[64] = "untouched";

	(void)state;
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
		assert_false(endpoint_is_lattice_host(wrong[i], region));
	assert_string_equal(region, "untouched");
}

/* ---- endpoint_find ------------------------------------------------------------------------ */

static int clear_environment(void **state)
{
	static const char *const variables[] = { "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_CLOUDWATCH", "AWS_ENDPOINT_URL_STS",
		"AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT" };

	(void)state;
	for (size_t i = 0; i < sizeof variables / sizeof *variables; i++)
		(void)unsetenv(variables[i]);
	return 0;
}

static void assert_found(const char *service, const char *url)
{
	char found[ENDPOINT_SIZE] = "";

	assert_int_equal(endpoint_find(service, "us-east-1", found), 0);
	assert_string_equal(found, url);
}

static void the_environment_overrides_by_service_then_for_all(void **state)
{
	(void)state;
	(void)setenv("AWS_ENDPOINT_URL", "http://localhost:4566", 1);
	assert_found("monitoring", "http://localhost:4566");
	(void)setenv("AWS_ENDPOINT_URL_CLOUDWATCH", "https://vpce.example", 1);
	assert_found("monitoring", "https://vpce.example");
	assert_found("sts", "http://localhost:4566");
	(void)setenv("AWS_ENDPOINT_URL_STS", "", 1);
	assert_found("sts", "http://localhost:4566");
	(void)setenv("AWS_USE_DUALSTACK_ENDPOINT", "true", 1);
	(void)setenv("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true", 1);
	assert_found("monitoring", "https://monitoring.us-east-1.api.aws");
}

static void fips_and_dual_stack_are_read_from_the_environment(void **state)
{
	char found[ENDPOINT_SIZE] = "";

	(void)state;
	(void)setenv("AWS_USE_FIPS_ENDPOINT", "TRUE", 1);
	(void)setenv("AWS_USE_DUALSTACK_ENDPOINT", "true", 1);
	assert_found("monitoring", "https://monitoring-fips.us-east-1.api.aws");
	(void)setenv("AWS_USE_FIPS_ENDPOINT", "1", 1);
	assert_found("monitoring", "https://monitoring.us-east-1.api.aws");
	/* Without the variable it is the routes' say: this host's may be either. */
	(void)unsetenv("AWS_USE_DUALSTACK_ENDPOINT");
	assert_int_equal(endpoint_find("monitoring", "us-east-1", found), 0);
	assert_string_equal(found, imds_has_ipv4_route() ? "https://monitoring.us-east-1.amazonaws.com" :
		"https://monitoring.us-east-1.api.aws");
}

static void a_region_that_is_none_has_no_endpoint(void **state)
{
	char found[ENDPOINT_SIZE] = "untouched";
	char url[ENDPOINT_SIZE + 1];

	(void)state;
	assert_int_equal(endpoint_find("monitoring", "nowhere", found), ERR_SYNTAX);
	memset(url, 'a', sizeof url - 1);
	url[sizeof url - 1] = '\0';
	(void)setenv("AWS_ENDPOINT_URL", url, 1);
	assert_int_equal(endpoint_find("monitoring", "us-east-1", found), ERR_LIMIT);
	assert_string_equal(found, "untouched");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_partition_has_its_suffix),
		cmocka_unit_test(each_region_is_of_a_partition),
		cmocka_unit_test(what_is_no_region_makes_no_host),
		cmocka_unit_test(a_service_too_long_for_a_host_is_refused),
		cmocka_unit_test(lattice_hosts_are_told_with_their_region),
		cmocka_unit_test(what_only_looks_like_lattice_is_refused),
		cmocka_unit_test_setup(the_environment_overrides_by_service_then_for_all, clear_environment),
		cmocka_unit_test_setup(fips_and_dual_stack_are_read_from_the_environment, clear_environment),
		cmocka_unit_test_setup(a_region_that_is_none_has_no_endpoint, clear_environment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
