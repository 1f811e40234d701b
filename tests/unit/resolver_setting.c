/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "resolver_setting.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PATIENCE_US (10 * US_PER_S) /* a test that waits longer has failed */

static void on_watchdog(void *user)
{
	struct setting *setting = user;

	setting->is_over = true;
	fail_msg("no answer within the test's patience");
}

void use_server(struct setting *setting, const struct dns_fixture *fixture)
{
	setting->servers.servers[setting->servers.server_count++] = dns_fixture_address(fixture);
}

void set_budget(struct setting *setting, int max_rate)
{
	struct resolver_options options = { .max_rate = max_rate };

	resolver_free(setting->resolver);
	setting->resolver = resolver_new(setting->loop, &options);
	assert_non_null(setting->resolver);
}

int resolver_setting_up(void **state)
{
	struct setting *setting = calloc(1, sizeof *setting);

	assert_non_null(setting);
	setting->loop = loop_new();
	assert_non_null(setting->loop);
	set_budget(setting, 0);
	setting->first = dns_fixture_new(setting->loop, "127.0.0.1");
	setting->servers.mode = TARGET_RESOLVER_LIST;
	use_server(setting, setting->first);
	*dns_fixture_rule(setting->first) = (struct dns_fixture_rule){ .addresses = 2, .ttl_s = 60 };
	assert_int_equal(loop_timer_start(setting->loop, &setting->watchdog, mono_add(mono_now(), PATIENCE_US),
		on_watchdog, setting), 0);
	*state = setting;
	return 0;
}

int resolver_setting_down(void **state)
{
	struct setting *setting = *state;

	resolver_free(setting->resolver);
	loop_timer_stop(setting->loop, &setting->watchdog);
	dns_fixture_free(setting->first);
	if (setting->second)
		dns_fixture_free(setting->second);
	loop_free(setting->loop);
	free(setting);
	return 0;
}

void use_second(struct setting *setting)
{
	setting->second = dns_fixture_new(setting->loop, "127.0.0.1");
	*dns_fixture_rule(setting->second) = (struct dns_fixture_rule){ .addresses = 1, .ttl_s = 60 };
	use_server(setting, setting->second);
}

static void on_started(void *user)
{
	struct asked *asked = user;

	asked->started++;
	asked->started_at = mono_now();
}

void on_answered(void *user, const struct resolver_answer *answer)
{
	struct asked *asked = user;

	asked->answered++;
	asked->answer = *answer;
	asked->query = NULL;
	asked->done = true;
	if (asked->victim)
		resolver_cancel(asked->victim);
}

void ask_with(struct setting *setting, struct asked *asked, const char *name, enum dns_type type,
	int64_t timeout_us, int tries)
{
	struct resolver_question question = { name, type, &setting->servers, timeout_us, tries };

	*asked = (struct asked){ .setting = setting };
	asked->query = resolver_ask(setting->resolver, &question, on_started, on_answered, asked);
	assert_non_null(asked->query);
	assert_int_equal(asked->answered, 0);
}

void ask(struct setting *setting, struct asked *asked, const char *name)
{
	ask_with(setting, asked, name, DNS_TYPE_A, 2 * US_PER_S, 1);
}

void wait_for(struct setting *setting, struct asked *asked)
{
	loop_run_until(setting->loop, &asked->done);
	assert_false(setting->is_over);
	assert_int_equal(asked->answered, 1);
}

static void on_pause_over(void *user)
{
	*(bool *)user = true;
}

void pause_for(struct setting *setting, int64_t duration_us)
{
	struct loop_timer timer = { 0 };
	bool done = false;

	assert_int_equal(loop_timer_start(setting->loop, &timer, mono_add(mono_now(), duration_us), on_pause_over,
		&done), 0);
	loop_run_until(setting->loop, &done);
}

struct resolver_counters counters(const struct setting *setting)
{
	struct resolver_counters result;

	resolver_read_counters(setting->resolver, &result);
	return result;
}

void expect(struct setting *setting, enum outcome outcome, bool has_reply, const char *why)
{
	static int number; /* another name each time, or a question would share the answer before it */
	struct asked asked;
	char name[32];

	(void)snprintf(name, sizeof name, "expect-%d.example", number++);
	ask_with(setting, &asked, name, DNS_TYPE_A, 400 * US_PER_MS, 1);
	wait_for(setting, &asked);
	assert_string_equal(outcome_name(asked.answer.outcome), outcome_name(outcome));
	assert_int_equal(asked.answer.has_reply, has_reply);
	if (!strstr(asked.answer.detail, why))
		fail_msg("detail \"%s\" does not hold \"%s\"", asked.answer.detail, why);
}
