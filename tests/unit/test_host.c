/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lattice-probe/host.h"

#define PATH_SIZE 256
#define INSTANCE_ID "i-0af01c0123456789a"

/* ---- a machine made of files -------------------------------------------------------------- */

static const char *const folders[] = { "/sys", "/sys/class", "/sys/class/dmi", "/sys/class/dmi/id",
	"/sys/hypervisor" };
static const char *const files[] = { "/sys/class/dmi/id/sys_vendor", "/sys/class/dmi/id/product_name",
	"/sys/class/dmi/id/board_asset_tag", "/sys/class/dmi/id/bios_version", "/sys/hypervisor/uuid" };

enum file { VENDOR, PRODUCT, ASSET_TAG, BIOS_VERSION, HYPERVISOR_UUID, FILES };

struct machine {
	char root[PATH_SIZE];
};

static const char *path_of(const struct machine *machine, const char *name)
{
	static char path[2 * PATH_SIZE];

	(void)snprintf(path, sizeof path, "%s%s", machine->root, name);
	return path;
}

static int make_machine(void **state)
{
	struct machine *machine = calloc(1, sizeof *machine);

	assert_non_null(machine);
	(void)snprintf(machine->root, sizeof machine->root, "/tmp/lattice-probe-host-XXXXXX");
	assert_non_null(mkdtemp(machine->root));
	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++)
		assert_int_equal(mkdir(path_of(machine, folders[i]), 0700), 0);
	*state = machine;
	return 0;
}

static int scrap_machine(void **state)
{
	struct machine *machine = *state;

	for (size_t i = 0; i < FILES; i++)
		(void)unlink(path_of(machine, files[i]));
	for (size_t i = sizeof folders / sizeof *folders; i > 0; i--)
		assert_int_equal(rmdir(path_of(machine, folders[i - 1])), 0);
	assert_int_equal(rmdir(machine->root), 0);
	free(machine);
	return 0;
}

/* NULL: the file is not there. */
static void write_file(const struct machine *machine, enum file file, const char *text)
{
	FILE *stream;

	(void)unlink(path_of(machine, files[file]));
	if (!text)
		return;
	stream = fopen(path_of(machine, files[file]), "w");
	assert_non_null(stream);
	assert_true(fputs(text, stream) >= 0);
	assert_int_equal(fclose(stream), 0);
}

static enum host_platform platform_of(const struct machine *machine, const char *const texts[FILES])
{
	struct host_identity identity;

	for (size_t i = 0; i < FILES; i++)
		write_file(machine, (enum file)i, texts[i]);
	return host_read_identity(machine->root, &identity);
}

/* ---- whose machine ------------------------------------------------------------------------ */

static void a_nitro_instance_says_so(void **state)
{
	const struct machine *machine = *state;
	struct host_identity identity;

	write_file(machine, VENDOR, "Amazon EC2\n");
	write_file(machine, PRODUCT, "m7g.large\n");
	write_file(machine, ASSET_TAG, INSTANCE_ID "\n");
	assert_int_equal(host_read_identity(machine->root, &identity), HOST_PLATFORM_EC2);
	assert_string_equal(identity.vendor, "Amazon EC2");
	assert_string_equal(identity.product, "m7g.large");
	assert_string_equal(identity.asset_tag, INSTANCE_ID);
}

static void each_mark_of_ec2_suffices(void **state)
{
	static const char *const marks[][FILES] = {
		{ [VENDOR] = "Amazon EC2\n" },
		{ [ASSET_TAG] = INSTANCE_ID "\n" },
		{ [VENDOR] = "Hidden\n", [ASSET_TAG] = "i-0123abcd\n" },
		{ [VENDOR] = "Xen\n", [BIOS_VERSION] = "4.11.amazon\n" },
		{ [VENDOR] = "Xen\n", [HYPERVISOR_UUID] = "EC2E1916-9099-7CAF-FD21-012345ABCDEF\n" },
		{ [HYPERVISOR_UUID] = "ec2e1916-9099-7caf-fd21-012345abcdef\n" },
	};

	for (size_t i = 0; i < sizeof marks / sizeof *marks; i++)
		assert_int_equal(platform_of(*state, marks[i]), HOST_PLATFORM_EC2);
}

static void the_name_of_another_vendor_is_another_platform(void **state)
{
	static const char *const others[][FILES] = {
		{ [VENDOR] = "Dell Inc.\n", [PRODUCT] = "PowerEdge R740\n" },
		{ [VENDOR] = "Google\n", [PRODUCT] = "Google Compute Engine\n" },
		{ [VENDOR] = "Microsoft Corporation\n", [PRODUCT] = "Surface\n" },
		/* Marks that only mean something on Xen. */
		{ [VENDOR] = "LENOVO\n", [BIOS_VERSION] = "amazon\n", [HYPERVISOR_UUID] = "ec2e\n" },
		{ [VENDOR] = "HPE\n", [ASSET_TAG] = "i-0123abcg\n" },
		{ [VENDOR] = "HPE\n", [ASSET_TAG] = "i-0123abcde\n" },
		{ [VENDOR] = "amazon ec2 lookalike\n" },
	};

	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		assert_int_equal(platform_of(*state, others[i]), HOST_PLATFORM_OTHER);
}

static void a_virtual_machines_maker_does_not_say_where_it_runs(void **state)
{
	static const char *const makers[][FILES] = {
		{ [VENDOR] = "QEMU\n" },
		{ [VENDOR] = "VMware, Inc.\n", [PRODUCT] = "VMware7,1\n" },
		{ [VENDOR] = "Nutanix\n" },
		{ [VENDOR] = "Xen\n", [BIOS_VERSION] = "4.17\n" },
		{ [VENDOR] = "Microsoft Corporation\n", [PRODUCT] = "Virtual Machine\n" },
		{ [VENDOR] = "innotek GmbH\n" },
	};

	for (size_t i = 0; i < sizeof makers / sizeof *makers; i++)
		assert_int_equal(platform_of(*state, makers[i]), HOST_PLATFORM_UNKNOWN);
}

static void nothing_to_read_is_unknown(void **state)
{
	static const char *const nothing[FILES] = { NULL };
	static const char *const blank[FILES] = { [VENDOR] = "\n", [PRODUCT] = "" };
	struct host_identity identity;

	assert_int_equal(platform_of(*state, nothing), HOST_PLATFORM_UNKNOWN);
	assert_int_equal(platform_of(*state, blank), HOST_PLATFORM_UNKNOWN);
	assert_int_equal(host_read_identity("/nonexistent", &identity), HOST_PLATFORM_UNKNOWN);
	assert_string_equal(identity.vendor, "");
	assert_string_equal(identity.product, "");
	assert_string_equal(identity.asset_tag, "");
}

static void odd_strings_are_cut_and_made_printable(void **state)
{
	const struct machine *machine = *state;
	struct host_identity identity;
	char text[500];

	memset(text, 'v', sizeof text);
	text[sizeof text - 1] = '\0';
	write_file(machine, VENDOR, text);
	write_file(machine, PRODUCT, "a\033[31mb\xc3\xa4  \nsecond line\n");
	assert_int_equal(host_read_identity(machine->root, &identity), HOST_PLATFORM_OTHER);
	assert_int_equal(strlen(identity.vendor), HOST_TEXT_SIZE - 1);
	assert_string_equal(identity.product, "a?[31mb??");
}

static void a_root_too_long_for_a_path_holds_nothing(void **state)
{
	char root[5000];
	struct host_identity identity;

	(void)state;
	memset(root, '/', sizeof root);
	root[sizeof root - 1] = '\0';
	assert_int_equal(host_read_identity(root, &identity), HOST_PLATFORM_UNKNOWN);
}

/* ---- counters ----------------------------------------------------------------------------- */

static const char netstat[] =
	"TcpExt: SyncookiesSent TCPRetransFail TCPOrigDataSent\n"
	"TcpExt: 1 23 18446744073709551615\n"
	"IpExt: InNoRoutes TCPRetransFail\n"
	"IpExt: 4 5\n";

static void a_counter_is_found_by_its_name(void **state)
{
	uint64_t count = 0;

	(void)state;
	assert_true(host_counter_find(netstat, "TcpExt", "TCPRetransFail", &count));
	assert_int_equal(count, 23);
	assert_true(host_counter_find(netstat, "IpExt", "TCPRetransFail", &count));
	assert_int_equal(count, 5);
	assert_true(host_counter_find(netstat, "TcpExt", "SyncookiesSent", &count));
	assert_int_equal(count, 1);
}

static void what_is_not_there_is_not_found(void **state)
{
	static const char *const texts[] = { "", "\n\n", "TcpExt:", "TcpExt: TCPRetransFail",
		"TcpExt: TCPRetransFail\n", "TcpExt: TCPRetransFail\nTcpExt:", "TcpExt: TCPRetransFail\nIpExt: 1\n",
		"TcpExt: A TCPRetransFail\nTcpExt: 1\n", "TcpExt: TCPRetransFail\nTcpExt: x\n",
		"TcpExt: TCPRetransFail\nTcpExt: -1\n", "TcpExt: TCPRetransFail\nTcpExt: 1x\n",
		"TcpExt: TCPRetransFail\nTcpExt: 99999999999999999999\n", "TcpExt: TCPRetransFailure\nTcpExt: 1\n",
		"TcpExt TCPRetransFail\nTcpExt 1\n", "XTcpExt: TCPRetransFail\nXTcpExt: 1\n",
		"TcpExt: TCPRetransFail\nTcpExt: 0000000000000000000000000000000001\n" };
	uint64_t count = 77;

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (host_counter_find(texts[i], "TcpExt", "TCPRetransFail", &count))
			fail_msg("found in %s", texts[i]);
	assert_int_equal(count, 77);
}

static void this_kernel_counts_failed_retransmits(void **state)
{
	uint64_t first = 0, second = 0;

	(void)state;
	assert_true(host_read_retransmit_failures(&first));
	assert_true(host_read_retransmit_failures(&second));
	assert_true(first <= second);
}

static void a_device_without_statistics_has_no_counter(void **state)
{
	char long_name[200];
	uint64_t count = 77;

	(void)state;
	memset(long_name, 'e', sizeof long_name);
	long_name[sizeof long_name - 1] = '\0';
	assert_false(host_read_link_local_drops("lo", &count));
	assert_false(host_read_link_local_drops("", &count));
	assert_false(host_read_link_local_drops("nosuchdevice", &count));
	assert_false(host_read_link_local_drops(long_name, &count));
	assert_int_equal(count, 77);
}

/* ---- the namespace ------------------------------------------------------------------------ */

static void the_network_namespace_has_a_name(void **state)
{
	char text[HOST_TEXT_SIZE];

	(void)state;
	host_read_network_namespace(text);
	assert_memory_equal(text, "net:[", 5);
	assert_int_equal(text[strlen(text) - 1], ']');
}

#define WITH_MACHINE(name) cmocka_unit_test_setup_teardown(name, make_machine, scrap_machine)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_MACHINE(a_nitro_instance_says_so),
		WITH_MACHINE(each_mark_of_ec2_suffices),
		WITH_MACHINE(the_name_of_another_vendor_is_another_platform),
		WITH_MACHINE(a_virtual_machines_maker_does_not_say_where_it_runs),
		WITH_MACHINE(nothing_to_read_is_unknown),
		WITH_MACHINE(odd_strings_are_cut_and_made_printable),
		cmocka_unit_test(a_root_too_long_for_a_path_holds_nothing),
		cmocka_unit_test(a_counter_is_found_by_its_name),
		cmocka_unit_test(what_is_not_there_is_not_found),
		cmocka_unit_test(this_kernel_counts_failed_retransmits),
		cmocka_unit_test(a_device_without_statistics_has_no_counter),
		cmocka_unit_test(the_network_namespace_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
