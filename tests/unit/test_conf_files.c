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

#include "lattice-probe/buf.h"
#include "lattice-probe/conf.h"
#include "lattice-probe/err.h"

#define PATH_SIZE 256

/* A directory of its own for each case, removed with all that is in it. */
static char directory[PATH_SIZE];

static const char *path_of(const char *name)
{
	static char path[2 * PATH_SIZE];

	(void)snprintf(path, sizeof path, "%s/%s", directory, name);
	return path;
}

static int set_up(void **state)
{
	(void)state;
	(void)snprintf(directory, sizeof directory, "/tmp/test_conf_files.XXXXXX");
	assert_non_null(mkdtemp(directory));
	return 0;
}

static int tear_down(void **state)
{
	static const char *const names[] = { "conf.d/a.conf", "conf.d/b.conf", "conf.d/c.conf", "conf.d/.d.conf",
		"conf.d/e.conf~", "conf.d/f.conf", "conf.d/g.conf", "conf.d/secret", "main.conf", "secret", "ca.pem", "fifo" };

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		(void)remove(path_of(names[i]));
	(void)rmdir(path_of("conf.d"));
	assert_int_equal(rmdir(directory), 0);
	return 0;
}

static void write_bytes(const char *name, const void *bytes, size_t length, mode_t mode)
{
	FILE *file = fopen(path_of(name), "wb");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, length, file), length);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path_of(name), mode), 0);
}

static void write_file(const char *name, const char *text, mode_t mode)
{
	write_bytes(name, text, strlen(text), mode);
}

static struct conf *load(void)
{
	struct conf_findings findings;
	struct conf *conf = NULL;
	int err;

	conf_findings_init(&findings);
	err = conf_load(path_of("main.conf"), &conf, &findings);
	for (size_t i = 0; i < findings.count; i++)
		if (findings.items[i].severity == CONF_MISTAKE)
			print_message("%s:%u: %s\n", findings.items[i].file, findings.items[i].line,
				findings.items[i].text);
	conf_findings_done(&findings);
	assert_int_equal(err, 0);
	return conf;
}

/* All mistakes, "file:line: text" each, where '@' stands for the directory. */
static void expect_mistakes(const char *expected)
{
	struct conf_findings findings;
	struct conf *conf = NULL;
	struct buf said;
	struct buf wanted;

	buf_init(&said, 100000);
	buf_init(&wanted, 100000);
	for (; *expected; expected++)
		(void)(*expected == '@' ? buf_append_text(&wanted, directory) : buf_append_char(&wanted, *expected));
	conf_findings_init(&findings);
	assert_int_equal(conf_load(path_of("main.conf"), &conf, &findings), ERR_SYNTAX);
	assert_null(conf);
	for (size_t i = 0; i < findings.count; i++)
		if (findings.items[i].severity == CONF_MISTAKE)
			(void)buf_append_format(&said, "%s:%u: %s\n", findings.items[i].file, findings.items[i].line,
				findings.items[i].text);
	assert_string_equal(buf_text(&said), buf_text(&wanted));
	conf_findings_done(&findings);
	buf_done(&said);
	buf_done(&wanted);
}

/* ---- conf.d ------------------------------------------------------------------------------- */

static void a_directory_that_is_not_there_is_fine(void **state)
{
	struct conf *conf;

	(void)state;
	write_file("main.conf", "[probe a]\nurl = http://h\n", 0644);
	conf = load();
	assert_int_equal(conf->target_count, 1);
	conf_free(conf);
}

static void further_files_come_after_the_main_one_by_name(void **state)
{
	struct conf *conf;

	(void)state;
	assert_int_equal(mkdir(path_of("conf.d"), 0755), 0);
	write_file("conf.d/b.conf", "[probe b]\nurl = http://b\n[agent]\ntimeout = 4s\n", 0644);
	write_file("conf.d/a.conf", "[probe a]\nurl = http://a\n[agent]\nfleet = x\n", 0644);
	write_file("conf.d/.d.conf", "nonsense", 0644);
	write_file("conf.d/e.conf~", "nonsense", 0644);
	write_file("main.conf", "[probe z]\nurl = http://z\n[agent]\ninterval = 20s\n", 0644);
	conf = load();
	assert_int_equal(conf->target_count, 3);
	assert_string_equal(conf->targets[0]->name, "z");
	assert_string_equal(conf->targets[1]->name, "a");
	assert_string_equal(conf->targets[2]->name, "b");
	assert_int_equal(conf->targets[0]->timeout_us, 4000000);
	assert_string_equal(conf->fleet, "x");
	conf_free(conf);
}

static void mistakes_of_all_files_are_said_together(void **state)
{
	(void)state;
	assert_int_equal(mkdir(path_of("conf.d"), 0755), 0);
	write_file("main.conf", "[agent]\nfleet = x\n[probe a]\nurl = http://h\n", 0644);
	write_file("conf.d/a.conf", "[agent]\nfleet = y\n", 0644);
	assert_int_equal(mkdir(path_of("conf.d/b.conf"), 0755), 0);
	write_file("conf.d/c.conf", "[probe a]\nurl = ftp://h\n", 0644);
	expect_mistakes("@/conf.d/a.conf:2: [agent] fleet: is set twice, first in @/main.conf:2\n"
			"@/conf.d/b.conf:0: is a directory\n"
			"@/conf.d/c.conf:1: [probe a] the name is taken by the probe in @/main.conf:3\n"
			"@/conf.d/c.conf:2: [probe a] url: a URL begins with https:// or http://\n");
}

static void files_that_cannot_be_read_are_mistakes(void **state)
{
	(void)state;
	expect_mistakes("@/main.conf:0: cannot be opened: No such file or directory\n");
	write_file("conf.d", "", 0644);
	write_file("main.conf", "", 0644);
	expect_mistakes("@/conf.d:0: cannot be opened: Not a directory\n");
	assert_int_equal(remove(path_of("conf.d")), 0);
	assert_int_equal(mkdir(path_of("conf.d"), 0755), 0);
	assert_int_equal(symlink("nowhere", path_of("conf.d/a.conf")), 0);
	expect_mistakes("@/conf.d/a.conf:0: cannot be opened: No such file or directory\n");
}

static void a_fifo_in_the_directory_holds_nobody_up(void **state)
{
	(void)state;
	assert_int_equal(mkdir(path_of("conf.d"), 0755), 0);
	assert_int_equal(mkfifo(path_of("conf.d/a.conf"), 0644), 0);
	write_file("main.conf", "", 0644);
	expect_mistakes("@/conf.d/a.conf:0: is no regular file\n");
}

static void a_file_has_a_ceiling(void **state)
{
	static char block[1024 * 1024];

	(void)state;
	memset(block, '\n', sizeof block);
	write_bytes("main.conf", block, sizeof block, 0644);
	conf_free(load());
	assert_int_equal(truncate(path_of("main.conf"), 16 * 1024 * 1024 + 1), 0);
	expect_mistakes("@/main.conf:0: is larger than 16 MiB\n");
}

/* Files of nothing but NULs, so that reading them costs no memory on disk. */
static void all_files_together_have_a_ceiling(void **state)
{
	static const char *const names[] = { "conf.d/a.conf", "conf.d/b.conf", "conf.d/c.conf", "conf.d/f.conf",
		"conf.d/g.conf" };

	(void)state;
	assert_int_equal(mkdir(path_of("conf.d"), 0755), 0);
	write_file("main.conf", "", 0644);
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		write_file(names[i], "", 0644);
		assert_int_equal(truncate(path_of(names[i]), 16 * 1024 * 1024), 0);
	}
#define LONG_LINE "the line is longer than 8192 bytes; continue a url or a body on an indented line, or use body_file\n"
	expect_mistakes("@/conf.d/a.conf:1: " LONG_LINE "@/conf.d/b.conf:1: " LONG_LINE "@/conf.d/c.conf:1: " LONG_LINE
			"@/conf.d/f.conf:1: " LONG_LINE
			"@/conf.d/g.conf:0: with this file the configuration is larger than 64 MiB\n");
}

/* ---- secrets ------------------------------------------------------------------------------ */

static void a_secret_comes_from_a_file_beside(void **state)
{
	struct conf *conf;

	(void)state;
	assert_int_equal(mkdir(path_of("conf.d"), 0755), 0);
	write_file("main.conf", "", 0644);
	write_file("conf.d/a.conf", "[probe a]\nurl = http://h\nheader_file.Authorization = secret\n"
		"header_file.X = ../secret\n", 0644);
	write_file("conf.d/secret", "Bearer 12345\r\n\n", 0640);
	write_file("secret", "no newline", 0600);
	conf = load();
	assert_int_equal(conf->targets[0]->header_count, 2);
	assert_string_equal(conf->targets[0]->headers[0].name, "Authorization");
	assert_string_equal(conf->targets[0]->headers[0].value, "Bearer 12345");
	assert_true(conf->targets[0]->headers[0].is_secret);
	assert_string_equal(conf->targets[0]->headers[1].value, "no newline");
	conf_free(conf);
}

static void a_body_comes_from_a_file_byte_for_byte(void **state)
{
	struct conf *conf;

	(void)state;
	write_file("main.conf", "[probe a]\nurl = http://h\nmethod = POST\nbody_file = secret\n", 0644);
	write_bytes("secret", "a\0b\n", 4, 0600);
	conf = load();
	assert_int_equal(conf->targets[0]->body_bytes, 4);
	assert_memory_equal(conf->targets[0]->body, "a\0b\n", 4);
	conf_free(conf);
	write_bytes("secret", "", 0, 0600);
	conf = load();
	assert_non_null(conf->targets[0]->body);
	assert_int_equal(conf->targets[0]->body_bytes, 0);
	conf_free(conf);
}

static void a_secret_that_everyone_may_read_is_refused(void **state)
{
	(void)state;
	write_file("secret", "x", 0644);
	write_file("main.conf", "[probe a]\nurl = http://h\nheader_file.X = secret\nbody_file = secret\n", 0600);
	expect_mistakes("@/main.conf:3: [probe a] header_file.X: everyone may read @/secret; chmod 640 @/secret\n"
			"@/main.conf:4: [probe a] body_file: everyone may read @/secret; chmod 640 @/secret\n");
	write_file("main.conf", "[probe a]\nurl = http://h\nheader.authorization = x\nheader.Cookie = x\n"
		"header.X-API-Key = x\nheader.Accept = x\n", 0604);
	expect_mistakes("@/main.conf:3: [probe a] header.authorization: the value is a secret and everyone may read this "
			"file; chmod 640 @/main.conf, or use header_file.authorization\n"
			"@/main.conf:4: [probe a] header.Cookie: the value is a secret and everyone may read this file; "
			"chmod 640 @/main.conf, or use header_file.Cookie\n"
			"@/main.conf:5: [probe a] header.X-API-Key: the value is a secret and everyone may read this file; "
			"chmod 640 @/main.conf, or use header_file.X-API-Key\n");
	assert_int_equal(chmod(path_of("main.conf"), 0640), 0);
	conf_free(load());
}

static void a_secret_file_must_make_sense(void **state)
{
	static char long_line[9000];

	(void)state;
	write_file("main.conf", "[probe a]\nurl = http://h\nheader_file.X = secret\n", 0644);
	write_file("secret", "\n", 0600);
	expect_mistakes("@/main.conf:3: [probe a] header_file.X: @/secret is empty\n");
	write_file("secret", "a\nEvil: b\n", 0600);
	expect_mistakes("@/main.conf:3: [probe a] header_file.X: @/secret holds more than one line or a control character; "
			"a header is one line\n");
	write_bytes("secret", "a\0b", 3, 0600);
	expect_mistakes("@/main.conf:3: [probe a] header_file.X: @/secret holds more than one line or a control character; "
			"a header is one line\n");
	memset(long_line, 'x', sizeof long_line);
	write_bytes("secret", long_line, sizeof long_line, 0600);
	expect_mistakes("@/main.conf:3: [probe a] header_file.X: @/secret is larger than 8 KiB\n");
	assert_int_equal(remove(path_of("secret")), 0);
	assert_int_equal(mkfifo(path_of("secret"), 0600), 0);
	expect_mistakes("@/main.conf:3: [probe a] header_file.X: @/secret is no regular file\n");
}

static void a_ca_file_must_hold_a_certificate(void **state)
{
	struct conf *conf;

	(void)state;
	write_file("main.conf", "[probe a]\nurl = https://h\ntls_ca = ca.pem\n[probe b]\nurl = https://h\n"
		"tls_ca = ca.pem\nenabled = no\n[probe c]\nurl = https://h\ntls_ca = ca.pem\n", 0644);
	write_file("ca.pem", "-----BEGIN CERTIFICATE-----\n", 0644);
	conf = load();
	assert_string_equal(conf->targets[0]->tls_ca, path_of("ca.pem"));
	assert_string_equal(conf->targets[1]->tls_ca, path_of("ca.pem"));
	conf_free(conf);
	write_file("ca.pem", "-----BEGIN PRIVATE KEY-----\n", 0644);
	expect_mistakes("@/main.conf:3: [probe a] tls_ca: @/ca.pem holds no PEM certificate\n"
			"@/main.conf:6: [probe b] tls_ca: @/ca.pem holds no PEM certificate\n"
			"@/main.conf:10: [probe c] tls_ca: @/ca.pem holds no PEM certificate\n");
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

/* ---- the store ------------------------------------------------------------------------------- */

#define LONG_PATH "/a_path_of_more_than_255_bytes_" HUNDRED HUNDRED HUNDRED
#define HUNDRED "2345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901"

static void the_keys_of_the_store_are_judged(void **state)
{
	static const struct {
		const char *text;
		const char *finding;
	} rows[] = {
		{ "[agent]\nstate_directory = data\n",
			"[agent] state_directory: \"data\" is no path of a directory; allowed are none, or an absolute path of up "
			"to 255 bytes" },
		{ "[agent]\nstate_directory = " LONG_PATH "\n",
			"[agent] state_directory: the path is longer than 255 bytes" },
		{ "[agent]\nstore_retention = 1s\n",
			"[agent] store_retention: \"1s\" is out of range; write 60s to 31d, with ms, s, m, h or d" },
		{ "[agent]\nstore_max_size = 64\n",
			"[agent] store_max_size: \"64\" has no unit; write 1MiB to 65536MiB, with B, KiB or MiB" },
		{ "[agent]\noutbox_max_size = 0B\n",
			"[agent] outbox_max_size: \"0B\" is out of range; write 1MiB to 65536MiB, with B, KiB or MiB" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct conf_findings findings;
		struct conf *conf = NULL;

		conf_findings_init(&findings);
		assert_int_equal(conf_load_text("t.conf", rows[i].text, strlen(rows[i].text), &conf, &findings), ERR_SYNTAX);
		assert_int_equal(findings.count, 1);
		assert_string_equal(findings.items[0].text, rows[i].finding);
		conf_findings_done(&findings);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_keys_of_the_store_are_judged),
		CASE(a_directory_that_is_not_there_is_fine),
		CASE(further_files_come_after_the_main_one_by_name),
		CASE(mistakes_of_all_files_are_said_together),
		CASE(files_that_cannot_be_read_are_mistakes),
		CASE(a_fifo_in_the_directory_holds_nobody_up),
		CASE(a_file_has_a_ceiling),
		CASE(all_files_together_have_a_ceiling),
		CASE(a_secret_comes_from_a_file_beside),
		CASE(a_body_comes_from_a_file_byte_for_byte),
		CASE(a_secret_that_everyone_may_read_is_refused),
		CASE(a_secret_file_must_make_sense),
		CASE(a_ca_file_must_hold_a_certificate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
