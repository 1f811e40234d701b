/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lattice-probe/err.h"
#include "lattice-probe/profile.h"

#define KEY_ID "AKIAIOSFODNN7EXAMPLE"
#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

struct folder {
	char path[64];
	char config[96];
	char credentials[96];
};

static int set_up(void **state)
{
	struct folder *folder = calloc(1, sizeof *folder);

	assert_non_null(folder);
	(void)snprintf(folder->path, sizeof folder->path, "/tmp/lattice-probe-profile-XXXXXX");
	assert_non_null(mkdtemp(folder->path));
	(void)snprintf(folder->config, sizeof folder->config, "%s/config", folder->path);
	(void)snprintf(folder->credentials, sizeof folder->credentials, "%s/credentials", folder->path);
	(void)unsetenv("AWS_PROFILE");
	(void)setenv("AWS_CONFIG_FILE", folder->config, 1);
	(void)setenv("AWS_SHARED_CREDENTIALS_FILE", folder->credentials, 1);
	*state = folder;
	return 0;
}

static int tear_down(void **state)
{
	struct folder *folder = *state;

	(void)unlink(folder->config);
	(void)unlink(folder->credentials);
	(void)rmdir(folder->path);
	free(folder);
	return 0;
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fputs(text, file) >= 0, 1);
	assert_int_equal(fclose(file), 0);
}

static struct profile parse(const char *text, bool is_config, const char *name)
{
	struct profile profile = { 0 };
	size_t length = strlen(text);
	char *exact = malloc(length ? length : 1); /* without a NUL, so that reading on is seen */

	assert_non_null(exact);
	memcpy(exact, text, length);
	assert_int_equal(profile_parse(exact, length, is_config, name, &profile), 0);
	free(exact);
	return profile;
}

static void assert_value(const struct profile *profile, enum profile_key key, const char *value)
{
	if (!value) {
		assert_null(profile->values[key]);
		return;
	}
	assert_non_null(profile->values[key]);
	assert_string_equal(profile->values[key], value);
}

/* ---- one file ----------------------------------------------------------------------------- */

static void a_credentials_file_has_bare_names(void **state)
{
	static const char text[] = "[default]\naws_access_key_id = " KEY_ID "\naws_secret_access_key=" SECRET "\n"
		"[profile other]\nregion=eu-west-1\n[other]\nregion=us-west-2\naws_session_token = TOKEN\n";
	struct profile profile = parse(text, false, "default");

	(void)state;
	assert_true(profile.is_found);
	assert_value(&profile, PROFILE_ACCESS_KEY_ID, KEY_ID);
	assert_value(&profile, PROFILE_SECRET_ACCESS_KEY, SECRET);
	assert_value(&profile, PROFILE_SESSION_TOKEN, NULL);
	profile_done(&profile);
	profile = parse(text, false, "other");
	assert_value(&profile, PROFILE_REGION, "us-west-2");
	assert_value(&profile, PROFILE_SESSION_TOKEN, "TOKEN");
	assert_value(&profile, PROFILE_ACCESS_KEY_ID, NULL);
	profile_done(&profile);
	profile = parse(text, false, "missing");
	assert_false(profile.is_found);
	profile_done(&profile);
}

static void a_config_file_has_profile_before_all_names_but_default(void **state)
{
	static const char text[] = "[default]\nregion = us-east-1\n[other]\nregion = wrong\n[profile other]\n"
		"region = eu-west-1\n[profile\t \"quoted name\"]\nregion = eu-west-2\n[profileless]\nregion = x\n"
		"[profile single]\nregion = 1\n[profile 'q']\nregion = 2\n";
	static const struct { const char *name; const char *region; } wanted[] = {
		{ "default", "us-east-1" }, { "other", "eu-west-1" }, { "quoted name", "eu-west-2" }, { "less", NULL },
		{ "profileless", NULL }, { "single", "1" }, { "q", "2" }, { "", NULL } };

	(void)state;
	for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
		struct profile profile = parse(text, true, wanted[i].name);

		assert_value(&profile, PROFILE_REGION, wanted[i].region);
		profile_done(&profile);
	}
}

/* inih's own line ends at 200 bytes. */
static void a_token_may_be_long(void **state)
{
	char text[4096];
	char token[3000];
	struct profile profile;

	(void)state;
	memset(token, 'T', sizeof token - 1);
	token[sizeof token - 1] = '\0';
	(void)snprintf(text, sizeof text, "[default]\naws_session_token = %s\nregion = us-east-1\n", token);
	profile = parse(text, false, "default");
	assert_value(&profile, PROFILE_SESSION_TOKEN, token);
	assert_value(&profile, PROFILE_REGION, "us-east-1");
	profile_done(&profile);
}

static void values_are_literal_and_trimmed(void **state)
{
	struct profile profile = parse("[default]\r\n  # note\r\nregion =   us-east-1 \t\r\n"
		"aws_secret_access_key = a=b:c ;d #e\"f\"\r\nAWS_ACCESS_KEY_ID: " KEY_ID "\r\nrole_arn =\r\n", false, "default");

	(void)state;
	assert_value(&profile, PROFILE_REGION, "us-east-1");
	assert_value(&profile, PROFILE_SECRET_ACCESS_KEY, "a=b:c ;d #e\"f\"");
	assert_value(&profile, PROFILE_ACCESS_KEY_ID, KEY_ID);
	assert_value(&profile, PROFILE_ROLE_ARN, NULL);
	profile_done(&profile);
}

static void nested_settings_are_none_of_ours(void **state)
{
	struct profile profile = parse("[default]\nregion = us-east-1\ns3 =\n  region = nested\n\taws_access_key_id = nested\n"
		"; region = comment\n#region = comment\n", true, "default");

	(void)state;
	assert_value(&profile, PROFILE_REGION, "us-east-1");
	assert_value(&profile, PROFILE_ACCESS_KEY_ID, NULL);
	profile_done(&profile);
}

static void keys_behind_a_broken_header_do_not_land_in_the_section_before(void **state)
{
	static const char *const headers[] = { "[other", "[profile other", "[",
		("[profile a-name-so-long-that-no-line-of-ours-can-hold-it-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa]") };

	(void)state;
	for (size_t i = 0; i < sizeof headers / sizeof *headers; i++) {
		char text[512];
		struct profile profile;

		(void)snprintf(text, sizeof text, "[default]\nregion = us-east-1\n%s\nregion = wrong\n", headers[i]);
		profile = parse(text, true, "default");
		assert_value(&profile, PROFILE_REGION, "us-east-1");
		profile_done(&profile);
	}
}

static void the_last_of_several_holds_and_noise_is_passed_over(void **state)
{
	struct profile profile = parse("region = outside\nnoise\n= nothing\n[default]\nregion = one\nregion = two\nnoise\n"
		"a-name-longer-than-a-line-of-ours-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
		"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa = x\n[default]\nrole_arn = late", false, "default");

	(void)state;
	assert_value(&profile, PROFILE_REGION, "two");
	assert_value(&profile, PROFILE_ROLE_ARN, "late");
	profile_done(&profile);
}

/* ---- both files --------------------------------------------------------------------------- */

static void load(struct profile *profile)
{
	*profile = (struct profile){ 0 };
	assert_int_equal(profile_load(profile), 0);
}

static void keys_come_from_one_file_and_the_rest_from_both(void **state)
{
	struct folder *folder = *state;
	struct profile profile;

	write_file(folder->config, "[default]\nregion = us-east-1\naws_access_key_id = CONFIG\naws_secret_access_key = CONFIG\n"
		"aws_session_token = CONFIG\n");
	write_file(folder->credentials, "[default]\naws_access_key_id = " KEY_ID "\naws_secret_access_key = " SECRET "\n");
	load(&profile);
	assert_true(profile.is_found);
	assert_false(profile.is_explicit);
	assert_value(&profile, PROFILE_ACCESS_KEY_ID, KEY_ID);
	assert_value(&profile, PROFILE_SECRET_ACCESS_KEY, SECRET);
	assert_value(&profile, PROFILE_SESSION_TOKEN, NULL);
	assert_value(&profile, PROFILE_REGION, "us-east-1");
	profile_done(&profile);

	assert_int_equal(unlink(folder->credentials), 0);
	load(&profile);
	assert_value(&profile, PROFILE_ACCESS_KEY_ID, "CONFIG");
	assert_value(&profile, PROFILE_SESSION_TOKEN, "CONFIG");
	profile_done(&profile);
}

static void the_environment_names_the_profile(void **state)
{
	struct folder *folder = *state;
	struct profile profile;

	write_file(folder->config, "[default]\nregion = us-east-1\n[profile probe]\nregion = eu-west-1\n");
	(void)setenv("AWS_PROFILE", "probe", 1);
	load(&profile);
	assert_true(profile.is_explicit);
	assert_value(&profile, PROFILE_REGION, "eu-west-1");
	profile_done(&profile);
	(void)setenv("AWS_PROFILE", "missing", 1);
	load(&profile);
	assert_true(profile.is_explicit);
	assert_false(profile.is_found);
	profile_done(&profile);
	(void)setenv("AWS_PROFILE", "a-name-longer-than-what-inih-can-keep-of-it", 1);
	assert_int_equal(profile_load(&profile), ERR_LIMIT);
}

static void the_files_are_found_in_the_home_directory(void **state)
{
	struct folder *folder = *state;
	struct profile profile;
	char aws[96];
	char path[128];

	(void)unsetenv("AWS_CONFIG_FILE");
	(void)setenv("AWS_SHARED_CREDENTIALS_FILE", "~/credentials", 1);
	(void)setenv("HOME", folder->path, 1);
	(void)snprintf(aws, sizeof aws, "%s/.aws", folder->path);
	(void)snprintf(path, sizeof path, "%s/config", aws);
	assert_int_equal(mkdir(aws, 0700), 0);
	write_file(path, "[default]\nregion = us-east-1\n");
	write_file(folder->credentials, "[default]\naws_access_key_id = " KEY_ID "\n");
	load(&profile);
	assert_value(&profile, PROFILE_REGION, "us-east-1");
	assert_value(&profile, PROFILE_ACCESS_KEY_ID, KEY_ID);
	profile_done(&profile);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(aws), 0);
}

static void what_is_no_file_or_too_large_is_refused_and_none_is_none(void **state)
{
	struct folder *folder = *state;
	struct profile profile;

	load(&profile);
	assert_false(profile.is_found);
	profile_done(&profile);
	assert_int_equal(mkfifo(folder->credentials, 0600), 0);
	assert_int_equal(profile_load(&profile), ERR_IO); /* and did not wait for a writer */
	assert_int_equal(unlink(folder->credentials), 0);
	(void)setenv("AWS_SHARED_CREDENTIALS_FILE", folder->path, 1);
	assert_int_equal(profile_load(&profile), ERR_IO);
	write_file(folder->config, "[default]\n");
	assert_int_equal(truncate(folder->config, 2 * 1024 * 1024), 0);
	assert_int_equal(profile_load(&profile), ERR_LIMIT);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_credentials_file_has_bare_names),
		cmocka_unit_test(a_config_file_has_profile_before_all_names_but_default),
		cmocka_unit_test(a_token_may_be_long),
		cmocka_unit_test(values_are_literal_and_trimmed),
		cmocka_unit_test(nested_settings_are_none_of_ours),
		cmocka_unit_test(keys_behind_a_broken_header_do_not_land_in_the_section_before),
		cmocka_unit_test(the_last_of_several_holds_and_noise_is_passed_over),
		CASE(keys_come_from_one_file_and_the_rest_from_both),
		CASE(the_environment_names_the_profile),
		CASE(the_files_are_found_in_the_home_directory),
		CASE(what_is_no_file_or_too_large_is_refused_and_none_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
