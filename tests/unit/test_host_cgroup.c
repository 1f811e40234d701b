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

#include "lattice-probe/host.h"

#define STAT "usage_usec 100\nuser_usec 60\nsystem_usec 40\nnr_periods 9\nnr_throttled 3\nthrottled_usec 1234567\n"

static void the_group_of_version_2_is_found(void **state)
{
	char path[64];

	(void)state;
	assert_true(host_cgroup_find_path("0::/system.slice/lattice-probe.service\n", path, sizeof path));
	assert_string_equal(path, "/system.slice/lattice-probe.service");
	assert_true(host_cgroup_find_path("9:cpu,cpuacct:/old\n0::/", path, sizeof path));
	assert_string_equal(path, "/");
	assert_false(host_cgroup_find_path("4:memory:/process\n1:cpu:/\n", path, sizeof path));
	assert_false(host_cgroup_find_path("0::/system.slice/lattice-probe.service\n", path, 35));
	assert_true(host_cgroup_find_path("0::/system.slice/lattice-probe.service\n", path, 36));
	assert_false(host_cgroup_find_path("", path, sizeof path));
}

static void the_throttled_time_is_found(void **state)
{
	uint64_t throttled_us = 7;

	(void)state;
	assert_true(host_cgroup_find_throttled(STAT, &throttled_us));
	assert_int_equal(throttled_us, 1234567);
	assert_true(host_cgroup_find_throttled("throttled_usec 0", &throttled_us));
	assert_int_equal(throttled_us, 0);
}

static void what_is_no_number_is_none(void **state)
{
	static const char *const texts[] = { "", "usage_usec 1\n", "throttled_usec \n", "throttled_usec -1\n",
		"throttled_usec 1x\n", "throttled_usec 99999999999999999999999999\n", "nr_throttled_usec 5\n" };
	uint64_t throttled_us = 7;

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		assert_false(host_cgroup_find_throttled(texts[i], &throttled_us));
	assert_int_equal(throttled_us, 7);
}

static void make_folder(char path[static 512], const char *name)
{
	size_t length = strlen(path);

	(void)snprintf(path + length, 512 - length, "%s", name);
	assert_int_equal(mkdir(path, 0700), 0);
}

static void write_file(const char *folder, const char *name, const char *text)
{
	char path[600];
	FILE *file;

	(void)snprintf(path, sizeof path, "%s/%s", folder, name);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void both_files_are_read_below_the_root(void **state)
{
	char root[] = "/tmp/lattice-probe-cgroup-XXXXXX";
	char group[512] = "";
	char process[512] = "";
	char file[600];
	uint64_t throttled_us;

	(void)state;
	assert_non_null(mkdtemp(root));
	(void)snprintf(group, sizeof group, "%s", root);
	make_folder(group, "/sys");
	make_folder(group, "/fs");
	make_folder(group, "/cgroup");
	make_folder(group, "/a.service");
	(void)snprintf(process, sizeof process, "%s", root);
	make_folder(process, "/proc");
	make_folder(process, "/self");
	assert_false(host_cgroup_read_throttled(root, &throttled_us));
	write_file(process, "cgroup", "0::/a.service\n");
	assert_false(host_cgroup_read_throttled(root, &throttled_us));
	write_file(group, "cpu.stat", STAT);
	assert_true(host_cgroup_read_throttled(root, &throttled_us));
	assert_int_equal(throttled_us, 1234567);
	(void)snprintf(file, sizeof file, "%s/cpu.stat", group);
	assert_int_equal(unlink(file), 0);
	(void)snprintf(file, sizeof file, "%s/cgroup", process);
	assert_int_equal(unlink(file), 0);
	for (char *at; (at = strrchr(group, '/')) && strlen(group) > strlen(root); *at = '\0')
		assert_int_equal(rmdir(group), 0);
	for (char *at; (at = strrchr(process, '/')) && strlen(process) > strlen(root); *at = '\0')
		assert_int_equal(rmdir(process), 0);
	assert_int_equal(rmdir(root), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_group_of_version_2_is_found),
		cmocka_unit_test(the_throttled_time_is_found),
		cmocka_unit_test(what_is_no_number_is_none),
		cmocka_unit_test(both_files_are_read_below_the_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
