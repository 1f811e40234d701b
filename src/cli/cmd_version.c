/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "cli_internal.h"

#include <string.h>

#include <ares.h>
#include <curl/curl.h>
#include <jansson.h>
#include <openssl/crypto.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <uv.h>
#include <zlib.h>

struct library {
	const char *name;
	const char *version;
};

static void print_json(const struct library *libraries, size_t count)
{
	json_t *object = json_pack("{s:s, s:{}}", "version", PACKAGE_VERSION, "libraries");

	for (size_t i = 0; i < count; i++)
		(void)json_object_set_new(json_object_get(object, "libraries"), libraries[i].name,
			json_string(libraries[i].version));
	(void)json_dumpf(object, stdout, JSON_INDENT(2));
	putchar('\n');
	json_decref(object);
}

int cmd_version(int argc, char **argv)
{
	char pcre2_version[64] = "";
	const struct library libraries[] = {
		{ "libcurl", curl_version_info(CURLVERSION_NOW)->version },
		{ "c-ares", ares_version(NULL) },
		{ "OpenSSL", OpenSSL_version(OPENSSL_VERSION_STRING) },
		{ "libuv", uv_version_string() },
		{ "jansson", jansson_version_str() },
		{ "PCRE2", pcre2_version },
		{ "zlib", zlibVersion() },
	};
	const size_t count = sizeof libraries / sizeof *libraries;

	(void)pcre2_config(PCRE2_CONFIG_VERSION, pcre2_version);
	if (argc > 1 && strcmp(argv[1], "--json") == 0) {
		print_json(libraries, count);
		return CLI_EXIT_OK;
	}
	if (argc > 1) {
		bool wants_help = strcmp(argv[1], "--help") == 0;

		fputs("usage: lattice-probe version [--json]\n", wants_help ? stdout : stderr);
		return wants_help ? CLI_EXIT_OK : CLI_EXIT_USAGE;
	}
	puts(PACKAGE_STRING);
	for (size_t i = 0; i < count; i++)
		printf("  %-8s %s\n", libraries[i].name, libraries[i].version);
	return CLI_EXIT_OK;
}
