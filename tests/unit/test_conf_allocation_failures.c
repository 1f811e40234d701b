/* SPDX-License-Identifier: Apache-2.0 */
/* Reading a configuration once for each allocation it makes, with that one failing: no crash, no leak
 * (the leak checker's build sees to that), and the answer is "no memory" or the right one. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "alloc_fault.h"

#include "lattice-probe/conf.h"
#include "lattice-probe/err.h"

static bool load_configuration(const char *text, size_t length, int expected)
{
	struct conf_findings findings;
	struct conf *conf = NULL;
	int err;

	conf_findings_init(&findings);
	err = conf_load_text("t.conf", text, length, &conf, &findings);
	conf_findings_done(&findings);
	assert_true(err == expected || err == ERR_NOMEM);
	assert_int_equal(conf != NULL, err == 0);
	conf_free(conf);
	return err == expected;
}

static bool a_configuration(void)
{
	static const char text[] = "[agent]\nfleet = f\nresolver = 10.0.0.2\n[cloudwatch]\ndimension.Stage = beta\n"
		"dimension_sets = Service | Service,VpcId\nendpoint = https://h\nproxy = http://p:3128\n"
		"[probe a]\nurl = https://h/\n  x?y\nmethod = PUT\nheader.Accept = */*\nbody = 1\n 2\nauth = sigv4\n"
		"sign_host = h, i\nexpect_status = 200, 204\nexpect_body = ok\nexpect_body_regex = o+k\n"
		"expect_header.Server = nginx\nexpect_header_regex.ETag = ^\"\n[probe b]\nurl = http://b\nenabled = no\n";

	return load_configuration(text, sizeof text - 1, 0);
}

static bool a_configuration_with_mistakes(void)
{
	static const char text[] = "x\n[agent\n[agent]\nnonsense = 1\nfleet = a\nfleet = b\n[probe a]\nurl = x\n"
		"expect_body_regex = (\nbody_file = /nowhere\nheader_file.X = /nowhere\ntls_ca = /nowhere\n[probe a]\n";

	return load_configuration(text, sizeof text - 1, ERR_SYNTAX);
}

static bool a_configuration_that_is_not_there(void)
{
	struct conf_findings findings;
	struct conf *conf = NULL;
	int err;

	conf_findings_init(&findings);
	err = conf_load("/nowhere/lattice-probe.conf", &conf, &findings);
	conf_findings_done(&findings);
	return err == ERR_SYNTAX;
}

static bool a_target_for_a_url(void)
{
	struct conf *conf = conf_new_default();
	struct target *target = NULL;
	const char *why = NULL;
	int err = conf ? conf_target_for_url(conf, "https://h/x", &target, &why) : ERR_NOMEM;

	target_drop(target);
	conf_free(conf);
	return err == 0;
}

ALLOC_FAULT_TEST(a_configuration, ALLOC_FAULT_ANY, ALLOC_FAULT_REPORTED)
ALLOC_FAULT_TEST(a_configuration_with_mistakes, ALLOC_FAULT_ANY, ALLOC_FAULT_REPORTED)
ALLOC_FAULT_TEST(a_configuration_that_is_not_there, ALLOC_FAULT_ANY, ALLOC_FAULT_REPORTED)
ALLOC_FAULT_TEST(a_target_for_a_url, ALLOC_FAULT_ANY, ALLOC_FAULT_REPORTED)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_configuration_survives),
		cmocka_unit_test(a_configuration_with_mistakes_survives),
		cmocka_unit_test(a_configuration_that_is_not_there_survives),
		cmocka_unit_test(a_target_for_a_url_survives),
	};

	alloc_fault_start();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
