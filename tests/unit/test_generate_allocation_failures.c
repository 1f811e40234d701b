/* SPDX-License-Identifier: Apache-2.0 */
/* Each document once for each allocation it takes, with that one failing: no crash, no leak (the leak checker's
 * build sees to that), and the answer is "no memory" or the whole document. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "alloc_fault.h"
#include "generate_fixture.h"

#include "lattice-probe/conf.h"
#include "lattice-probe/dashboard.h"
#include "lattice-probe/err.h"
#include "lattice-probe/iam_policy.h"

static struct conf *conf;
static const struct generate_options options = { .region = "us-east-1" };

enum document { POLICY, CLOUDFORMATION, TERRAFORM, DASHBOARD, DOCUMENTS };

static size_t whole_bytes[DOCUMENTS];

static int generate(enum document document, struct buf *text, struct generate_words *words)
{
	struct alarms_options alarms = fixture_defaults;

	alarms.with_failures = true;
	alarms.format = document == TERRAFORM ? ALARMS_TERRAFORM : ALARMS_CLOUDFORMATION;
	if (document == POLICY)
		return iam_policy_generate(conf, &options, true, text, words);
	if (document == DASHBOARD)
		return dashboard_generate(conf, &options, text, words);
	return alarms_generate(conf, &options, &alarms, text, words);
}

static bool make(enum document document)
{
	struct generate_words words;
	struct buf text;
	int err;

	generate_words_init(&words);
	buf_init(&text, GENERATE_TEXT_MAX);
	err = generate(document, &text, &words);
	assert_true(err == 0 || err == ERR_NOMEM);
	if (!err && text.length_bytes != whole_bytes[document])
		fail_msg("not the whole document: %s", buf_text(&text));
	buf_done(&text);
	generate_words_done(&words);
	return err == 0;
}

static bool a_policy(void)
{
	return make(POLICY);
}

static bool a_template(void)
{
	return make(CLOUDFORMATION);
}

static bool a_terraform_file(void)
{
	return make(TERRAFORM);
}

static bool a_dashboard(void)
{
	return make(DASHBOARD);
}

/* A note may be lost, the document is whole then. */
ALLOC_FAULT_TEST(a_policy, ALLOC_FAULT_ANY, ALLOC_FAULT_REPORTED)
ALLOC_FAULT_TEST(a_template, ALLOC_FAULT_ANY, ALLOC_FAULT_SURVIVED)
ALLOC_FAULT_TEST(a_terraform_file, ALLOC_FAULT_ANY, ALLOC_FAULT_SURVIVED)
ALLOC_FAULT_TEST(a_dashboard, ALLOC_FAULT_ANY, ALLOC_FAULT_REPORTED)

static int measure(void **state)
{
	static const char text[] = "[cloudwatch]\ndimension.Environment = prod\nfailure_metrics = always\n"
		"dimension_sets = Service | Service,AvailabilityZoneId\nagent_metrics = both\n"
		CHECKOUT "auth = sigv4\n" PAYMENTS "auth = sigv4\n";

	(void)state;
	conf = fixture_conf(text);
	for (enum document document = 0; document < DOCUMENTS; document++) {
		struct generate_words words;
		struct buf whole;

		generate_words_init(&words);
		buf_init(&whole, GENERATE_TEXT_MAX);
		if (generate(document, &whole, &words) != 0)
			return -1;
		whole_bytes[document] = whole.length_bytes;
		buf_done(&whole);
		generate_words_done(&words);
	}
	return 0;
}

static int finish(void **state)
{
	(void)state;
	conf_free(conf);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_policy_survives),
		cmocka_unit_test(a_template_survives),
		cmocka_unit_test(a_terraform_file_survives),
		cmocka_unit_test(a_dashboard_survives),
	};

	alloc_fault_start();
	return cmocka_run_group_tests(tests, measure, finish);
}
