/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include "generate_fixture.h"

#include <stdlib.h>
#include <string.h>

#include "lattice-probe/conf.h"
#include "lattice-probe/dashboard.h"
#include "lattice-probe/iam_policy.h"

const struct alarms_options fixture_defaults = { .availability = ALARMS_AVAILABILITY,
	.certificate_days = ALARMS_CERTIFICATE_DAYS };

struct conf *fixture_conf(const char *text)
{
	struct conf_findings findings;
	struct conf *conf = NULL;

	conf_findings_init(&findings);
	if (conf_load_text("t.conf", text, strlen(text), &conf, &findings) != 0)
		fail_msg("%s", findings.count ? findings.items[0].text : "no memory");
	conf_findings_done(&findings);
	return conf;
}

static struct made begin(void)
{
	struct made made = { 0 };

	buf_init(&made.text, GENERATE_TEXT_MAX);
	generate_words_init(&made.words);
	return made;
}

static struct made end(struct made made, struct conf *conf)
{
	made.json = json_loads(buf_text(&made.text), 0, NULL);
	assert_int_equal(made.err == 0, made.text.length_bytes > 0);
	assert_int_equal(made.err == 0, made.words.refusal.length_bytes == 0);
	conf_free(conf);
	return made;
}

void fixture_done(struct made *made)
{
	json_decref(made->json);
	generate_words_done(&made->words);
	buf_done(&made->text);
}

struct made fixture_policy(const char *text, const char *region, bool with_diagnose)
{
	struct conf *conf = fixture_conf(text);
	struct made made = begin();

	made.err = iam_policy_generate(conf, &(struct generate_options){ .region = region }, with_diagnose, &made.text,
		&made.words);
	return end(made, conf);
}

struct made fixture_alarms(const char *text, const struct generate_options *options,
	const struct alarms_options *alarms)
{
	struct conf *conf = fixture_conf(text);
	struct made made = begin();

	made.err = alarms_generate(conf, options ? options : &(struct generate_options){ .region = "" },
		alarms ? alarms : &fixture_defaults, &made.text, &made.words);
	return end(made, conf);
}

struct made fixture_dashboard(const char *text, const struct generate_options *options)
{
	struct conf *conf = fixture_conf(text);
	struct made made = begin();

	made.err = dashboard_generate(conf, options ? options : &(struct generate_options){ .region = "us-east-1" },
		&made.text, &made.words);
	return end(made, conf);
}

void fixture_assert_note(const struct made *made, const char *text)
{
	if (!strstr(buf_text(&made->words.notes), text))
		fail_msg("not said: %s\n%s", text, buf_text(&made->words.notes));
}

void fixture_assert_refusal(const struct made *made, int err, const char *text)
{
	assert_int_equal(made->err, err);
	if (!strstr(buf_text(&made->words.refusal), text))
		fail_msg("not said: %s\n%s", text, buf_text(&made->words.refusal));
}

char *fixture_many(int count, const char *head, const char *settings)
{
	struct buf text;

	buf_init(&text, GENERATE_TEXT_MAX);
	(void)buf_append_text(&text, head);
	for (int i = 0; i < count; i++)
		(void)buf_append_format(&text,
			"[probe p%d]\nurl = https://p%d-%017d.7d67968.vpc-lattice-svcs.us-east-1.on.aws/a/b?c\n%s", i, i, i, settings);
	return buf_take(&text);
}
