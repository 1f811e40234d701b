/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lattice-probe/conf.h"
#include "lattice-probe/conf_keys.h"
#include "lattice-probe/reload.h"

#define PROBES_MAX 60

static struct conf *load(const char *text)
{
	struct conf_findings findings;
	struct conf *conf = NULL;

	conf_findings_init(&findings);
	if (conf_load_text("test", text, strlen(text), &conf, &findings) != 0)
		fail_msg("%s", findings.count ? findings.items[0].text : "no finding");
	conf_findings_done(&findings);
	return conf;
}

/* ---- probes ---- */

/* What became of the probes: of those after, '=' '~' '+' in their order; of those before that went, '-'. */
static void expect_fates(const struct conf *before, const struct conf *after, const char *fates)
{
	static const char letters[] = { [RELOAD_UNCHANGED] = '=', [RELOAD_CHANGED] = '~', [RELOAD_ADDED] = '+' };
	struct reload_difference difference;
	char seen[64] = "";
	size_t length = 0;

	assert_int_equal(reload_compare(before->targets, before->target_count, after->targets, after->target_count,
				 &difference), 0);
	for (size_t i = 0; i < after->target_count; i++) {
		const struct reload_probe *probe = &difference.probes[i];

		seen[length++] = letters[probe->fate];
		if (probe->fate != RELOAD_ADDED)
			assert_string_equal(before->targets[probe->before]->name, after->targets[i]->name);
	}
	for (size_t i = 0; i < before->target_count; i++)
		if (difference.is_removed[i])
			seen[length++] = '-';
	assert_string_equal(seen, fates);
	assert_int_equal(difference.unchanged + difference.changed + difference.added, after->target_count);
	assert_int_equal(difference.unchanged + difference.changed + difference.removed, before->target_count);
	reload_difference_done(&difference);
}

static void expect_between(const char *before_text, const char *after_text, const char *fates)
{
	struct conf *before = load(before_text);
	struct conf *after = load(after_text);

	expect_fates(before, after, fates);
	conf_free(before);
	conf_free(after);
}

static void what_is_written_alike_is_unchanged(void **state)
{
	static const char text[] = "[probe a]\nurl = https://a.test/\n[probe b]\nurl = https://b.test/\n";

	(void)state;
	expect_between(text, text, "==");
	expect_between("", "", "");
	expect_between(text, "# in another order\n[probe b]\nurl=https://b.test/\n[probe a]\nurl = https://a.test/\n"
			     "expect_status = 200-299\n", "==");
}

static void probes_come_change_and_go(void **state)
{
	(void)state;
	expect_between("[probe a]\nurl = https://a.test/\n[probe b]\nurl = https://b.test/\n"
		       "[probe c]\nurl = https://c.test/\n",
		"[probe d]\nurl = https://d.test/\n[probe c]\nurl = https://c.test/\nmethod = HEAD\n"
		"[probe b]\nurl = https://b.test/\n", "+~=-");
	expect_between("", "[probe a]\nurl = https://a.test/\n", "+");
	expect_between("[probe a]\nurl = https://a.test/\n", "", "-");
	expect_between("[probe a]\nurl = https://a.test/\n", "[probe a]\nurl = https://a.test/\nenabled = no\n", "-");
}

static void an_inherited_timer_changes_the_probes_without_one(void **state)
{
	(void)state;
	expect_between("[probe a]\nurl = https://a.test/\n[probe b]\nurl = https://b.test/\ninterval = 20s\n",
		"[agent]\ninterval = 30s\n[probe a]\nurl = https://a.test/\n[probe b]\nurl = https://b.test/\n"
		"interval = 20s\n", "~=");
}

static void write_secret(const char *path, const char *secret)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_true(fputs(secret, file) >= 0);
	assert_int_equal(fchmod(fileno(file), 0600), 0);
	assert_int_equal(fclose(file), 0);
}

static void a_secret_that_was_changed_changes_its_probe(void **state)
{
	static const char *const keys[] = { "header_file.X-Token", "body_file" };
	char path[] = "/tmp/lattice-probe-reload-XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0 && close(fd) == 0);
	for (size_t i = 0; i < 2; i++) {
		char text[256];
		struct conf *before;
		struct conf *after;

		(void)snprintf(text, sizeof text, "[probe a]\nurl = https://a.test/\n%s = %s\n", keys[i], path);
		write_secret(path, "one");
		before = load(text);
		after = load(text);
		expect_fates(before, after, "=");
		conf_free(after);
		write_secret(path, "two");
		after = load(text);
		expect_fates(before, after, "~");
		conf_free(after);
		conf_free(before);
	}
	assert_int_equal(unlink(path), 0);
}

/* ---- at random ---- */

/* xorshift64 */
static uint64_t next_random(uint64_t *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	return *seed ^= *seed << 17;
}

/* Some of the probes, in any order, each in one of two forms. */
static struct conf *random_conf(uint64_t *seed, char forms[static PROBES_MAX])
{
	static char text[PROBES_MAX * 128];
	size_t first = next_random(seed) % PROBES_MAX;
	size_t length = 0;

	text[0] = '\0';
	for (size_t i = 0; i < PROBES_MAX; i++) {
		size_t probe = (first + i * 7) % PROBES_MAX; /* 7 and PROBES_MAX share no factor */

		forms[probe] = "-ab"[next_random(seed) % 3];
		if (forms[probe] != '-')
			length += (size_t)snprintf(text + length, sizeof text - length,
				"[probe p%zu]\nurl = https://%c.test/\n", probe, forms[probe]);
	}
	return load(text);
}

static void every_probe_has_one_fate(void **state)
{
	uint64_t seed = (uint64_t)getpid();

	(void)state;
	print_message("seed %llu\n", (unsigned long long)seed);
	for (int round = 0; round < 50; round++) {
		char forms[2][PROBES_MAX];
		struct conf *before = random_conf(&seed, forms[0]);
		struct conf *after = random_conf(&seed, forms[1]);
		struct reload_difference difference;
		size_t wanted[4] = { 0 };

		for (size_t i = 0; i < PROBES_MAX; i++) {
			wanted[0] += forms[0][i] != '-' && forms[0][i] == forms[1][i];
			wanted[1] += forms[0][i] != '-' && forms[1][i] != '-' && forms[0][i] != forms[1][i];
			wanted[2] += forms[0][i] == '-' && forms[1][i] != '-';
			wanted[3] += forms[0][i] != '-' && forms[1][i] == '-';
		}
		assert_int_equal(reload_compare(before->targets, before->target_count, after->targets,
					 after->target_count, &difference), 0);
		assert_int_equal(difference.unchanged, wanted[0]);
		assert_int_equal(difference.changed, wanted[1]);
		assert_int_equal(difference.added, wanted[2]);
		assert_int_equal(difference.removed, wanted[3]);
		reload_difference_done(&difference);
		conf_free(before);
		conf_free(after);
	}
}

/* ---- keys ---- */

static const struct reload_key *find_key(const char *name)
{
	for (size_t i = 0; i < reload_keys_count; i++)
		if (strcmp(reload_keys[i].name, name) == 0)
			return &reload_keys[i];
	return NULL;
}

/* Exactly this key differs from the default, by the effect; kept, it differs no more. */
static void expect_key(const char *section, const char *setting, const char *name, enum reload_effect effect)
{
	char text[256];
	struct conf *before = load("");
	struct conf *after;
	const struct reload_key *found = &reload_keys[0];
	size_t differing = 0;

	(void)snprintf(text, sizeof text, "[%s]\n%s\n", section, setting);
	after = load(text);
	for (size_t i = 0; i < reload_keys_count; i++)
		if (!reload_keys[i].is_equal(before, after)) {
			found = &reload_keys[i];
			differing++;
		}
	assert_int_equal(differing, 1);
	assert_string_equal(found->name, name);
	assert_string_equal(found->section, section);
	assert_int_equal(found->effect, effect);
	if (effect == RELOAD_NEXT_START || effect == RELOAD_NEXT_PROCESS) {
		reload_keep(found, before, after);
		assert_true(found->is_equal(before, after));
	}
	conf_free(before);
	conf_free(after);
}

static void each_key_has_its_effect(void **state)
{
	(void)state;
	expect_key("agent", "fleet = f", "fleet", RELOAD_NEW_WINDOWS);
	expect_key("agent", "agent_id = a", "agent_id", RELOAD_NEXT_START);
	expect_key("agent", "resolver = vpc", "resolver", RELOAD_NEXT_PROCESS);
	expect_key("agent", "resolver = 10.0.0.2", "resolver", RELOAD_NEXT_PROCESS);
	expect_key("agent", "max_dns_rate = 49", "max_dns_rate", RELOAD_AT_ONCE);
	expect_key("agent", "max_in_flight = 1", "max_in_flight", RELOAD_AT_ONCE);
	expect_key("agent", "shutdown_timeout = 1s", "shutdown_timeout", RELOAD_AT_ONCE);
	expect_key("agent", "status_socket = none", "status_socket", RELOAD_AT_ONCE);
	expect_key("cloudwatch", "namespace = N", "namespace", RELOAD_NEXT_START);
	expect_key("cloudwatch", "dimension.Environment = prod", "dimension.", RELOAD_NEW_WINDOWS);
	expect_key("cloudwatch", "dimension_sets = Service, VpcId", "dimension_sets", RELOAD_NEW_WINDOWS);
	expect_key("cloudwatch", "dimension_sets = VpcId", "dimension_sets", RELOAD_NEW_WINDOWS);
	expect_key("cloudwatch", "metrics = Success", "metrics", RELOAD_NEW_WINDOWS);
	expect_key("cloudwatch", "failure_metrics = always", "failure_metrics", RELOAD_NEW_WINDOWS);
	expect_key("cloudwatch", "agent_metrics = both", "agent_metrics", RELOAD_NEW_WINDOWS);
	expect_key("cloudwatch", "period = 30s", "period", RELOAD_NEXT_START);
	expect_key("cloudwatch", "region = eu-west-1", "region", RELOAD_NEXT_START);
	expect_key("cloudwatch", "endpoint = https://monitoring.example.com", "endpoint", RELOAD_NEXT_START);
	expect_key("cloudwatch", "proxy = http://proxy.example.com:3128", "proxy", RELOAD_NEXT_PROCESS);
	expect_key("cloudwatch", "backfill_rate = 60/min", "backfill_rate", RELOAD_AT_ONCE);
	expect_key("cloudwatch", "expected_agents = 3", "expected_agents", RELOAD_AT_ONCE);
	expect_key("cloudwatch", "max_metrics = 999", "max_metrics", RELOAD_AT_ONCE);
}

/* A key that is new in conf_keys must find its effect here. */
static void no_key_is_left_out(void **state)
{
	(void)state;
	for (size_t i = 0; i < conf_keys_count; i++)
		if (!(conf_keys[i].sections & CONF_SECTION_PROBE) && !find_key(conf_keys[i].name))
			fail_msg("%s has no effect on reload", conf_keys[i].name);
	for (size_t i = 0; i < reload_keys_count; i++)
		assert_non_null(conf_keys_find(reload_keys[i].name[strlen(reload_keys[i].name) - 1] == '.' ?
						       "dimension.X" : reload_keys[i].name,
			strcmp(reload_keys[i].section, "agent") == 0 ? CONF_SECTION_AGENT : CONF_SECTION_CLOUDWATCH));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_alike_is_unchanged),
		cmocka_unit_test(probes_come_change_and_go),
		cmocka_unit_test(an_inherited_timer_changes_the_probes_without_one),
		cmocka_unit_test(a_secret_that_was_changed_changes_its_probe),
		cmocka_unit_test(every_probe_has_one_fate),
		cmocka_unit_test(each_key_has_its_effect),
		cmocka_unit_test(no_key_is_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
