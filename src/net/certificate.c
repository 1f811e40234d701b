/* SPDX-License-Identifier: Apache-2.0 */
#include "net_internal.h"

#include <time.h>

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "lattice-probe/units.h"

/* RFC 2253 text; control characters and everything beyond ASCII come escaped. */
static void copy_name(const X509_NAME *name, char *ret_text, size_t size)
{
	BIO *memory = BIO_new(BIO_s_mem());
	int length = 0;

	if (memory && X509_NAME_print_ex(memory, name, 0, XN_FLAG_RFC2253) >= 0)
		length = BIO_read(memory, ret_text, (int)size - 1);
	ret_text[length > 0 ? length : 0] = '\0';
	BIO_free(memory);
}

static int32_t floor_days(int64_t duration_us)
{
	int64_t days = duration_us / US_PER_DAY;

	return (int32_t)(duration_us % US_PER_DAY < 0 ? days - 1 : days);
}

static bool is_for_host(X509 *leaf, const struct url *url)
{
	if (url->is_literal)
		return X509_check_ip_asc(leaf, url->host, 0) == 1;
	return X509_check_host(leaf, url->host, 0, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1;
}

void certificate_capture(X509 *leaf, const struct url *url, struct wall now, struct http_reply *reply)
{
	struct tm not_after = { 0 };

	/* A notAfter that cannot be read leaves no number to publish. */
	if (ASN1_TIME_to_tm(X509_get0_notAfter(leaf), &not_after) == 1) {
		reply->has_certificate = true;
		reply->certificate_not_after = (struct wall){ (int64_t)timegm(&not_after) * US_PER_S };
		reply->certificate_days = floor_days(wall_since(reply->certificate_not_after, now));
	}
	copy_name(X509_get_subject_name(leaf), reply->certificate_subject, sizeof reply->certificate_subject);
	copy_name(X509_get_issuer_name(leaf), reply->certificate_issuer, sizeof reply->certificate_issuer);
	reply->name_mismatch = !is_for_host(leaf, url);
	ERR_clear_error();
}
