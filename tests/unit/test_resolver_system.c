/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lattice-probe/result.h"
#include "resolver_setting.h"

/* Two files in place of the system's; the resolver reads them. */
struct files {
	char resolv_conf[64];
	char resolved_conf[64];
};

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void make_file(char path[static 64], const char *text)
{
	int fd;

	(void)snprintf(path, 64, "/tmp/lattice-probe-test.XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	(void)close(fd);
	/* NULL: no such file. */
	if (text)
		write_file(path, text);
	else
		assert_int_equal(unlink(path), 0);
}

static void use_files(struct setting *setting, struct files *files, const char *resolv, const char *resolved)
{
	struct resolver_options options = { .resolv_conf = files->resolv_conf, .resolved_conf = files->resolved_conf };

	make_file(files->resolv_conf, resolv);
	make_file(files->resolved_conf, resolved);
	resolver_free(setting->resolver);
	setting->resolver = resolver_new(setting->loop, &options);
	assert_non_null(setting->resolver);
	setting->servers = (struct target_resolver){ .mode = TARGET_RESOLVER_SYSTEM };
}

static void remove_files(const struct files *files)
{
	(void)unlink(files->resolv_conf);
	(void)unlink(files->resolved_conf);
}

/* The servers in force, as text with blanks between. */
static bool read_servers(struct setting *setting, char *text, size_t size)
{
	union address servers[TARGET_RESOLVERS_MAX];
	char one[ADDRESS_TEXT_SIZE];
	bool is_local = false;
	size_t count = resolver_servers(setting->resolver, &setting->servers, servers, &is_local);

	text[0] = '\0';
	for (size_t i = 0; i < count; i++) {
		size_t length = strlen(text);

		address_format_port(&servers[i], one);
		(void)snprintf(text + length, size - length, "%s%s", i > 0 ? " " : "", one);
	}
	return is_local;
}

static void expect_servers(struct setting *setting, const char *resolv, const char *resolved, const char *servers,
	bool is_local)
{
	struct files files;
	char text[512];

	use_files(setting, &files, resolv, resolved);
	assert_int_equal(read_servers(setting, text, sizeof text), is_local);
	assert_string_equal(text, servers);
	remove_files(&files);
}

static void the_nameserver_lines_of_resolv_conf_are_the_servers(void **state)
{
	struct setting *setting = *state;

	expect_servers(setting, "nameserver 192.0.2.53\nnameserver\t2001:db8::53\n", NULL,
		"192.0.2.53:53 [2001:db8::53]:53", false);
	expect_servers(setting, "# nameserver 192.0.2.1\nsearch example\nnameserver 192.0.2.2 # main\n"
		" nameserver 192.0.2.3\nnameserver not-an-address\nnameserverx 192.0.2.4\nnameserver\n"
		"nameserver 192.0.2.5", NULL, "192.0.2.2:53 192.0.2.5:53", false);
	expect_servers(setting, "nameserver 192.0.2.53:5353\n", NULL, "192.0.2.53:5353", false);
}

static void not_more_than_eight_servers_are_taken(void **state)
{
	struct setting *setting = *state;
	char text[512] = "";

	for (int i = 1; i <= 9; i++)
		(void)snprintf(text + strlen(text), sizeof text - strlen(text), "nameserver 192.0.2.%d\n", i);
	expect_servers(setting, text, NULL, "192.0.2.1:53 192.0.2.2:53 192.0.2.3:53 192.0.2.4:53 192.0.2.5:53 "
		"192.0.2.6:53 192.0.2.7:53 192.0.2.8:53", false);
}

static void a_link_local_server_keeps_its_interface(void **state)
{
	struct setting *setting = *state;
	union address servers[TARGET_RESOLVERS_MAX];
	struct files files;
	bool is_local;

	use_files(setting, &files, "nameserver fe80::1%lo\nnameserver fe80::2%7\nnameserver fe80::3%nowhere\n", NULL);
	assert_int_equal(resolver_servers(setting->resolver, &setting->servers, servers, &is_local), 2);
	assert_int_equal(servers[0].v6.sin6_scope_id, if_nametoindex("lo"));
	assert_int_equal(servers[1].v6.sin6_scope_id, 7);
	remove_files(&files);
}

static void without_a_nameserver_this_machine_is_asked(void **state)
{
	struct setting *setting = *state;

	expect_servers(setting, "search example\n", NULL, "127.0.0.1:53", true);
	expect_servers(setting, NULL, NULL, "127.0.0.1:53", true);
}

static void a_local_stub_is_replaced_by_the_servers_it_asks(void **state)
{
	struct setting *setting = *state;

	expect_servers(setting, "nameserver 127.0.0.53\noptions edns0\n",
		"nameserver 192.0.2.53\nnameserver 127.0.0.1\nnameserver 192.0.2.54\n",
		"192.0.2.53:53 192.0.2.54:53", false);
	expect_servers(setting, "nameserver ::1\nnameserver 127.0.0.53\n", "nameserver 127.0.0.1\n",
		"[::1]:53 127.0.0.53:53", true);
	expect_servers(setting, "nameserver 127.0.0.53\nnameserver 192.0.2.1\n", "nameserver 192.0.2.53\n",
		"127.0.0.53:53 192.0.2.1:53", false);
}

static void an_answer_of_a_local_stub_is_marked(void **state)
{
	struct setting *setting = *state;
	union address address = dns_fixture_address(setting->first);
	struct files files;
	struct asked asked;
	char server[ADDRESS_TEXT_SIZE];
	char text[128];

	ask(setting, &asked, "listed.example");
	wait_for(setting, &asked);
	assert_int_equal(asked.answer.marks, 0);
	address_format_port(&address, server);
	(void)snprintf(text, sizeof text, "nameserver %s\n", server);
	use_files(setting, &files, text, NULL);
	ask(setting, &asked, "stub.example");
	wait_for(setting, &asked);
	assert_int_equal(asked.answer.outcome, OUTCOME_OK);
	assert_int_equal(asked.answer.marks, RESULT_MARK_LOCAL_CACHE);
	remove_files(&files);
}

static void a_changed_resolv_conf_is_read_again(void **state)
{
	struct setting *setting = *state;
	struct files files;
	char text[512];

	use_files(setting, &files, "nameserver 192.0.2.53\n", NULL);
	assert_false(read_servers(setting, text, sizeof text));
	write_file(files.resolv_conf, "nameserver 127.0.0.53\n");
	while (!read_servers(setting, text, sizeof text)) {
		assert_false(setting->is_over);
		pause_for(setting, 50 * US_PER_MS);
	}
	assert_string_equal(text, "127.0.0.53:53");
	write_file(files.resolved_conf, "nameserver 192.0.2.54\n");
	while (read_servers(setting, text, sizeof text)) {
		assert_false(setting->is_over);
		pause_for(setting, 50 * US_PER_MS);
	}
	assert_string_equal(text, "192.0.2.54:53");
	remove_files(&files);
}

static void the_vpc_resolver_is_at_its_address(void **state)
{
	struct setting *setting = *state;
	struct target_resolver vpc = { .mode = TARGET_RESOLVER_VPC };
	union address servers[TARGET_RESOLVERS_MAX];
	union address v4;
	char text[ADDRESS_TEXT_SIZE];
	bool is_local;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_int_equal(parse_address("169.254.169.253:53", 53, &v4), 0);
	assert_int_equal(resolver_servers(setting->resolver, &vpc, servers, &is_local), 1);
	address_format_port(&servers[0], text);
	if (connect(fd, &v4.sa, address_length(&v4)) == 0)
		assert_string_equal(text, "169.254.169.253:53");
	else
		assert_string_equal(text, "[fd00:ec2::253]:53");
	(void)close(fd);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, resolver_setting_up, resolver_setting_down)
	const struct CMUnitTest tests[] = {
		CASE(the_nameserver_lines_of_resolv_conf_are_the_servers),
		CASE(not_more_than_eight_servers_are_taken),
		CASE(a_link_local_server_keeps_its_interface),
		CASE(without_a_nameserver_this_machine_is_asked),
		CASE(a_local_stub_is_replaced_by_the_servers_it_asks),
		CASE(an_answer_of_a_local_stub_is_marked),
		CASE(a_changed_resolv_conf_is_read_again),
		CASE(the_vpc_resolver_is_at_its_address),
	};

	return cmocka_run_group_tests_name("resolver: whom to ask", tests, NULL, NULL);
}
