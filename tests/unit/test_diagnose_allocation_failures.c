/* SPDX-License-Identifier: Apache-2.0 */
/* A diagnosis once for each allocation it makes, with that one failing: it says so at its start, or goes
 * on with less and still comes to an end, with nothing left open. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "alloc_fault.h"
#include "diagnose_fixture.h"

#include "lattice-probe/target.h"

#define CUSTOM "checkout.example.com"

static void fail_handshake(struct http_transfer *transfer, struct http_reply *reply)
{
	(void)transfer;
	reply->end = HTTP_END_ERROR;
	reply->stage = HTTP_STAGE_TLS;
	reply->curl_code = 35; /* CURLE_SSL_CONNECT_ERROR */
}

/* Custom name, signed, with everything that can follow. */
static bool a_diagnosis(void)
{
	bool has_started;

	diagnose_fixture.has_finished = false;
	diagnose_fixture.finished_count = 0;
	diagnose_fixture.question_count = diagnose_fixture.transfer_count = diagnose_fixture.imds_count = 0;
	has_started = diagnose_fixture_start();
	if (has_started)
		diagnose_fixture_wait();
	assert_int_equal(diagnose_fixture.open_count, 0);
	assert_true(!has_started || diagnose_fixture.finished_count == 1);
	assert_int_equal(diagnose_fixture.target->references, 1);
	return has_started;
}

static void a_diagnosis_survives(void **state)
{
	(void)state;
	diagnose_fixture.options = (struct diagnose_options){ .asks_aws = true, .asks_publishing = true };
	diagnose_fixture.target->auth = TARGET_AUTH_SIGV4;
	diagnose_fixture.target->sign_hosts = calloc(1, sizeof *diagnose_fixture.target->sign_hosts);
	assert_non_null(diagnose_fixture.target->sign_hosts);
	diagnose_fixture.target->sign_hosts[0] = strdup(CUSTOM);
	diagnose_fixture.target->sign_host_count = 1;
	diagnose_fixture.reply = fail_handshake;
	diagnose_fixture_set_url("https://" CUSTOM "/");
	diagnose_fixture_add_rule((struct fixture_rule){ .name = CUSTOM, .outcome = OUTCOME_OK, .cname = FIXTURE_NAME,
		.address = FIXTURE_LATTICE });
	alloc_fault_sweep(a_diagnosis, ALLOC_FAULT_OURS, ALLOC_FAULT_SURVIVED, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_diagnosis_survives, diagnose_fixture_set_up, diagnose_fixture_tear_down),
	};

	alloc_fault_start();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
