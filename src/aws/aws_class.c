/* SPDX-License-Identifier: Apache-2.0 */
/* Codes come with and without "Exception" at the end, by protocol and by service; the table has them
 * without. A code says more than the status: JSON services answer 400 for nearly everything. From
 * CloudWatch's "Common errors" and PutMetricData's own, and botocore's lists of transient and throttling
 * codes (retries/standard.py). */
#include "aws_internal.h"

#include <assert.h>
#include <string.h>

#include "lattice-probe/aws_call.h"

static const struct {
	const char *code;
	enum aws_class class_;
} codes[] = {
	{ "Throttling", AWS_CLASS_THROTTLED },
	{ "Throttled", AWS_CLASS_THROTTLED },
	{ "RequestThrottled", AWS_CLASS_THROTTLED },
	{ "RequestThrottling", AWS_CLASS_THROTTLED },
	{ "TooManyRequests", AWS_CLASS_THROTTLED },
	{ "RequestLimitExceeded", AWS_CLASS_THROTTLED },
	{ "BandwidthLimitExceeded", AWS_CLASS_THROTTLED },
	{ "LimitExceeded", AWS_CLASS_THROTTLED },
	{ "SlowDown", AWS_CLASS_THROTTLED },
	{ "PriorRequestNotComplete", AWS_CLASS_THROTTLED },
	{ "ProvisionedThroughputExceeded", AWS_CLASS_THROTTLED },
	{ "TransactionInProgress", AWS_CLASS_THROTTLED },
	{ "EC2Throttled", AWS_CLASS_THROTTLED },

	{ "RequestTimeout", AWS_CLASS_SERVER },
	{ "InternalFailure", AWS_CLASS_SERVER },
	{ "InternalService", AWS_CLASS_SERVER },
	{ "InternalServiceError", AWS_CLASS_SERVER },
	{ "InternalServiceFault", AWS_CLASS_SERVER },
	{ "InternalServerError", AWS_CLASS_SERVER },
	{ "InternalError", AWS_CLASS_SERVER },
	{ "ServiceUnavailable", AWS_CLASS_SERVER },
	{ "IDPCommunicationError", AWS_CLASS_SERVER }, /* STS could not ask the identity provider */

	{ "RequestEntityTooLarge", AWS_CLASS_TOO_LARGE },

	{ "AccessDenied", AWS_CLASS_DENIED },
	{ "UnauthorizedOperation", AWS_CLASS_DENIED },
	{ "NotAuthorized", AWS_CLASS_DENIED },
	{ "OptInRequired", AWS_CLASS_DENIED },
	{ "SubscriptionRequired", AWS_CLASS_DENIED },
	{ "MissingAuthenticationToken", AWS_CLASS_DENIED },
	{ "IncompleteSignature", AWS_CLASS_DENIED },
	{ "SignatureDoesNotMatch", AWS_CLASS_DENIED }, /* or the clock: aws_class_refine */
	{ "InvalidSignature", AWS_CLASS_DENIED },
	{ "AuthFailure", AWS_CLASS_DENIED },
	{ "InvalidIdentityToken", AWS_CLASS_DENIED },
	{ "IDPRejectedClaim", AWS_CLASS_DENIED },
	{ "RegionDisabled", AWS_CLASS_DENIED },
	{ "UnknownOperation", AWS_CLASS_DENIED }, /* the wrong endpoint: no datum is to blame */
	{ "InvalidAction", AWS_CLASS_DENIED },

	{ "ExpiredToken", AWS_CLASS_EXPIRED },
	{ "UnrecognizedClient", AWS_CLASS_EXPIRED },
	{ "InvalidClientTokenId", AWS_CLASS_EXPIRED }, /* UnrecognizedClient, in the query protocol */

	{ "RequestExpired", AWS_CLASS_SKEWED },
	{ "RequestInTheFuture", AWS_CLASS_SKEWED },
	{ "RequestTimeTooSkewed", AWS_CLASS_SKEWED },
};

static bool is_code(const char *code, const char *name)
{
	size_t length = strlen(name);

	return strncmp(code, name, length) == 0 &&
	       (code[length] == '\0' || strcmp(code + length, "Exception") == 0);
}

/* Without a code we know, by the status alone. Only a 400 that says what is wrong blames the content:
 * one without a code comes from something in between, and bisecting would not help. */
static enum aws_class class_of_status(int status, const char *code)
{
	if (status >= 200 && status <= 299)
		return AWS_CLASS_OK;
	if (status == 429)
		return AWS_CLASS_THROTTLED;
	if (status == 413)
		return AWS_CLASS_TOO_LARGE;
	if (status == 401 || status == 403)
		return AWS_CLASS_DENIED;
	if (status == 400 && code[0] != '\0')
		return AWS_CLASS_INVALID;
	return AWS_CLASS_SERVER;
}

enum aws_class aws_class_of(int status, const char *code)
{
	if (status >= 200 && status <= 299)
		return AWS_CLASS_OK;
	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
		if (is_code(code, codes[i].code))
			return codes[i].class_;
	return class_of_status(status, code);
}

enum aws_class aws_class_refine(enum aws_class class_, const char *code, const char *message, int64_t skew_change_us)
{
	static const char *const texts[] = { "Signature expired", "Signature not yet current",
		"Date in Credential scope does not match" };
	bool is_signature = is_code(code, "SignatureDoesNotMatch") || is_code(code, "InvalidSignature") ||
			    is_code(code, "AuthFailure");

	if (class_ != AWS_CLASS_DENIED || !is_signature)
		return class_;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		if (strstr(message, texts[i]))
			return AWS_CLASS_SKEWED;
	if (skew_change_us >= AWS_SKEW_REFUSED_US || skew_change_us <= -AWS_SKEW_REFUSED_US)
		return AWS_CLASS_SKEWED;
	return class_;
}

const char *aws_class_name(enum aws_class class_)
{
	switch (class_) {
	case AWS_CLASS_OK: return "ok";
	case AWS_CLASS_THROTTLED: return "throttled";
	case AWS_CLASS_SERVER: return "server";
	case AWS_CLASS_TIMEOUT: return "timeout";
	case AWS_CLASS_IN_DOUBT: return "in_doubt";
	case AWS_CLASS_INVALID: return "invalid";
	case AWS_CLASS_TOO_LARGE: return "too_large";
	case AWS_CLASS_DENIED: return "denied";
	case AWS_CLASS_EXPIRED: return "expired";
	case AWS_CLASS_SKEWED: return "skewed";
	case AWS_CLASS_TLS: return "tls";
	case AWS_CLASS_UNREACHABLE: return "unreachable";
	case AWS_CLASS_LOCAL: return "local";
	}
	assert(!"a class without a name");
	return "none";
}
