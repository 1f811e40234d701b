/* SPDX-License-Identifier: Apache-2.0 */
/* Secrets that systemd hands over: what is named without a slash may be one of its credentials. */
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
#include "lattice-probe/err.h"

/* A folder of its own for each case, and in it "given", which is the directory of credentials. */
static char folder[64];

static const char *path_of(const char *name)
{
	static char path[128];

	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static int set_up(void **state)
{
	(void)state;
	(void)snprintf(folder, sizeof folder, "/tmp/test_conf_secret.XXXXXX");
	assert_non_null(mkdtemp(folder));
	assert_int_equal(mkdir(path_of("given"), 0700), 0);
	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", path_of("given"), 1), 0);
	return 0;
}

static int tear_down(void **state)
{
	static const char *const names[] = { "given/token", "given/body", "token", "main.conf" };

	(void)state;
	unsetenv("CREDENTIALS_DIRECTORY");
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		(void)remove(path_of(names[i]));
	assert_int_equal(rmdir(path_of("given")), 0);
	assert_int_equal(rmdir(folder), 0);
	return 0;
}

static void write_file(const char *name, const char *text, mode_t mode)
{
	FILE *file = fopen(path_of(name), "we");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fchmod(fileno(file), mode), 0);
	assert_int_equal(fclose(file), 0);
}

static struct conf *load(const char *setting)
{
	struct conf_findings findings;
	struct conf *conf = NULL;
	char text[256];

	(void)snprintf(text, sizeof text, "[probe a]\nurl = http://h\n%s\n", setting);
	write_file("main.conf", text, 0600);
	conf_findings_init(&findings);
	if (conf_load(path_of("main.conf"), &conf, &findings) != 0)
		fail_msg("%s", findings.count > 0 ? findings.items[0].text : "no finding");
	conf_findings_done(&findings);
	return conf;
}

static void expect_header(const char *setting, const char *value)
{
	struct conf *conf = load(setting);

	assert_int_equal(conf->targets[0]->header_count, 1);
	assert_string_equal(conf->targets[0]->headers[0].value, value);
	assert_true(conf->targets[0]->headers[0].is_secret);
	conf_free(conf);
}

/* The only mistake holds the words, in which '@' stands for the folder. */
static void expect_mistake(const char *setting, const char *words)
{
	struct conf_findings findings;
	struct conf *conf = NULL;
	char text[256];
	char wanted[512];
	size_t length = 0;

	for (; *words; words++)
		length += (size_t)(*words == '@' ? snprintf(wanted + length, sizeof wanted - length, "%s", folder) :
						   snprintf(wanted + length, sizeof wanted - length, "%c", *words));
	(void)snprintf(text, sizeof text, "[probe a]\nurl = http://h\n%s\n", setting);
	write_file("main.conf", text, 0600);
	conf_findings_init(&findings);
	assert_int_equal(conf_load(path_of("main.conf"), &conf, &findings), ERR_SYNTAX);
	assert_int_equal(findings.mistakes, 1);
	assert_string_equal(findings.items[0].text, wanted);
	conf_findings_done(&findings);
}

/* As systemd makes them: for their reader alone. */
static void a_name_without_a_slash_is_a_credential(void **state)
{
	struct conf *conf;

	(void)state;
	write_file("given/token", "Bearer given\n", 0400);
	write_file("given/body", "{\"given\":true}\n", 0440);
	expect_header("header_file.X = token", "Bearer given");
	conf = load("method = POST\nbody_file = body");
	assert_string_equal(conf->targets[0]->body, "{\"given\":true}\n");
	conf_free(conf);
}

static void a_credential_comes_before_a_file_beside(void **state)
{
	(void)state;
	write_file("token", "beside", 0600);
	expect_header("header_file.X = token", "beside");
	write_file("given/token", "given", 0400);
	expect_header("header_file.X = token", "given");
	expect_header("header_file.X = ./token", "beside");
	unsetenv("CREDENTIALS_DIRECTORY");
	expect_header("header_file.X = token", "beside");
}

static void a_directory_that_is_no_path_is_not_looked_into(void **state)
{
	(void)state;
	write_file("token", "beside", 0600);
	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", "", 1), 0);
	expect_header("header_file.X = token", "beside");
	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", "given", 1), 0);
	expect_header("header_file.X = token", "beside");
	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", "/nonexistent", 1), 0);
	expect_header("header_file.X = token", "beside");
}

static void what_is_nowhere_is_told_of_both_places(void **state)
{
	(void)state;
	expect_mistake("header_file.X = token", "[probe a] header_file.X: @/token cannot be opened: No such file or "
		"directory, and @/given holds no credential of that name");
	expect_mistake("body_file = ./body", "[probe a] body_file: @/./body cannot be opened: No such file or directory");
	unsetenv("CREDENTIALS_DIRECTORY");
	expect_mistake("body_file = body", "[probe a] body_file: @/body cannot be opened: No such file or directory, and "
		"without $CREDENTIALS_DIRECTORY it can be no credential; systemd sets it for a service with LoadCredential=");
}

static void a_credential_that_everyone_may_read_is_refused_like_any_file(void **state)
{
	(void)state;
	write_file("given/token", "given", 0444);
	expect_mistake("header_file.X = token",
		"[probe a] header_file.X: everyone may read @/given/token; chmod 640 @/given/token");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_name_without_a_slash_is_a_credential, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_credential_comes_before_a_file_beside, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_directory_that_is_no_path_is_not_looked_into, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_is_nowhere_is_told_of_both_places, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_credential_that_everyone_may_read_is_refused_like_any_file, set_up,
			tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
