/* SPDX-License-Identifier: Apache-2.0 */
/* Signing a probe hands a session token and a signature that does not depend on the body to whoever
 * answers. Hence: only over https, only to hosts of the Lattice data plane or named in sign_host, and
 * never across a redirect (probe_attempt.c does not sign hops). VPC Lattice does not support signed
 * payloads: https://docs.aws.amazon.com/vpc-lattice/latest/ug/sigv4-authenticated-requests.html */
#include "lattice-probe/probe_sign.h"

#include <string.h>

#include "lattice-probe/credentials.h"
#include "lattice-probe/endpoint.h"
#include "lattice-probe/err.h"
#include "lattice-probe/probe.h"
#include "lattice-probe/sigv4.h"
#include "lattice-probe/target.h"
#include "lattice-probe/units.h"
#include "lattice-probe/url.h"

#define REGION_SIZE 64
#define SIGNED_HEADERS_MAX 64

static bool host_may_be_signed(const struct target *target, const struct url *url, char region[static REGION_SIZE])
{
	if (!url->is_tls)
		return false;
	if (endpoint_is_lattice_host(url->host, region))
		return true;
	for (size_t i = 0; i < target->sign_host_count; i++)
		if (strcmp(target->sign_hosts[i], url->host) == 0)
			return true;
	return false;
}

/* host, and every x-amz-* and content-type header that the target sends by itself. */
static size_t headers_to_sign(const struct target *target, const struct url *url,
	struct sigv4_header headers[static SIGNED_HEADERS_MAX])
{
	size_t count = 0;

	headers[count++] = (struct sigv4_header){ "host", url->authority };
	for (size_t i = 0; i < target->header_count && count < SIGNED_HEADERS_MAX; i++)
		if (strncasecmp(target->headers[i].name, "x-amz-", 6) == 0 ||
		    strcasecmp(target->headers[i].name, "content-type") == 0)
			headers[count++] = (struct sigv4_header){ target->headers[i].name,
				target->headers[i].value };
	return count;
}

static int add_header(struct target_header *headers, size_t *count, const char *name, const char *value)
{
	char *copy = strdup(value);
	char *name_copy = strdup(name);

	headers[*count] = (struct target_header){ .name = name_copy, .value = copy, .is_secret = true };
	(*count)++;
	return copy && name_copy ? 0 : ERR_NOMEM;
}

int probe_sign(const struct probe_context *context, const struct target *target, const struct url *url,
	struct target_header ret_headers[static PROBE_SIGN_HEADERS], size_t *ret_count, const char **ret_why)
{
	struct sigv4_header headers[SIGNED_HEADERS_MAX];
	struct sigv4_signature signature;
	char region[REGION_SIZE] = "";
	const struct credentials_set *set;
	int err;

	*ret_count = 0;
	if (!host_may_be_signed(target, url, region)) {
		*ret_why = "this host is not a Lattice service over https and not in sign_host";
		return ERR_DENIED;
	}
	*ret_why = "no credentials are configured for this command";
	set = context->credentials ? credentials_get(context->credentials, ret_why) : NULL;
	if (!set)
		return ERR_DENIED;
	if (!region[0] && !context->region[0]) {
		*ret_why = "the region is not known; set [cloudwatch] region";
		return ERR_DENIED;
	}
	sigv4_signature_init(&signature);
	err = sigv4_sign(&(struct sigv4_request){
		.method = target->method, .path = url->path, .query = url->query, .headers = headers,
		.header_count = headers_to_sign(target, url, headers), .payload_hash = "UNSIGNED-PAYLOAD",
		.access_key_id = set->access_key_id, .secret_access_key = set->secret_access_key,
		.session_token = set->session_token, .region = region[0] ? region : context->region,
		.service = "vpc-lattice-svcs", .normalize_path = true, .sign_body_header = true,
		.instant = wall_add(wall_now(), context->skew_us) }, &signature);
	if (!err)
		err = add_header(ret_headers, ret_count, "Authorization", buf_text(&signature.authorization));
	if (!err)
		err = add_header(ret_headers, ret_count, "X-Amz-Date", signature.date);
	if (!err)
		err = add_header(ret_headers, ret_count, "X-Amz-Content-Sha256", signature.payload_hash);
	if (!err && set->session_token)
		err = add_header(ret_headers, ret_count, "X-Amz-Security-Token", set->session_token);
	sigv4_signature_done(&signature);
	return err;
}
