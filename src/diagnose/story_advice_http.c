/* SPDX-License-Identifier: Apache-2.0 */
/* Advice on TLS and HTTP. Sources: VPC Lattice User Guide (HTTPS listeners, TLS listeners, custom domain
 * names, auth policies, access logs, quotas). What concerns listeners, rules and targets only the owner of
 * the service can see and mend. */
#include "lattice-probe/story.h"

#include "story_advice_internal.h"

#define SHOW_CERTIFICATE \
	"openssl s_client -connect {ADDRESS_AND_PORT} -servername {HOST} </dev/null | openssl x509 -noout -subject " \
	"-issuer -dates -ext subjectAltName"
#define SHOW_HANDSHAKE "openssl s_client -connect {ADDRESS_AND_PORT} -servername {HOST} </dev/null"
#define LIST_LISTENERS "aws vpc-lattice list-listeners --service-identifier {SERVICE_ID}"
#define LIST_SERVICES \
	"aws vpc-lattice list-service-network-service-associations --service-network-identifier " \
	"{SERVICE_NETWORK_ID} --query 'items[].[serviceName,customDomainName,dnsEntry.domainName,status]' " \
	"--output table"
#define LIST_TARGETS "aws vpc-lattice list-targets --target-group-identifier TARGET_GROUP_ID"
#define TRY_REQUEST "curl -v {URL}"
#define STATEMENT \
	"{\"Effect\": \"Allow\", \"Principal\": {\"AWS\": \"ROLE_ARN\"}, \"Action\": \"vpc-lattice-svcs:Invoke\", " \
	"\"Resource\": \"*\"}"

static const struct evidence_exchange *main_of(const struct evidence *evidence)
{
	const struct evidence_path *path = evidence_preferred_path(evidence);

	return path ? &path->exchanges[EXCHANGE_MAIN] : NULL;
}

static bool is_custom(const struct evidence *evidence)
{
	return evidence->target.name == EVIDENCE_NAME_CUSTOM;
}

static bool is_expired(const struct evidence *evidence)
{
	const struct evidence_exchange *exchange = main_of(evidence);

	return exchange && exchange->certificate_days < 0 && exchange->certificate_days != CERTIFICATE_DAYS_NONE;
}

static bool is_signed(const struct evidence *evidence)
{
	return evidence->target.is_signed;
}

static bool is_unsigned(const struct evidence *evidence)
{
	return !evidence->target.is_signed;
}

/* Which policy said no; where that is not said, each may have. */
static bool is_denied_by(const struct evidence *evidence, char first)
{
	const struct evidence_exchange *exchange = main_of(evidence);

	return !exchange || !exchange->denied_by[0] || exchange->denied_by[0] == first;
}

static bool is_denied_by_identity(const struct evidence *evidence)
{
	return is_denied_by(evidence, 'i') && evidence->target.is_signed;
}

static bool is_denied_by_service(const struct evidence *evidence)
{
	return is_denied_by(evidence, 's');
}

static bool is_denied_by_network(const struct evidence *evidence)
{
	return is_denied_by(evidence, 'n');
}

static bool is_denied_explicitly(const struct evidence *evidence)
{
	const struct evidence_exchange *exchange = main_of(evidence);

	return exchange && exchange->is_explicit_deny;
}

/* ---- TLS --------------------------------------------------------------------------------------- */

static const struct story_advice_row tls_on_http_port[] = {
	{ "If the listener is meant to be plain: write http:// in the URL, with port {PORT}.", NULL, NULL },
	{ "If it is meant to be HTTPS: its owner adds an HTTPS listener under VPC console → PrivateLink and Lattice → "
	  "Services → the service → Routing → Add listener.", LIST_LISTENERS, NULL },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row tls_unknown_name[] = {
	{ "VPC Lattice's own certificate covers generated names only. A custom domain needs one of its own from ACM in "
	  "the service's Region: its owner sets it on the service (VPC console → PrivateLink and Lattice → "
	  "Services).",
	  "aws vpc-lattice update-service --service-identifier {SERVICE_ID} --certificate-arn CERTIFICATE_ARN",
	  is_custom },
	{ "Until then the generated name works: use {GENERATED_NAME} in the URL.", NULL, is_custom },
	{ "See whether the name in the URL is the service's custom domain or generated name, letter by letter.",
	  LIST_SERVICES, NULL },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row tls_name_mismatch[] = {
	{ "See which names the certificate has.", SHOW_CERTIFICATE, NULL },
	{ "Use one of them in the URL, or let the owner set a certificate that covers {HOST}.", NULL, NULL },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row tls_expired[] = {
	{ "See its dates.", SHOW_CERTIFICATE, NULL },
	{ "Renew it: for a certificate of ACM see ACM console → Certificates → Renewal status (DNS validation needs "
	  "its CNAME records); for TLS passthrough renew it on the targets.", NULL, is_expired },
	{ "If its dates are fine, this host's clock is wrong.", "date -u", NULL },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row tls_untrusted[] = {
	{ "See who issued it.", SHOW_CERTIFICATE, NULL },
	{ "A certificate of VPC Lattice or ACM: bring this host's CA certificates up to date (package "
	  "ca-certificates).", NULL, NULL },
	{ "A private authority: write tls_ca = FILE with its certificate in the probe's section, and install it on "
	  "the hosts of the clients.", NULL, NULL },
	{ "An issuer that you do not know: something on the way opens TLS. Find out what before you trust it.", NULL,
	  NULL },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row tls_silent[] = {
	{ "Try the handshake by hand.", SHOW_HANDSHAKE, NULL },
	{ "With a TLS passthrough listener the targets answer it: its owner checks that they are healthy and speak "
	  "TLS.", LIST_TARGETS, NULL },
	{ "See whether large packets pass: a certificate chain is often the first large answer.",
	  "tracepath -n {ADDRESS}", NULL },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row tls_failed[] = {
	{ "Try the handshake by hand and read the alert.", SHOW_HANDSHAKE, NULL },
	{ "VPC Lattice takes TLS 1.2 and 1.3 with RSA certificates, and always needs the name (SNI). See whether this "
	  "host's OpenSSL policy forbids what it offers.", "openssl ciphers -v -s", NULL },
	{ NULL, NULL, NULL }
};

/* ---- HTTP -------------------------------------------------------------------------------------- */

static const struct story_advice_row http_on_tls_port[] = {
	{ "Write https:// in the URL, with port {PORT}.", NULL, NULL },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row auth_denied[] = {
	{ "If the policy is meant for signed callers: set auth = sigv4 in the probe's section. The request was "
	  "anonymous.", NULL, is_unsigned },
	{ "An explicit Deny outweighs every Allow: narrow that statement, for example its condition.", NULL,
	  is_denied_explicitly },
	{ "Let the caller's own role invoke the service: IAM console → Roles → the role → Add permissions → Create "
	  "inline policy. The command replaces an inline policy of the same name.",
	  "aws iam put-role-policy --role-name ROLE_NAME --policy-name invoke-SERVICE_NAME --policy-document "
	  "'{\"Version\": \"2012-10-17\", \"Statement\": [{\"Effect\": \"Allow\", \"Action\": "
	  "\"vpc-lattice-svcs:Invoke\", \"Resource\": \"SERVICE_ARN/*\"}]}'", is_denied_by_identity },
	{ "Let the service's auth policy allow it: VPC console → PrivateLink and Lattice → Services → the service → "
	  "Access → Edit access settings. Add to its statements: " STATEMENT,
	  "aws vpc-lattice get-auth-policy --resource-identifier {SERVICE_ID}", is_denied_by_service },
	{ "Let the service network's auth policy allow it: VPC console → PrivateLink and Lattice → Service networks → "
	  "the network → Access → Edit access settings. Add to its statements: " STATEMENT,
	  "aws vpc-lattice get-auth-policy --resource-identifier {SERVICE_NETWORK_ID}", is_denied_by_network },
	{ "All three must allow: the caller's role, the service network and the service. Auth type AWS_IAM without a "
	  "policy denies everything. A change takes some minutes to work.", NULL, NULL },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row auth_signature[] = {
	{ "See whether this host's clock is right; a signature is refused when it is off by minutes.",
	  "date -u; chronyc tracking", NULL },
	{ "See whether the credentials are valid.", "aws sts get-caller-identity", NULL },
	{ "If the service wants no signature: set auth = none. A request that is signed is always checked.", NULL,
	  is_signed },
	{ "A proxy or mesh between that changes Host or signed headers breaks every signature.", NULL, NULL },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row lattice_no_route[] = {
	{ "See whether the service is in the service network of this VPC: VPC console → PrivateLink and Lattice → "
	  "Service networks → the network → Service associations.", LIST_SERVICES, NULL },
	{ "Its owner sees the rules under Services → the service → Routing: none matches this path, method or header, "
	  "and the default action is a fixed 404.", LIST_LISTENERS, NULL },
	{ "If the application itself answers 404: expect_header in the probe's section with a header that only it sends "
	  "tells the two apart.", TRY_REQUEST, NULL },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row target_unavailable[] = {
	{ "Its owner looks at the targets: VPC console → PrivateLink and Lattice → Target groups → the group → "
	  "Targets. They must be registered and healthy.", LIST_TARGETS, NULL },
	{ "The targets' security group must let VPC Lattice's prefix list in on the target port and the health check's "
	  "port.", "aws ec2 describe-managed-prefix-lists --filters "
	  "Name=prefix-list-name,Values=com.amazonaws.{REGION}.vpc-lattice", NULL },
	{ "The service's access log has failureReason, for example TargetConnectionError; the namespace AWS/VpcLattice "
	  "in CloudWatch has ConnectionErrorCount and RequestTimeoutCount.", NULL, NULL },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row app_forbidden[] = {
	{ "Look into the application's log: it refused, not VPC Lattice. It may miss a header, a token or a client "
	  "address that it knows.", TRY_REQUEST, NULL },
	{ "If that is how a healthy application answers such a request, say so in the probe's section: "
	  "expect_status = 403.", NULL, NULL },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row app_status[] = {
	{ "Look into the application's log; the request arrives there.", TRY_REQUEST, NULL },
	{ "If the answer is as it should be, correct expect_status, expect_header or expect_body in the probe's "
	  "section.", NULL, NULL },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row response_timeout[] = {
	{ "Its owner looks at the targets: RequestTime and RequestTimeoutCount in the namespace AWS/VpcLattice of "
	  "CloudWatch, and the application's own log.", LIST_TARGETS, NULL },
	{ "If the application is slow but well, raise timeout in the probe's section.", TRY_REQUEST, NULL },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row response_stalled[] = {
	{ "See how far the body comes.", TRY_REQUEST, NULL },
	{ "If it always stops after about the same amount: large packets are lost. Try a smaller MTU.",
	  "tracepath -n {ADDRESS}", NULL },
	{ "Else the target stops in the middle: see the application's log, and TargetDataTimeout in the service's "
	  "access log.", NULL, NULL },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row response_reset[] = {
	{ "See whether the target breaks off: the application's log, and TargetConnectionClosed in the service's access "
	  "log.", TRY_REQUEST, NULL },
	{ "VPC Lattice itself closes a connection that is idle for its idle timeout (60 s unless set) or older than "
	  "10 minutes.", NULL, NULL },
	{ NULL, NULL, NULL }
};

static const struct story_advice_row response_not_http[] = {
	{ "See what comes back. Perhaps the port is another protocol's; VPC Lattice passes TLS and TCP on unread with "
	  "TLS passthrough and resource configurations.", TRY_REQUEST, NULL },
	{ NULL, NULL, NULL }
};

const struct story_advice story_advice_http[DIAGNOSIS_COUNT] = {
	[DIAGNOSIS_TLS_ON_HTTP_PORT] = { tls_on_http_port, { "the port answers plain HTTP.", LIST_LISTENERS, NULL } },
	[DIAGNOSIS_TLS_UNKNOWN_NAME] = { tls_unknown_name, { "the generated name works at the same address.",
		SHOW_HANDSHAKE, NULL } },
	[DIAGNOSIS_TLS_NAME_MISMATCH] = { tls_name_mismatch, { "the certificate has other names.", SHOW_CERTIFICATE,
		NULL } },
	[DIAGNOSIS_TLS_EXPIRED] = { tls_expired, { "the dates of the certificate are past.", SHOW_CERTIFICATE, NULL } },
	[DIAGNOSIS_TLS_UNTRUSTED] = { tls_untrusted, { "the certificate's issuer is not known here.", SHOW_CERTIFICATE, NULL } },
	[DIAGNOSIS_TLS_SILENT] = { tls_silent, { "the handshake hangs.", SHOW_HANDSHAKE, NULL } },
	[DIAGNOSIS_TLS_FAILED] = { tls_failed, { "the handshake ends with an alert.", SHOW_HANDSHAKE, NULL } },
	[DIAGNOSIS_HTTP_ON_TLS_PORT] = { http_on_tls_port, { "the port answers TLS.", SHOW_HANDSHAKE, NULL } },
	[DIAGNOSIS_AUTH_DENIED] = { auth_denied, { "the response names vpc-lattice-svcs:Invoke.", TRY_REQUEST, NULL } },
	[DIAGNOSIS_AUTH_SIGNATURE] = { auth_signature, { "the response complains of the signature or the time.",
		"date -u; chronyc tracking", NULL } },
	[DIAGNOSIS_LATTICE_NO_ROUTE] = { lattice_no_route, { "the service is not listed, or no rule matches.",
		LIST_SERVICES, NULL } },
	[DIAGNOSIS_TARGET_UNAVAILABLE] = { target_unavailable, { "the targets are not healthy.", LIST_TARGETS, NULL } },
	[DIAGNOSIS_APP_FORBIDDEN] = { app_forbidden, { "the application's log has the request.", TRY_REQUEST, NULL } },
	[DIAGNOSIS_APP_STATUS] = { app_status, { "the application's log has the request.", TRY_REQUEST, NULL } },
	[DIAGNOSIS_RESPONSE_TIMEOUT] = { response_timeout, { "it answers when given more time.", TRY_REQUEST, NULL } },
	[DIAGNOSIS_RESPONSE_STALLED] = { response_stalled, { "the body stops in the middle.", TRY_REQUEST, NULL } },
	[DIAGNOSIS_RESPONSE_RESET] = { response_reset, { "the connection breaks in the middle.", TRY_REQUEST, NULL } },
	[DIAGNOSIS_RESPONSE_NOT_HTTP] = { response_not_http, { "what comes back is not HTTP.", TRY_REQUEST, NULL } },
};
