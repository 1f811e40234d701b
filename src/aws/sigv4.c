/* SPDX-License-Identifier: Apache-2.0 */
/* The four steps of "Create a signed AWS API request" (IAM User Guide):
 *   1. canonical request: the parts of the request that both sides can rebuild, in one fixed form
 *   2. string to sign: algorithm, instant, scope, hash of 1
 *   3. signing key: HMAC chained over date, region, service
 *   4. signature: HMAC of 2 under 3
 * The path is taken as it is sent and encoded once more (a %2F on the wire is %252F here), which is
 * the rule for every service but S3. The query is taken apart, its escapes are read and written anew,
 * so that %2b, %2B and a bare byte that had to be escaped all come out alike; a plus stays a plus
 * (RFC 3986), not a space. */
#include "lattice-probe/sigv4.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "lattice-probe/err.h"

#define ALGORITHM "AWS4-HMAC-SHA256"
#define SHA256_BYTES 32
#define DATE_LENGTH 8       /* the scope's date: the first characters of X-Amz-Date */
#define HEADERS_MAX 256
#define QUERY_PAIRS_MAX 4096

struct digest {
	unsigned char bytes[SHA256_BYTES];
};

struct header {
	const char *name;
	const char *value;
	size_t order; /* of arrival: repeated headers are joined in this order */
};

struct query_pair {
	size_t name;  /* offsets into the encoded text */
	size_t value;
};

void sigv4_signature_init(struct sigv4_signature *signature)
{
	*signature = (struct sigv4_signature){ 0 };
	buf_init(&signature->canonical_request, SIGV4_TEXT_MAX);
	buf_init(&signature->string_to_sign, SIGV4_TEXT_MAX);
	buf_init(&signature->authorization, SIGV4_TEXT_MAX);
}

void sigv4_signature_done(struct sigv4_signature *signature)
{
	buf_done_secret(&signature->canonical_request); /* it holds the session token */
	buf_done_secret(&signature->string_to_sign);
	buf_done_secret(&signature->authorization);
	OPENSSL_cleanse(signature, sizeof *signature);
	sigv4_signature_init(signature);
}

/* ---- hashes ------------------------------------------------------------------------------- */

static void to_hex(const struct digest *digest, char ret_text[static 2 * SHA256_BYTES + 1])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < SHA256_BYTES; i++) {
		ret_text[2 * i] = digits[digest->bytes[i] >> 4];
		ret_text[2 * i + 1] = digits[digest->bytes[i] & 15];
	}
	ret_text[2 * SHA256_BYTES] = '\0';
}

static int sha256_hex(const void *bytes, size_t length, char ret_text[static 2 * SHA256_BYTES + 1])
{
	struct digest digest;

	if (EVP_Digest(bytes ? bytes : "", length, digest.bytes, NULL, EVP_sha256(), NULL) != 1)
		return ERR_CRYPTO;
	to_hex(&digest, ret_text);
	return 0;
}

static int hmac(const void *key, size_t key_bytes, const void *data, size_t data_bytes, struct digest *ret_digest)
{
	size_t length = 0;

	if (!EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key, key_bytes, data, data_bytes, ret_digest->bytes,
		sizeof ret_digest->bytes, &length))
		return ERR_CRYPTO;
	return length == SHA256_BYTES ? 0 : ERR_CRYPTO;
}

/* ---- percent-encoding --------------------------------------------------------------------- */

/* RFC 3986 section 2.3. */
static bool is_unreserved(unsigned char byte)
{
	return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') ||
	       byte == '-' || byte == '.' || byte == '_' || byte == '~';
}

static void append_encoded(struct buf *out, unsigned char byte)
{
	static const char digits[] = "0123456789ABCDEF";

	if (is_unreserved(byte)) {
		(void)buf_append_char(out, (char)byte);
		return;
	}
	(void)buf_append_char(out, '%');
	(void)buf_append_char(out, digits[byte >> 4]);
	(void)buf_append_char(out, digits[byte & 15]);
}

static int hex_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if (digit >= 'a' && digit <= 'f')
		return digit - 'a' + 10;
	return digit >= 'A' && digit <= 'F' ? digit - 'A' + 10 : -1;
}

/* The byte that %XX at text stands for, or -1. */
static int escape_value(const char *text, const char *end)
{
	int high;
	int low;

	if (end - text < 3 || text[0] != '%')
		return -1;
	high = hex_value(text[1]);
	low = hex_value(text[2]);
	return high < 0 || low < 0 ? -1 : high << 4 | low;
}

/* ---- canonical URI ------------------------------------------------------------------------ */

/* Removes dot segments (RFC 3986 section 5.2.4) and empty ones. */
static void append_normalized(struct buf *out, const char *path)
{
	const char *end = path + strlen(path);

	for (const char *next; path < end; path = next + 1) {
		size_t length;

		next = strchr(path, '/');
		if (!next)
			next = end;
		length = (size_t)(next - path);
		if (length == 0 || (length == 1 && path[0] == '.'))
			continue;
		if (length == 2 && path[0] == '.' && path[1] == '.') {
			while (out->length_bytes > 0 && out->data[--out->length_bytes] != '/')
				;
			continue;
		}
		(void)buf_append_char(out, '/');
		(void)buf_append(out, path, length);
	}
	if (out->length_bytes == 0 || end[-1] == '/')
		(void)buf_append_char(out, '/');
}

/* The rule of S3 (normalize_path false) leaves escapes alone: its paths are encoded only once. */
static int append_canonical_path(struct buf *out, const struct sigv4_request *request)
{
	struct buf path;
	const char *end;
	int err;

	buf_init(&path, SIGV4_TEXT_MAX);
	if (request->normalize_path)
		append_normalized(&path, request->path);
	else
		(void)buf_append_text(&path, *request->path ? request->path : "/");
	end = buf_text(&path) + path.length_bytes;
	for (const char *byte = buf_text(&path); byte < end; byte++) {
		bool is_kept = *byte == '/' || (!request->normalize_path && escape_value(byte, end) >= 0);

		if (is_kept)
			(void)buf_append_char(out, *byte);
		else
			append_encoded(out, (unsigned char)*byte);
	}
	err = path.failed;
	buf_done(&path);
	return err;
}

/* ---- canonical query ---------------------------------------------------------------------- */

/* Encodes the bytes from text to end, and a NUL; gives the offset at which they start. */
static size_t append_reencoded(struct buf *encoded, const char *text, const char *end)
{
	size_t start = encoded->length_bytes;

	while (text < end) {
		int byte = escape_value(text, end);

		append_encoded(encoded, byte >= 0 ? (unsigned char)byte : (unsigned char)*text);
		text += byte >= 0 ? 3 : 1;
	}
	(void)buf_append_char(encoded, '\0');
	return start;
}

/* Takes the query apart into encoded pairs; `a` alone is `a=`, nothing between two & is nothing. */
static size_t split_query(const char *query, struct buf *encoded, struct query_pair *pairs)
{
	size_t count = 0;

	for (const char *end; *query; query = *end ? end + 1 : end) {
		const char *equals;

		end = query + strcspn(query, "&");
		if (end == query)
			continue;
		equals = memchr(query, '=', (size_t)(end - query));
		pairs[count].name = append_reencoded(encoded, query, equals ? equals : end);
		pairs[count].value = append_reencoded(encoded, equals ? equals + 1 : end, end);
		count++;
	}
	return count;
}

static int compare_pairs(const void *a, const void *b, void *user)
{
	const struct query_pair *left = a;
	const struct query_pair *right = b;
	const char *text = user;
	int order = strcmp(text + left->name, text + right->name);

	return order != 0 ? order : strcmp(text + left->value, text + right->value);
}

static int append_canonical_query(struct buf *out, const char *query)
{
	struct query_pair *pairs;
	struct buf encoded;
	size_t count = 1;
	int err;

	if (!query || !*query)
		return 0;
	for (const char *byte = query; *byte; byte++)
		count += *byte == '&';
	if (count > QUERY_PAIRS_MAX)
		return ERR_LIMIT;
	pairs = calloc(count, sizeof *pairs);
	if (!pairs)
		return ERR_NOMEM;
	buf_init(&encoded, SIGV4_TEXT_MAX);
	count = split_query(query, &encoded, pairs);
	err = encoded.failed;
	if (!err && count > 0) {
		qsort_r(pairs, count, sizeof *pairs, compare_pairs, encoded.data);
		for (size_t i = 0; i < count; i++)
			(void)buf_append_format(out, "%s%s=%s", i ? "&" : "", encoded.data + pairs[i].name,
				encoded.data + pairs[i].value);
	}
	buf_done(&encoded);
	free(pairs);
	return err;
}

/* ---- canonical headers -------------------------------------------------------------------- */

static unsigned char lower(char character)
{
	return (unsigned char)(character >= 'A' && character <= 'Z' ? character - 'A' + 'a' : character);
}

static int compare_names(const char *a, const char *b)
{
	while (*a && lower(*a) == lower(*b)) {
		a++;
		b++;
	}
	return lower(*a) - lower(*b);
}

static int compare_headers(const void *a, const void *b)
{
	const struct header *left = a;
	const struct header *right = b;
	int order = compare_names(left->name, right->name);

	if (order != 0)
		return order;
	return (left->order > right->order) - (left->order < right->order);
}

/* Left out: what proxies, HTTP libraries and load balancers change on the way (botocore's list), and
 * what sigv4_sign writes itself. */
static bool is_signable(const char *name)
{
	static const char *const unsignable[] = { "connection", "expect", "keep-alive", "proxy-authenticate",
		"proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade", "user-agent",
		"x-amzn-trace-id", "authorization", "x-amz-date", "x-amz-security-token",
		"x-amz-content-sha256" };

	for (size_t i = 0; i < sizeof unsignable / sizeof *unsignable; i++)
		if (compare_names(name, unsignable[i]) == 0)
			return false;
	return true;
}

/* The headers that will be signed, sorted. */
static size_t collect_headers(const struct sigv4_request *request, const struct sigv4_signature *signature,
	struct header *headers)
{
	size_t count = 0;

	for (size_t i = 0; i < request->header_count; i++)
		if (is_signable(request->headers[i].name))
			headers[count++] = (struct header){ request->headers[i].name, request->headers[i].value, i };
	headers[count++] = (struct header){ "x-amz-date", signature->date, 0 };
	if (request->session_token && !request->token_is_unsigned)
		headers[count++] = (struct header){ "x-amz-security-token", request->session_token, 0 };
	if (request->sign_body_header)
		headers[count++] = (struct header){ "x-amz-content-sha256", signature->payload_hash, 0 };
	qsort(headers, count, sizeof *headers, compare_headers);
	return count;
}

static bool is_space(char character)
{
	return character == ' ' || (character >= '\t' && character <= '\r');
}

/* Trimmed, every inner run of white space one space, inside quotes too. */
static void append_value(struct buf *out, const char *value)
{
	bool is_first = true;

	while (*value) {
		const char *end = value;

		while (*end && !is_space(*end))
			end++;
		if (end > value) {
			if (!is_first)
				(void)buf_append_char(out, ' ');
			(void)buf_append(out, value, (size_t)(end - value));
			is_first = false;
		}
		value = *end ? end + 1 : end;
	}
}

static bool is_repeated(const struct header *headers, size_t i)
{
	return i > 0 && compare_names(headers[i].name, headers[i - 1].name) == 0;
}

static void append_canonical_headers(struct buf *out, const struct header *headers, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (is_repeated(headers, i)) {
			(void)buf_append_char(out, ',');
		} else {
			if (i > 0)
				(void)buf_append_char(out, '\n');
			for (const char *name = headers[i].name; *name; name++)
				(void)buf_append_char(out, (char)lower(*name));
			(void)buf_append_char(out, ':');
		}
		append_value(out, headers[i].value);
	}
	(void)buf_append_char(out, '\n');
}

static void append_signed_names(struct buf *out, const struct header *headers, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (is_repeated(headers, i))
			continue;
		if (i > 0)
			(void)buf_append_char(out, ';');
		for (const char *name = headers[i].name; *name; name++)
			(void)buf_append_char(out, (char)lower(*name));
	}
}

/* ---- the four steps ----------------------------------------------------------------------- */

static int write_canonical_request(const struct sigv4_request *request, const struct header *headers, size_t count,
	struct sigv4_signature *signature)
{
	struct buf *out = &signature->canonical_request;
	int err;

	(void)buf_append_format(out, "%s\n", request->method);
	err = append_canonical_path(out, request);
	(void)buf_append_char(out, '\n');
	if (!err)
		err = append_canonical_query(out, request->query);
	(void)buf_append_char(out, '\n');
	append_canonical_headers(out, headers, count);
	(void)buf_append_char(out, '\n');
	append_signed_names(out, headers, count);
	(void)buf_append_format(out, "\n%s", signature->payload_hash);
	return err ? err : out->failed;
}

static int write_string_to_sign(const struct sigv4_request *request, struct sigv4_signature *signature)
{
	char hash[2 * SHA256_BYTES + 1];
	int err = sha256_hex(buf_text(&signature->canonical_request), signature->canonical_request.length_bytes, hash);

	if (err)
		return err;
	return buf_append_format(&signature->string_to_sign, ALGORITHM "\n%s\n%.*s/%s/%s/aws4_request\n%s",
		signature->date, DATE_LENGTH, signature->date, request->region, request->service, hash);
}

static int derive_key(const struct sigv4_request *request, const char *date, struct digest *ret_key)
{
	const char *const links[] = { request->region, request->service, "aws4_request" };
	struct buf secret;
	struct digest key;
	int err;

	buf_init(&secret, SIGV4_TEXT_MAX);
	(void)buf_append_text(&secret, "AWS4");
	err = buf_append_text(&secret, request->secret_access_key);
	if (!err)
		err = hmac(secret.data, secret.length_bytes, date, DATE_LENGTH, &key);
	for (size_t i = 0; !err && i < sizeof links / sizeof *links; i++)
		err = hmac(key.bytes, sizeof key.bytes, links[i], strlen(links[i]), &key);
	if (!err)
		*ret_key = key;
	OPENSSL_cleanse(&key, sizeof key);
	buf_done_secret(&secret);
	return err;
}

static int write_signature(const struct sigv4_request *request, struct sigv4_signature *signature)
{
	struct digest key;
	struct digest digest;
	int err = derive_key(request, signature->date, &key);

	if (err)
		return err;
	err = hmac(key.bytes, sizeof key.bytes, signature->string_to_sign.data,
		signature->string_to_sign.length_bytes, &digest);
	OPENSSL_cleanse(&key, sizeof key);
	if (!err)
		to_hex(&digest, signature->signature);
	return err;
}

static int write_authorization(const struct sigv4_request *request, const struct header *headers, size_t count,
	struct sigv4_signature *signature)
{
	struct buf *out = &signature->authorization;

	(void)buf_append_format(out, ALGORITHM " Credential=%s/%.*s/%s/%s/aws4_request, SignedHeaders=",
		request->access_key_id, DATE_LENGTH, signature->date, request->region, request->service);
	append_signed_names(out, headers, count);
	return buf_append_format(out, ", Signature=%s", signature->signature);
}

static int set_payload_hash(const struct sigv4_request *request, struct sigv4_signature *signature)
{
	size_t length;

	if (!request->payload_hash)
		return sha256_hex(request->payload, request->payload_bytes, signature->payload_hash);
	length = strlen(request->payload_hash);
	if (length >= sizeof signature->payload_hash)
		return ERR_LIMIT;
	memcpy(signature->payload_hash, request->payload_hash, length + 1);
	return 0;
}

int sigv4_sign(const struct sigv4_request *request, struct sigv4_signature *signature)
{
	struct header *headers;
	size_t count;
	int err;

	if (request->header_count > HEADERS_MAX)
		return ERR_LIMIT;
	headers = calloc(request->header_count + 3, sizeof *headers);
	if (!headers)
		return ERR_NOMEM;
	sigv4_signature_done(signature);
	wall_format_amz(request->instant, signature->date);
	err = set_payload_hash(request, signature);
	count = collect_headers(request, signature, headers);
	if (!err)
		err = write_canonical_request(request, headers, count, signature);
	if (!err)
		err = write_string_to_sign(request, signature);
	if (!err)
		err = write_signature(request, signature);
	if (!err)
		err = write_authorization(request, headers, count, signature);
	free(headers);
	return err;
}
