/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lattice-probe/notify.h"

/* The manager's end of the socket, and what it was told last. */
static int manager = -1;
static char name[64];
static char told[4096];

static int start_manager(void **state)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	socklen_t bytes;

	(void)state;
	(void)snprintf(name, sizeof name, "@lattice-probe-notify-%ld", (long)getpid());
	memcpy(address.sun_path, name, strlen(name));
	address.sun_path[0] = '\0';
	bytes = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
	manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_true(manager >= 0);
	assert_int_equal(bind(manager, (struct sockaddr *)&address, bytes), 0);
	return 0;
}

static int stop_manager(void **state)
{
	(void)state;
	return close(manager);
}

static const char *hear(void)
{
	ssize_t length = recv(manager, told, sizeof told - 1, MSG_DONTWAIT);

	assert_true(length >= 0);
	told[length] = '\0';
	return told;
}

static void every_state_is_one_datagram(void **state)
{
	struct notify *notify = notify_open(name);

	(void)state;
	assert_non_null(notify);
	assert_true(notify_ready(notify, "3 probes"));
	assert_string_equal(hear(), "READY=1\nSTATUS=3 probes");
	assert_true(notify_status(notify, "idle"));
	assert_string_equal(hear(), "STATUS=idle");
	assert_true(notify_reloading(notify, (struct mono){ 123456789 }));
	assert_string_equal(hear(), "RELOADING=1\nMONOTONIC_USEC=123456789");
	assert_true(notify_stopping(notify, "stopping", 7 * US_PER_S));
	assert_string_equal(hear(), "STOPPING=1\nEXTEND_TIMEOUT_USEC=7000000\nSTATUS=stopping");
	assert_true(notify_failed(notify, ENOMEM, "no memory"));
	assert_string_equal(hear(), "ERRNO=12\nSTATUS=no memory");
	assert_true(notify_alive(notify));
	assert_string_equal(hear(), "WATCHDOG=1");
	assert_int_equal(recv(manager, told, sizeof told, MSG_DONTWAIT), -1);
	notify_close(notify);
}

static void a_socket_in_the_file_system_is_spoken_to(void **state)
{
	char folder[] = "/tmp/lattice-probe-notify-XXXXXX";
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct notify *notify;
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)state;
	assert_non_null(mkdtemp(folder));
	(void)snprintf(address.sun_path, sizeof address.sun_path, "%s/s", folder);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	notify = notify_open(address.sun_path);
	assert_true(notify_alive(notify));
	assert_int_equal(recv(fd, told, sizeof told, MSG_DONTWAIT), strlen("WATCHDOG=1"));
	notify_close(notify);
	assert_int_equal(close(fd), 0);
	assert_int_equal(unlink(address.sun_path), 0);
	assert_int_equal(rmdir(folder), 0);
}

static void a_status_stays_one_line(void **state)
{
	struct notify *notify = notify_open(name);

	(void)state;
	assert_true(notify_status(notify, "a\nWATCHDOG=trigger\t\x7f" "b"));
	assert_string_equal(hear(), "STATUS=a?WATCHDOG=trigger??b");
	notify_close(notify);
}

/* Cut anywhere within a run of two-byte letters, there is never half a one. */
static void a_long_status_is_cut_between_letters(void **state)
{
	struct notify *notify = notify_open(name);
	char status[2 * NOTIFY_STATUS_SIZE + 2];

	(void)state;
	for (size_t lead = 0; lead < 2; lead++) {
		const char *heard;

		memset(status, 'a', lead);
		for (size_t i = lead; i + 1 < sizeof status; i += 2)
			memcpy(status + i, "\xc3\xa9", 2);
		status[2 * NOTIFY_STATUS_SIZE] = '\0';
		assert_true(notify_status(notify, status));
		heard = hear();
		assert_true(strlen(heard) < sizeof "STATUS=" + NOTIFY_STATUS_SIZE);
		assert_true(strlen(heard) > NOTIFY_STATUS_SIZE);
		assert_memory_equal(heard + strlen(heard) - 2, "\xc3\xa9", 2);
	}
	assert_true(notify_status(notify, "ab\xe2\x82")); /* cut by somebody else */
	assert_string_equal(hear(), "STATUS=ab");
	assert_true(notify_status(notify, "ab\xe2\x82\xac"));
	assert_string_equal(hear(), "STATUS=ab\xe2\x82\xac");
	notify_close(notify);
}

static void without_a_socket_nothing_is_said(void **state)
{
	char longest[200];

	(void)state;
	memset(longest, 'a', sizeof longest);
	longest[0] = '/';
	longest[sizeof longest - 1] = '\0';
	assert_null(notify_open(NULL));
	assert_null(notify_open(""));
	assert_null(notify_open("/"));
	assert_null(notify_open("@"));
	assert_null(notify_open("vsock:2:1234"));
	assert_null(notify_open(longest));
	assert_true(notify_ready(NULL, "") && notify_alive(NULL));
	notify_close(NULL);
}

static void a_manager_that_has_gone_is_no_obstacle(void **state)
{
	struct notify *notify = notify_open("/nonexistent/notify");

	(void)state;
	assert_non_null(notify);
	assert_false(notify_alive(notify));
	notify_close(notify);
}

/* Nobody reads: the queue fills up. What does not fit is refused, after a bounded wait. */
static void a_manager_that_does_not_read_holds_up_for_a_moment(void **state)
{
	struct notify *notify = notify_open(name);
	struct mono before;
	int64_t waited_us;
	int taken = 0;

	(void)state;
	do
		before = mono_now();
	while (notify_alive(notify) && ++taken < 1000000);
	waited_us = mono_since(mono_now(), before);
	assert_true(taken > 0 && taken < 1000000);
	assert_true(waited_us >= NOTIFY_WAIT_US / 2 && waited_us < 60 * NOTIFY_WAIT_US);
	while (recv(manager, told, sizeof told, MSG_DONTWAIT) > 0)
		;
	assert_true(notify_alive(notify));
	notify_close(notify);
}

static void the_watchdog_is_meant_for_one_process(void **state)
{
	(void)state;
	assert_int_equal(notify_watchdog_us("30000000", NULL, 17), 30 * US_PER_S);
	assert_int_equal(notify_watchdog_us("30000000", "17", 17), 30 * US_PER_S);
	assert_int_equal(notify_watchdog_us("30000000", "18", 17), 0);
	assert_int_equal(notify_watchdog_us("30000000", "", 17), 0);
	assert_int_equal(notify_watchdog_us(NULL, "17", 17), 0);
	assert_int_equal(notify_watchdog_us("", NULL, 17), 0);
	assert_int_equal(notify_watchdog_us("0", NULL, 17), 0);
	assert_int_equal(notify_watchdog_us("-5", NULL, 17), 0);
	assert_int_equal(notify_watchdog_us("soon", NULL, 17), 0);
	assert_int_equal(notify_watchdog_us("18446744073709551615", NULL, 17), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_state_is_one_datagram, start_manager, stop_manager),
		cmocka_unit_test(a_socket_in_the_file_system_is_spoken_to),
		cmocka_unit_test_setup_teardown(a_status_stays_one_line, start_manager, stop_manager),
		cmocka_unit_test_setup_teardown(a_long_status_is_cut_between_letters, start_manager, stop_manager),
		cmocka_unit_test(without_a_socket_nothing_is_said),
		cmocka_unit_test(a_manager_that_has_gone_is_no_obstacle),
		cmocka_unit_test_setup_teardown(a_manager_that_does_not_read_holds_up_for_a_moment, start_manager,
			stop_manager),
		cmocka_unit_test(the_watchdog_is_meant_for_one_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
