/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "cli_internal.h"

#include <getopt.h>

#include <ares.h>
#include <curl/curl.h>
#include <jansson.h>
#include <openssl/crypto.h>
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <sqlite3.h>
#include <uv.h>
#include <zlib.h>

struct library {
	const char *name;
	const char *version;
};

static void print_usage(FILE *stream)
{
	fputs("usage: lattice-probe version [--json]\n"
	      "\n"
	      "Shows the version and those of the libraries that are loaded.\n"
	      "\n"
	      "      --json         print one JSON object\n"
	      "  -h, --help         print this\n"
	      "\n"
	      "Exit status: 0, or 2 for wrong usage.\n",
		stream);
}

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

static int show(bool as_json)
{
	char pcre2_version[64] = "";
	const struct library libraries[] = {
		{ "libcurl", curl_version_info(CURLVERSION_NOW)->version },
		{ "c-ares", ares_version(NULL) },
		{ "OpenSSL", OpenSSL_version(OPENSSL_VERSION_STRING) },
		{ "libuv", uv_version_string() },
		{ "jansson", jansson_version_str() },
		{ "PCRE2", pcre2_version },
		{ "SQLite", sqlite3_libversion() },
		{ "zlib", zlibVersion() },
	};
	const size_t count = sizeof libraries / sizeof *libraries;

	(void)pcre2_config(PCRE2_CONFIG_VERSION, pcre2_version);
	if (as_json) {
		print_json(libraries, count);
		return CLI_EXIT_OK;
	}
	puts(PACKAGE_STRING);
	for (size_t i = 0; i < count; i++)
		printf("  %-8s %s\n", libraries[i].name, libraries[i].version);
	return CLI_EXIT_OK;
}

int cmd_version(int argc, char **argv)
{
	static const struct option options[] = { { "json", no_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' }, { 0 } };
	bool as_json = false;
	int option;

	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (option) {
		case 'j': as_json = true; break;
		case 'h': print_usage(stdout); return CLI_EXIT_OK;
		default: return cli_refuse_option(argv, options, print_usage);
		}
	}
	if (optind < argc) {
		fprintf(stderr, "lattice-probe: version takes no argument '%s'\n", argv[optind]);
		print_usage(stderr);
		return CLI_EXIT_USAGE;
	}
	return show(as_json);
}
