/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "lattice-probe/err.h"
#include "lattice-probe/sigv4.h"

#define KEY_ID "AKIDEXAMPLE"
#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define EMPTY_HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define INSTANT_S INT64_C(1440938160) /* 2015-08-30T12:36:00Z */

static const struct sigv4_header host_only[] = { { "Host", "example.amazonaws.com" } };

static struct sigv4_request plain_request(void)
{
	return (struct sigv4_request){
		.method = "GET", .path = "/", .headers = host_only, .header_count = 1, .access_key_id = KEY_ID,
		.secret_access_key = SECRET, .region = "us-east-1", .service = "service", .normalize_path = true,
		.instant = { INSTANT_S * US_PER_S },
	};
}

static void sign(const struct sigv4_request *request, struct sigv4_signature *signature)
{
	sigv4_signature_init(signature);
	assert_int_equal(sigv4_sign(request, signature), 0);
}

/* One line of the canonical request, counted from 0. */
static char *canonical_line(const struct sigv4_signature *signature, int number)
{
	static char line[4096];
	const char *text = buf_text(&signature->canonical_request);

	while (number-- > 0) {
		text = strchr(text, '\n');
		assert_non_null(text);
		text++;
	}
	assert_true(strcspn(text, "\n") < sizeof line);
	(void)snprintf(line, sizeof line, "%.*s", (int)strcspn(text, "\n"), text);
	return line;
}

static char *canonical_last_line(const struct sigv4_signature *signature)
{
	return strrchr(buf_text(&signature->canonical_request), '\n') + 1;
}

/* ---- the published vectors ---------------------------------------------------------------- */

struct vector {
	char folder[1024];
	char *text; /* request.txt, cut up in place */
	json_t *context;
	struct sigv4_header headers[32];
	struct sigv4_request request;
};

static char *read_vector_file(const struct vector *vector, const char *name)
{
	char path[2048];
	struct buf text;
	char block[4096];
	size_t length;
	FILE *file;

	(void)snprintf(path, sizeof path, "%s/%s", vector->folder, name);
	file = fopen(path, "rb");
	assert_non_null(file);
	buf_init(&text, 1024 * 1024);
	while ((length = fread(block, 1, sizeof block, file)) > 0)
		assert_int_equal(buf_append(&text, block, length), 0);
	(void)fclose(file);
	return buf_take(&text);
}

/* "NAME:value" lines up to the empty one; a line that starts with white space continues the value. */
static char *read_vector_headers(struct vector *vector, char *line)
{
	while (line && *line && *line != '\n') {
		char *end = strchr(line, '\n');
		char *colon = strchr(line, ':');

		while (end && (end[1] == ' ' || end[1] == '\t'))
			end = strchr(end + 1, '\n');
		if (end)
			*end = '\0';
		assert_non_null(colon);
		*colon = '\0';
		assert_true(vector->request.header_count < 32);
		vector->headers[vector->request.header_count++] = (struct sigv4_header){ line, colon + 1 };
		line = end ? end + 1 : NULL;
	}
	return line && *line ? line + 1 : NULL;
}

static void read_vector_request(struct vector *vector)
{
	char *line_end = strchr(vector->text, '\n');
	char *target = strchr(vector->text, ' ');
	char *version;
	char *query;
	char *body;

	*line_end = '\0';
	version = strrchr(vector->text, ' ');
	*target++ = '\0';
	*version = '\0';
	query = strchr(target, '?');
	if (query)
		*query++ = '\0';
	vector->request.method = vector->text;
	vector->request.path = target;
	vector->request.query = query;
	vector->request.headers = vector->headers;
	body = read_vector_headers(vector, line_end + 1);
	vector->request.payload = body;
	vector->request.payload_bytes = body ? strlen(body) : 0;
}

static void read_vector_context(struct vector *vector)
{
	struct sigv4_request *request = &vector->request;
	char *text = read_vector_file(vector, "context.json");
	const json_t *keys;

	vector->context = json_loads(text, 0, NULL);
	free(text);
	assert_non_null(vector->context);
	keys = json_object_get(vector->context, "credentials");
	request->access_key_id = json_string_value(json_object_get(keys, "access_key_id"));
	request->secret_access_key = json_string_value(json_object_get(keys, "secret_access_key"));
	request->session_token = json_string_value(json_object_get(keys, "token"));
	request->token_is_unsigned = json_is_true(json_object_get(vector->context, "omit_session_token"));
	request->region = json_string_value(json_object_get(vector->context, "region"));
	request->service = json_string_value(json_object_get(vector->context, "service"));
	request->normalize_path = json_is_true(json_object_get(vector->context, "normalize"));
	request->sign_body_header = json_is_true(json_object_get(vector->context, "sign_body"));
	assert_int_equal(wall_parse_rfc3339(json_string_value(json_object_get(vector->context, "timestamp")),
		&request->instant), 0);
}

static void assert_same_as_file(const struct vector *vector, const char *name, const char *text)
{
	char *expected = read_vector_file(vector, name);

	assert_string_equal(text, expected);
	free(expected);
}

static void assert_authorization(const struct vector *vector, const char *authorization)
{
	static const char label[] = "\nAuthorization:";
	char *signed_request = read_vector_file(vector, "header-signed-request.txt");
	char *expected = strstr(signed_request, label);

	assert_non_null(expected);
	expected += sizeof label - 1;
	expected[strcspn(expected, "\n")] = '\0';
	assert_string_equal(authorization, expected);
	free(signed_request);
}

static void run_vector(const char *root, const char *name)
{
	struct vector vector = { 0 };
	struct sigv4_signature signature;

	(void)snprintf(vector.folder, sizeof vector.folder, "%s/%s", root, name);
	print_message("vector %s\n", name);
	vector.text = read_vector_file(&vector, "request.txt");
	read_vector_request(&vector);
	read_vector_context(&vector);
	sign(&vector.request, &signature);
	assert_same_as_file(&vector, "header-canonical-request.txt", buf_text(&signature.canonical_request));
	assert_same_as_file(&vector, "header-string-to-sign.txt", buf_text(&signature.string_to_sign));
	assert_same_as_file(&vector, "header-signature.txt", signature.signature);
	assert_authorization(&vector, buf_text(&signature.authorization));
	sigv4_signature_done(&signature);
	json_decref(vector.context);
	free(vector.text);
}

/* SIGV4_VECTORS, else ../shared/sigv4 beside the project. Where neither is, the cases below and the
 * comparison with botocore (tests/integration/test_sigv4_botocore.py) still run. */
static void the_published_vectors_come_out_byte_for_byte(void **state)
{
	const char *root = getenv("SIGV4_VECTORS");
	char beside[512];
	struct dirent *entry;
	size_t count = 0;
	DIR *folder;

	(void)state;
	if (!root) {
		(void)snprintf(beside, sizeof beside, "%s/../shared/sigv4", getenv("srcdir") ? getenv("srcdir") : "..");
		root = beside;
	}
	folder = opendir(root);
	if (!folder) {
		print_message("no published vectors at %s: not run here\n", root);
		return;
	}
	while ((entry = readdir(folder)) != NULL) {
		if (entry->d_name[0] == '.' || strchr(entry->d_name, '.'))
			continue;
		run_vector(root, entry->d_name);
		count++;
	}
	(void)closedir(folder);
	print_message("%zu vectors\n", count);
	assert_true(count > 0);
}

/* ---- cases of our own --------------------------------------------------------------------- */

static void the_documented_example_has_its_known_signature(void **state)
{
	static const struct sigv4_header headers[] = {
		{ "Host", "iam.amazonaws.com" },
		{ "Content-Type", "application/x-www-form-urlencoded; charset=utf-8" },
	};
	struct sigv4_request request = plain_request();
	struct sigv4_signature signature;

	(void)state;
	/* The worked example of the AWS General Reference (ListUsers). */
	request.query = "Action=ListUsers&Version=2010-05-08";
	request.headers = headers;
	request.header_count = 2;
	request.service = "iam";
	sign(&request, &signature);
	assert_string_equal(signature.date, "20150830T123600Z");
	assert_string_equal(signature.signature, "5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
	assert_string_equal(buf_text(&signature.authorization), "AWS4-HMAC-SHA256 "
		"Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
		"SignedHeaders=content-type;host;x-amz-date, "
		"Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7");
	sigv4_signature_done(&signature);
}

static void the_hash_is_of_the_bytes_sent_also_after_a_zero_byte(void **state)
{
	/* gzip of "abc", with zero bytes inside. */
	static const unsigned char body[] = { 0x1f, 0x8b, 0x08, 0, 0, 0, 0, 0, 0, 0x03, 0x4b, 0x4c, 0x4a, 0x06, 0,
		0xc2, 0x41, 0x24, 0x35, 0x03, 0, 0, 0 };
	struct sigv4_request request = plain_request();
	struct sigv4_signature whole;
	struct sigv4_signature cut;

	(void)state;
	request.payload = body;
	request.payload_bytes = sizeof body;
	sign(&request, &whole);
	request.payload_bytes = 3;
	sign(&request, &cut);
	assert_string_equal(whole.payload_hash, "a058a4f3405f909f3a49df0cb75d96198d371ae7913e5ef6b8114a382746ee5a");
	assert_string_equal(canonical_last_line(&whole), whole.payload_hash);
	assert_string_not_equal(whole.payload_hash, cut.payload_hash);
	sigv4_signature_done(&whole);
	sigv4_signature_done(&cut);
}

static void an_unsigned_payload_is_the_literal_word(void **state)
{
	struct sigv4_request request = plain_request();
	struct sigv4_signature signature;

	(void)state;
	request.payload = "anything";
	request.payload_bytes = 8;
	request.payload_hash = "UNSIGNED-PAYLOAD";
	request.sign_body_header = true;
	sign(&request, &signature);
	assert_string_equal(canonical_line(&signature, 4), "x-amz-content-sha256:UNSIGNED-PAYLOAD");
	assert_string_equal(canonical_last_line(&signature), "UNSIGNED-PAYLOAD");
	assert_string_equal(signature.payload_hash, "UNSIGNED-PAYLOAD");
	sigv4_signature_done(&signature);
}

static void a_path_is_encoded_once_more_than_on_the_wire(void **state)
{
	static const char *const paths[][2] = {
		{ "/arn%3Aaws%3Avpc-lattice%2Fsvc-1", "/arn%253Aaws%253Avpc-lattice%252Fsvc-1" },
		{ "/a b", "/a%20b" }, { "/\xc3\xa9", "/%C3%A9" }, { "/~-_.", "/~-_." }, { "", "/" },
		{ "//a///b//", "/a/b/" }, { "/a/./b/../c", "/a/c" }, { "/../..", "/" }, { "/a/..", "/" },
		{ "/a/b/..", "/a" }, { "/a/b/../", "/a/" }, { "/...", "/..." }, { "/.a/..b", "/.a/..b" },
		{ "/%2E%2E/x", "/%252E%252E/x" }, { "/a:b@c", "/a%3Ab%40c" },
	};
	struct sigv4_request request = plain_request();

	(void)state;
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		struct sigv4_signature signature;

		request.path = paths[i][0];
		sign(&request, &signature);
		assert_string_equal(canonical_line(&signature, 1), paths[i][1]);
		sigv4_signature_done(&signature);
	}
}

static void the_rule_of_s3_keeps_path_and_escapes(void **state)
{
	struct sigv4_request request = plain_request();
	struct sigv4_signature signature;

	(void)state;
	request.normalize_path = false;
	request.path = "//a/../b%20c d%zz";
	sign(&request, &signature);
	assert_string_equal(canonical_line(&signature, 1), "//a/../b%20c%20d%25zz");
	sigv4_signature_done(&signature);
}

static void a_query_is_sorted_by_encoded_name_then_value(void **state)
{
	static const char *const queries[][2] = {
		{ "b=2&a=1", "a=1&b=2" }, { "a=2&a=1&a", "a=&a=1&a=2" }, { "A=1&a=2&B=3", "A=1&B=3&a=2" },
		{ "x=%2b&y=%2B&z=+", "x=%2B&y=%2B&z=%2B" }, { "a=b=c", "a=b%3Dc" }, { "a=/x?y", "a=%2Fx%3Fy" },
		{ "%61=%7e", "a=~" }, { "a=%", "a=%25" }, { "a=%4", "a=%254" }, { "a=%zz", "a=%25zz" },
		{ "&&a=1&&", "a=1" }, { "&", "" }, { "=v", "=v" }, { "", "" }, { "a-=1&a=2&a0=3", "a=2&a-=1&a0=3" },
		{ "\xe1\x88\xb4=bar", "%E1%88%B4=bar" }, { "a=%00b", "a=%00b" }, { "aa=1&a=2&a%20=3", "a=2&a%20=3&aa=1" },
	};
	struct sigv4_request request = plain_request();

	(void)state;
	for (size_t i = 0; i < sizeof queries / sizeof *queries; i++) {
		struct sigv4_signature signature;

		request.query = queries[i][0];
		sign(&request, &signature);
		assert_string_equal(canonical_line(&signature, 2), queries[i][1]);
		sigv4_signature_done(&signature);
	}
}

static void headers_are_lowered_sorted_trimmed_and_joined(void **state)
{
	static const struct sigv4_header headers[] = {
		{ "X-B", "  two  " }, { "Host", "example.amazonaws.com:8443" }, { "x-b", "\tone\r\n  more\t" },
		{ "X-A", "a  \"b   c\"  d" }, { "x-a-", "dash" }, { "X-Empty", "   " }, { "X-B", "" },
	};
	struct sigv4_request request = plain_request();
	struct sigv4_signature signature;

	(void)state;
	request.headers = headers;
	request.header_count = sizeof headers / sizeof *headers;
	sign(&request, &signature);
	assert_string_equal(buf_text(&signature.canonical_request), "GET\n/\n\n"
		"host:example.amazonaws.com:8443\n"
		"x-a:a \"b c\" d\n"
		"x-a-:dash\n"
		"x-amz-date:20150830T123600Z\n"
		"x-b:two,one more,\n"
		"x-empty:\n"
		"\nhost;x-a;x-a-;x-amz-date;x-b;x-empty\n" EMPTY_HASH);
	sigv4_signature_done(&signature);
}

static void what_changes_on_the_way_is_never_signed(void **state)
{
	static const struct sigv4_header headers[] = {
		{ "Host", "h" }, { "Connection", "x" }, { "EXPECT", "x" }, { "Keep-Alive", "x" },
		{ "Proxy-Authenticate", "x" }, { "Proxy-Authorization", "x" }, { "TE", "x" }, { "Trailer", "x" },
		{ "Transfer-Encoding", "x" }, { "Upgrade", "x" }, { "User-Agent", "x" }, { "X-Amzn-Trace-Id", "x" },
		{ "Authorization", "old" }, { "X-Amz-Date", "old" }, { "x-amz-security-token", "old" },
		{ "x-amz-content-sha256", "old" },
	};
	struct sigv4_request request = plain_request();
	struct sigv4_signature signature;

	(void)state;
	request.headers = headers;
	request.header_count = sizeof headers / sizeof *headers;
	sign(&request, &signature);
	assert_string_equal(buf_text(&signature.canonical_request), "GET\n/\n\nhost:h\nx-amz-date:20150830T123600Z\n"
		"\nhost;x-amz-date\n" EMPTY_HASH);
	sigv4_signature_done(&signature);
}

static void a_session_token_is_signed_unless_asked_otherwise(void **state)
{
	struct sigv4_request request = plain_request();
	struct sigv4_signature signature;

	(void)state;
	request.session_token = "EXAMPLETOKEN";
	sign(&request, &signature);
	assert_non_null(strstr(buf_text(&signature.canonical_request), "\nx-amz-security-token:EXAMPLETOKEN\n"));
	assert_non_null(strstr(buf_text(&signature.authorization), "=host;x-amz-date;x-amz-security-token,"));
	sigv4_signature_done(&signature);

	request.token_is_unsigned = true;
	sign(&request, &signature);
	assert_null(strstr(buf_text(&signature.canonical_request), "EXAMPLETOKEN"));
	sigv4_signature_done(&signature);
}

static void the_scope_changes_with_the_utc_day(void **state)
{
	struct sigv4_request request = plain_request();
	struct sigv4_signature before;
	struct sigv4_signature after;

	(void)state;
	request.instant = (struct wall){ INT64_C(1451606400) * US_PER_S - 1 };
	sign(&request, &before);
	request.instant = wall_add(request.instant, 1);
	sign(&request, &after);
	assert_string_equal(before.date, "20151231T235959Z");
	assert_string_equal(after.date, "20160101T000000Z");
	assert_non_null(strstr(buf_text(&before.string_to_sign), "\n20151231/us-east-1/service/aws4_request\n"));
	assert_non_null(strstr(buf_text(&after.string_to_sign), "\n20160101/us-east-1/service/aws4_request\n"));
	assert_string_not_equal(before.signature, after.signature);
	sigv4_signature_done(&before);
	sigv4_signature_done(&after);
}

static void signing_again_starts_afresh(void **state)
{
	struct sigv4_request request = plain_request();
	struct sigv4_signature signature;
	char first[65];

	(void)state;
	sign(&request, &signature);
	memcpy(first, signature.signature, sizeof first);
	assert_int_equal(sigv4_sign(&request, &signature), 0);
	assert_string_equal(signature.signature, first);
	sigv4_signature_done(&signature);
}

static void what_is_beyond_the_ceilings_is_refused(void **state)
{
	struct sigv4_request request = plain_request();
	struct sigv4_signature signature;
	char *long_path = calloc(1, SIGV4_TEXT_MAX + 2);

	(void)state;
	assert_non_null(long_path);
	memset(long_path, '&', SIGV4_TEXT_MAX + 1);
	sigv4_signature_init(&signature);
	request.path = long_path;
	assert_int_equal(sigv4_sign(&request, &signature), ERR_LIMIT);
	request.path = "/";
	request.query = long_path;
	assert_int_equal(sigv4_sign(&request, &signature), ERR_LIMIT);
	request.query = NULL;
	request.header_count = 100000;
	assert_int_equal(sigv4_sign(&request, &signature), ERR_LIMIT);
	request.header_count = 1;
	request.payload_hash = long_path;
	assert_int_equal(sigv4_sign(&request, &signature), ERR_LIMIT);
	sigv4_signature_done(&signature);
	free(long_path);
}

/* ---- no key stays behind ------------------------------------------------------------------ */

#define MASK 0x5a /* needles are kept masked, so that they do not find themselves */

/* Counts `needle` in the writable memory of this process that is not larger than a test's. Read
 * through /proc/self/mem, one block at a time into `block`, which is wiped again. */
static size_t count_in_range(int memory, unsigned long start, unsigned long end, const unsigned char *masked,
	size_t length)
{
	static unsigned char block[65536];
	size_t count = 0;

	for (unsigned long at = start; at < end; at += sizeof block - 64) {
		ssize_t got = pread(memory, block, sizeof block, (off_t)at);
		bool is_own = at + sizeof block > (uintptr_t)block && at < (uintptr_t)block + sizeof block;

		for (size_t i = 0; !is_own && got > 0 && i + length <= (size_t)got && i < sizeof block - 64; i++) {
			size_t same = 0;

			while (same < length && (block[i + same] ^ MASK) == masked[same])
				same++;
			count += same == length;
		}
		explicit_bzero(block, sizeof block);
	}
	return count;
}

static size_t count_in_memory(const unsigned char *masked, size_t length)
{
	int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];
	size_t count = 0;

	assert_true(memory >= 0);
	assert_non_null(maps);
	while (fgets(line, sizeof line, maps)) {
		unsigned long start;
		unsigned long end;
		char rights[5];

		if (sscanf(line, "%lx-%lx %4s", &start, &end, rights) == 3 && rights[1] == 'w' &&
		    end - start <= 64UL * 1024 * 1024)
			count += count_in_range(memory, start, end, masked, length);
	}
	(void)fclose(maps);
	(void)close(memory);
	return count;
}

static void mask(const void *bytes, size_t length, unsigned char *ret_masked)
{
	for (size_t i = 0; i < length; i++)
		ret_masked[i] = ((const unsigned char *)bytes)[i] ^ MASK;
}

static void what_lies_in_memory_is_found(void **state)
{
	static unsigned char masked[32];
	unsigned char *plant = malloc(sizeof masked);

	(void)state;
	assert_non_null(plant);
	for (size_t i = 0; i < sizeof masked; i++)
		plant[i] = (unsigned char)(7 * i + 1);
	mask(plant, sizeof masked, masked);
	assert_int_equal(count_in_memory(masked, sizeof masked), 1);
	explicit_bzero(plant, sizeof masked);
	assert_int_equal(count_in_memory(masked, sizeof masked), 0);
	free(plant);
}

static void no_signing_key_stays_in_memory(void **state)
{
	/* Of the documented example: 20150830, us-east-1, iam. */
	static const unsigned char signing_key[32] = {
		0xc4, 0xaf, 0xb1, 0xcc, 0x57, 0x71, 0xd8, 0x71, 0x76, 0x3a, 0x39, 0x3e, 0x44, 0xb7, 0x03, 0x57,
		0x1b, 0x55, 0xcc, 0x28, 0x42, 0x4d, 0x1a, 0x5e, 0x86, 0xda, 0x6e, 0xd3, 0xc1, 0x54, 0xa4, 0xb9 };
	static unsigned char masked[32];
	struct sigv4_request request = plain_request();
	struct sigv4_signature signature;

	(void)state;
	mask(signing_key, sizeof masked, masked);
	request.service = "iam";
	sign(&request, &signature);
	assert_int_equal(count_in_memory(masked, sizeof masked), 0);
	sigv4_signature_done(&signature);
}

/* A long secret, and the needle is its end: short freed memory is soon overwritten by others. */
static void no_copy_of_the_secret_stays_in_memory(void **state)
{
#define FILLER "EXAMPLEEXAMPLEEXAMPLEEXAMPLEEXAMPLEEXAMPLEEXAMPLEEXAMPLEEXAMPLEEXAMPLE"
	static const char secret[] = FILLER FILLER FILLER FILLER FILLER "of-a-secret-that-no-other-case-uses";
	static unsigned char masked[24];
	struct sigv4_request request = plain_request();
	struct sigv4_signature signature;

	(void)state;
	mask(secret + sizeof secret - 1 - sizeof masked, sizeof masked, masked);
	request.secret_access_key = secret;
	sign(&request, &signature);
	assert_int_equal(count_in_memory(masked, sizeof masked), 0);
	sigv4_signature_done(&signature);
}

static void no_session_token_stays_in_memory_after_done(void **state)
{
	static const char token[] = "EXAMPLE-of-a-session-token-that-no-other-case-uses";
	static unsigned char masked[24];
	struct sigv4_request request = plain_request();
	struct sigv4_signature signature;

	(void)state;
	mask(token + 14, sizeof masked, masked);
	request.session_token = token;
	sign(&request, &signature);
	assert_true(count_in_memory(masked, sizeof masked) > 0);
	sigv4_signature_done(&signature);
	assert_int_equal(count_in_memory(masked, sizeof masked), 0);
	assert_null(signature.canonical_request.data);
	assert_string_equal(signature.signature, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_published_vectors_come_out_byte_for_byte),
		cmocka_unit_test(the_documented_example_has_its_known_signature),
		cmocka_unit_test(the_hash_is_of_the_bytes_sent_also_after_a_zero_byte),
		cmocka_unit_test(an_unsigned_payload_is_the_literal_word),
		cmocka_unit_test(a_path_is_encoded_once_more_than_on_the_wire),
		cmocka_unit_test(the_rule_of_s3_keeps_path_and_escapes),
		cmocka_unit_test(a_query_is_sorted_by_encoded_name_then_value),
		cmocka_unit_test(headers_are_lowered_sorted_trimmed_and_joined),
		cmocka_unit_test(what_changes_on_the_way_is_never_signed),
		cmocka_unit_test(a_session_token_is_signed_unless_asked_otherwise),
		cmocka_unit_test(the_scope_changes_with_the_utc_day),
		cmocka_unit_test(signing_again_starts_afresh),
		cmocka_unit_test(what_is_beyond_the_ceilings_is_refused),
		cmocka_unit_test(what_lies_in_memory_is_found),
		cmocka_unit_test(no_signing_key_stays_in_memory),
		cmocka_unit_test(no_copy_of_the_secret_stays_in_memory),
		cmocka_unit_test(no_session_token_stays_in_memory_after_done),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
