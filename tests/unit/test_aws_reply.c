/* SPDX-License-Identifier: Apache-2.0 */
/* The pure half of the AWS calls: what a reply says, and what kind of end it was. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>

#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lattice-probe/aws_call.h"
#include "lattice-probe/aws_reply.h"
#include "lattice-probe/buf.h"
#include "lattice-probe/err.h"
#include "lattice-probe/xml.h"

#define COUNT(array) (sizeof (array) / sizeof *(array))

/* ---- classification ----------------------------------------------------------------------- */

static const struct {
	int status;
	const char *code;
	enum aws_class class_;
} rows[] = {
	/* success, whatever the body */
	{ 200, "", AWS_CLASS_OK }, { 204, "", AWS_CLASS_OK }, { 200, "ThrottlingException", AWS_CLASS_OK },
	/* the content */
	{ 400, "InvalidParameterValue", AWS_CLASS_INVALID },
	{ 400, "InvalidParameterValueException", AWS_CLASS_INVALID },
	{ 400, "MissingParameter", AWS_CLASS_INVALID },
	{ 400, "MissingRequiredParameterException", AWS_CLASS_INVALID },
	{ 400, "InvalidParameterCombination", AWS_CLASS_INVALID },
	{ 400, "ValidationError", AWS_CLASS_INVALID },
	{ 400, "MalformedHttpRequestException", AWS_CLASS_INVALID },
	{ 400, "SerializationException", AWS_CLASS_INVALID },
	{ 400, "SomethingNew", AWS_CLASS_INVALID },
	{ 413, "RequestEntityTooLarge", AWS_CLASS_TOO_LARGE },
	{ 413, "", AWS_CLASS_TOO_LARGE },
	/* throttling comes as 400 too */
	{ 400, "ThrottlingException", AWS_CLASS_THROTTLED }, { 400, "Throttling", AWS_CLASS_THROTTLED },
	{ 400, "ThrottledException", AWS_CLASS_THROTTLED }, { 400, "RequestThrottled", AWS_CLASS_THROTTLED },
	{ 400, "RequestThrottledException", AWS_CLASS_THROTTLED },
	{ 400, "TooManyRequestsException", AWS_CLASS_THROTTLED },
	{ 400, "RequestLimitExceeded", AWS_CLASS_THROTTLED },
	{ 400, "BandwidthLimitExceeded", AWS_CLASS_THROTTLED },
	{ 400, "LimitExceededException", AWS_CLASS_THROTTLED },
	{ 400, "EC2ThrottledException", AWS_CLASS_THROTTLED }, { 503, "SlowDown", AWS_CLASS_THROTTLED },
	{ 400, "PriorRequestNotComplete", AWS_CLASS_THROTTLED }, { 429, "", AWS_CLASS_THROTTLED },
	{ 429, "Whatever", AWS_CLASS_THROTTLED },
	/* permission */
	{ 403, "AccessDenied", AWS_CLASS_DENIED }, { 400, "AccessDeniedException", AWS_CLASS_DENIED },
	{ 403, "IncompleteSignature", AWS_CLASS_DENIED }, { 403, "OptInRequired", AWS_CLASS_DENIED },
	{ 403, "MissingAuthenticationToken", AWS_CLASS_DENIED }, { 403, "", AWS_CLASS_DENIED },
	{ 401, "", AWS_CLASS_DENIED }, { 403, "SomethingNew", AWS_CLASS_DENIED },
	{ 403, "SignatureDoesNotMatch", AWS_CLASS_DENIED },
	{ 404, "UnknownOperationException", AWS_CLASS_DENIED }, { 400, "InvalidAction", AWS_CLASS_DENIED },
	{ 400, "InvalidIdentityToken", AWS_CLASS_DENIED },
	/* credentials that have had their time */
	{ 403, "ExpiredToken", AWS_CLASS_EXPIRED }, { 400, "ExpiredTokenException", AWS_CLASS_EXPIRED },
	{ 403, "UnrecognizedClient", AWS_CLASS_EXPIRED }, { 400, "UnrecognizedClientException", AWS_CLASS_EXPIRED },
	{ 403, "InvalidClientTokenId", AWS_CLASS_EXPIRED },
	/* the clock */
	{ 403, "RequestTimeTooSkewed", AWS_CLASS_SKEWED }, { 403, "RequestExpired", AWS_CLASS_SKEWED },
	{ 400, "RequestInTheFuture", AWS_CLASS_SKEWED },
	/* their trouble */
	{ 500, "", AWS_CLASS_SERVER }, { 502, "", AWS_CLASS_SERVER }, { 503, "", AWS_CLASS_SERVER },
	{ 504, "", AWS_CLASS_SERVER }, { 500, "InternalFailure", AWS_CLASS_SERVER },
	{ 500, "InternalServiceError", AWS_CLASS_SERVER }, { 503, "ServiceUnavailable", AWS_CLASS_SERVER },
	{ 408, "", AWS_CLASS_SERVER }, { 408, "RequestTimeout", AWS_CLASS_SERVER },
	{ 400, "RequestTimeoutException", AWS_CLASS_SERVER },
	{ 400, "IDPCommunicationError", AWS_CLASS_SERVER },
	/* something that is no AWS service in between: nobody's datum is to blame */
	{ 400, "", AWS_CLASS_SERVER }, { 404, "", AWS_CLASS_SERVER }, { 302, "", AWS_CLASS_SERVER },
	{ 418, "Teapot", AWS_CLASS_SERVER },
};

static void every_row_of_the_table_has_its_class(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		enum aws_class class_ = aws_class_of(rows[i].status, rows[i].code);

		if (class_ != rows[i].class_)
			fail_msg("%d %s is %s, not %s", rows[i].status, rows[i].code, aws_class_name(class_),
				aws_class_name(rows[i].class_));
	}
}

static void a_code_that_only_begins_like_one_is_another(void **state)
{
	(void)state;
	assert_int_equal(aws_class_of(400, "ThrottlingXException"), AWS_CLASS_INVALID);
	assert_int_equal(aws_class_of(400, "Throttl"), AWS_CLASS_INVALID);
	assert_int_equal(aws_class_of(400, "AccessDeniedExceptionX"), AWS_CLASS_INVALID);
}

static void a_signature_refused_for_its_time_is_told_from_a_wrong_one(void **state)
{
	const enum aws_class denied = AWS_CLASS_DENIED;

	(void)state;
	assert_int_equal(aws_class_refine(denied, "SignatureDoesNotMatch",
		"Signature expired: 20150830T123600Z is now earlier than 20150830T124600Z", 0), AWS_CLASS_SKEWED);
	assert_int_equal(aws_class_refine(denied, "InvalidSignatureException", "Signature not yet current: x", 0),
		AWS_CLASS_SKEWED);
	assert_int_equal(aws_class_refine(denied, "SignatureDoesNotMatch", "", 300 * US_PER_S), AWS_CLASS_SKEWED);
	assert_int_equal(aws_class_refine(denied, "AuthFailure", "", -300 * US_PER_S), AWS_CLASS_SKEWED);
	assert_int_equal(aws_class_refine(denied, "SignatureDoesNotMatch", "", 299 * US_PER_S), denied);
	assert_int_equal(aws_class_refine(denied, "SignatureDoesNotMatch", "Check your AWS Secret Access Key", 0), denied);
	assert_int_equal(aws_class_refine(denied, "AccessDenied", "Signature expired", 900 * US_PER_S), denied);
	assert_int_equal(aws_class_refine(AWS_CLASS_THROTTLED, "SignatureDoesNotMatch", "Signature expired", 0),
		AWS_CLASS_THROTTLED);
}

static void every_class_has_a_name_of_its_own(void **state)
{
	(void)state;
	for (int a = AWS_CLASS_OK; a <= AWS_CLASS_LOCAL; a++)
		for (int b = AWS_CLASS_OK; b < a; b++)
			assert_string_not_equal(aws_class_name((enum aws_class)a), aws_class_name((enum aws_class)b));
}

/* ---- codes and messages ------------------------------------------------------------------- */

static const struct {
	const char *header;
	const char *body;
	const char *code;
	const char *message;
} errors[] = {
	{ NULL, "{\"__type\":\"com.amazonaws.cloudwatch#InvalidParameterValueException\",\"message\":\"bad\"}",
		"InvalidParameterValueException", "bad" },
	{ "InvalidParameterValue;Sender", "{\"__type\":\"x#Other\",\"Message\":\"bad\"}", "InvalidParameterValue", "bad" },
	{ "ThrottlingException:http://internal.amazon.com/coral/", "", "ThrottlingException", "" },
	{ NULL, "{\"__type\":\"ThrottlingException\"}", "ThrottlingException", "" },
	{ NULL, "{\"code\":\"AccessDenied\",\"errorMessage\":\"no\"}", "AccessDenied", "no" },
	{ NULL, "<?xml version=\"1.0\"?>\n<ErrorResponse xmlns=\"https://x/\"><Error><Type>Sender</Type>"
		"<Code>ExpiredToken</Code><Message>it &lt;was&gt; &amp; is</Message></Error>"
		"<RequestId>1</RequestId></ErrorResponse>", "ExpiredToken", "it <was> & is" },
	{ NULL, "<?xml version=\"1.0\"?>\n<Response><Errors><Error><Code>UnauthorizedOperation</Code>"
		"<Message>You may not, 123456789012.</Message></Error></Errors><RequestID>1</RequestID></Response>",
		"UnauthorizedOperation", "You may not, ***." },
	{ NULL, "<html><body>400 Bad Request</body></html>", "", "" },
	{ NULL, "", "", "" }, { NULL, "Bad Gateway", "", "" }, { NULL, "{", "", "" }, { NULL, "{}", "", "" },
	{ NULL, "{\"__type\":7,\"message\":[]}", "", "" }, { NULL, "[\"__type\"]", "", "" },
	{ NULL, "{\"__type\":\"two words\",\"message\":\"m\"}", "", "m" },
	{ NULL, "{\"__type\":\"<script>\"}", "", "" }, { "", "", "", "" }, { ";", "", "", "" },
	{ NULL, "{\"message\":\"first line\\nPOST\\n/\\nx-amz-security-token:SECRET\"}", "", "first line" },
	{ NULL, "{\"message\":\"tab\\tand \\u00e9\"}", "", "tab?and ??" },
};

static void code_and_message_are_found_in_each_form(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(errors); i++) {
		struct aws_reply_error error;

		aws_reply_read_error(errors[i].header, errors[i].body, strlen(errors[i].body), &error);
		assert_string_equal(error.code, errors[i].code);
		assert_string_equal(error.message, errors[i].message);
	}
}

static void a_code_too_long_for_one_is_none(void **state)
{
	struct aws_reply_error error;
	char header[AWS_REPLY_CODE_SIZE + 1];

	(void)state;
	memset(header, 'A', sizeof header - 1);
	header[sizeof header - 1] = '\0';
	aws_reply_read_error(header, "", 0, &error);
	assert_string_equal(error.code, "");
	header[AWS_REPLY_CODE_SIZE - 1] = '\0';
	aws_reply_read_error(header, "", 0, &error);
	assert_int_equal(strlen(error.code), AWS_REPLY_CODE_SIZE - 1);
}

static const struct {
	const char *text;
	const char *masked;
} masks[] = {
	{ "User: arn:aws:sts::123456789012:assumed-role/probe/i-0123456789abcdef0 is not authorized to perform: "
		"cloudwatch:PutMetricData", "User: arn:aws:sts::***:assumed-role/probe/i-0123456789abcdef0 is not "
		"authorized to perform: cloudwatch:PutMetricData" },
	{ "account 123456789012", "account ***" }, { "https://sqs/123456789012/queue", "https://sqs/***/queue" },
	{ "1234567890123 and 12345678901", "1234567890123 and 12345678901" },
	{ "key AKIAIOSFODNN7EXAMPLE, role AROAIOSFODNN7EXAMPLE:me", "key ***, role ***:me" },
	{ "AKIASHORT", "AKIASHORT" }, { "XAKIAIOSFODNN7EXAMPLE", "XAKIAIOSFODNN7EXAMPLE" },
	{ "token AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeoIYRq=",
		"token ***" },
	{ "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "***" },
	{ "line\r\nsecond", "line" }, { "", "" }, { "\x1b[31mred", "?[31mred" },
};

static void what_identifies_or_authorises_is_masked(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(masks); i++) {
		char text[AWS_REPLY_MESSAGE_SIZE];

		aws_reply_mask(masks[i].text, text, sizeof text);
		assert_string_equal(text, masks[i].masked);
	}
}

static void a_long_message_is_cut_and_never_shows_half_a_secret(void **state)
{
	char text[300];
	char masked[32];

	(void)state;
	for (size_t before = 0; before < 40; before++) {
		memset(text, ' ', sizeof text);
		memcpy(text + before, "123456789012", 12);
		text[sizeof text - 1] = '\0';
		memset(masked, 'x', sizeof masked);
		aws_reply_mask(text, masked, sizeof masked);
		assert_true(strlen(masked) < sizeof masked);
		assert_null(strpbrk(masked, "0123456789"));
	}
}

/* ---- xml ---------------------------------------------------------------------------------- */

static const struct {
	const char *document;
	int err;
	const char *text;
} documents[] = {
	{ "<A><B>x</B></A>", 0, "x" }, { "<A> <B>x</B>\n</A>\n", 0, "x" }, { "<A b='1' c=\"2\"><B d=''>x</B ></A >", 0, "x" },
	{ "<A><B/></A>", 0, "" }, { "<A><B></B></A>", 0, "" }, { "<A><C>y</C><B>x</B></A>", 0, "x" },
	{ "<A><B>&lt;&gt;&amp;&quot;&apos;&#65;&#x42;&#x63;</B></A>", 0, "<>&\"'ABc" }, { "<A><B>&#233;</B></A>", 0, "?" },
	{ "<A><B>a<C>b</C>c</B></A>", 0, "ac" }, { "<?xml version=\"1.0\" encoding=\"UTF-8\"?><A><B>x</B></A>", 0, "x" },
	{ "<A></A>", ERR_NOT_FOUND, "" }, { "", ERR_NOT_FOUND, "" }, { "<B>x</B>", ERR_NOT_FOUND, "" },
	{ "<A><C><B>x</B></C></A>", ERR_NOT_FOUND, "" }, { "<AA><B>x</B></AA>", ERR_NOT_FOUND, "" },
	{ "<A/>", ERR_NOT_FOUND, "" },
	{ "<A><B>x</B><B>y</B></A>", ERR_PROTOCOL, NULL }, { "<A><B>x</B>", ERR_PROTOCOL, NULL },
	{ "<A><B>x</A></B>", ERR_PROTOCOL, NULL }, { "<A><B>x</B></A><A></A>", ERR_PROTOCOL, NULL },
	{ "<A/><A/>", ERR_PROTOCOL, NULL }, { "<A><B>x</B></A>tail", ERR_PROTOCOL, NULL },
	{ "head<A><B>x</B></A>", ERR_PROTOCOL, NULL }, { "<A><B>&nbsp;</B></A>", ERR_PROTOCOL, NULL },
	{ "<A><B>&#0;</B></A>", ERR_PROTOCOL, NULL }, { "<A><B>&#x;</B></A>", ERR_PROTOCOL, NULL },
	{ "<A><B>&#9999999;</B></A>", ERR_PROTOCOL, NULL }, { "<A><B>&lt</B></A>", ERR_PROTOCOL, NULL },
	{ "<!DOCTYPE A><A><B>x</B></A>", ERR_PROTOCOL, NULL }, { "<A><!-- c --><B>x</B></A>", ERR_PROTOCOL, NULL },
	{ "<A><B><![CDATA[x]]></B></A>", ERR_PROTOCOL, NULL }, { "<A><?pi?><B>x</B></A>", ERR_PROTOCOL, NULL },
	{ "<A b><B>x</B></A>", ERR_PROTOCOL, NULL }, { "<A b=1><B>x</B></A>", ERR_PROTOCOL, NULL },
	{ "<A b='<'><B>x</B></A>", ERR_PROTOCOL, NULL }, { "<A b='1'c='2'><B>x</B></A>", ERR_PROTOCOL, NULL },
	{ "<", ERR_PROTOCOL, NULL }, { "</A>", ERR_PROTOCOL, NULL }, { "<A", ERR_PROTOCOL, NULL },
	{ "<A b='", ERR_PROTOCOL, NULL }, { "<A/", ERR_PROTOCOL, NULL }, { "<?xml ", ERR_PROTOCOL, NULL },
};

static void only_well_formed_documents_give_a_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT(documents); i++) {
		size_t length = strlen(documents[i].document);
		char *exact = malloc(length ? length : 1); /* without a NUL, so that reading on is seen */
		struct buf text;

		assert_non_null(exact);
		memcpy(exact, documents[i].document, length);
		buf_init(&text, 100);
		if (xml_find(exact, length, "A/B", &text) != documents[i].err)
			fail_msg("%s: not %s", documents[i].document, err_text(documents[i].err));
		if (documents[i].text)
			assert_string_equal(buf_text(&text), documents[i].text);
		buf_done(&text);
		free(exact);
	}
}

static void a_document_deeper_than_any_of_aws_is_refused(void **state)
{
	struct buf document;
	struct buf text;

	(void)state;
	buf_init(&document, 1024 * 1024);
	buf_init(&text, 100);
	for (int i = 0; i < 50000; i++)
		assert_int_equal(buf_append_text(&document, "<A>"), 0);
	assert_int_equal(xml_find(document.data, document.length_bytes, "A/B", &text), ERR_PROTOCOL);
	buf_done(&document);
	buf_done(&text);
}

static void a_text_longer_than_its_place_is_refused(void **state)
{
	struct buf text;

	(void)state;
	buf_init(&text, 3);
	assert_int_equal(xml_find("<A><B>1234</B></A>", 18, "A/B", &text), ERR_LIMIT);
	buf_done(&text);
}

static int note_element(void *user, const char *element, size_t element_bytes)
{
	struct buf *seen = user;

	(void)buf_append(seen, element, element_bytes);
	return buf_append_char(seen, '|');
}

static void each_element_is_handed_over_whole(void **state)
{
	static const struct { const char *document; int err; const char *seen; } walks[] = {
		{ "<A><B><C>1</C></B> <B x='2'/><D><B/></D><B></B ></A>", 0, "<B><C>1</C></B>|<B x='2'/>|<B></B >|" },
		{ "<A><B><A><B/></A></B></A>", 0, "<B><A><B/></A></B>|" },
		{ "<A/>", 0, "" }, { "", 0, "" },
		{ "<A><B/><B/>", ERR_PROTOCOL, "" }, { "<A><B/></A><", ERR_PROTOCOL, "" },
	};
	struct buf seen;

	(void)state;
	for (size_t i = 0; i < COUNT(walks); i++) {
		buf_init(&seen, 200);
		assert_int_equal(xml_each(walks[i].document, strlen(walks[i].document), "A/B", note_element, &seen),
			walks[i].err);
		assert_string_equal(buf_text(&seen), walks[i].seen);
		buf_done(&seen);
	}
}

static void a_visitor_can_end_the_walk(void **state)
{
	static const char document[] = "<A><B>12</B><B>34</B><B>5</B></A>";
	struct buf seen;

	(void)state;
	buf_init(&seen, 12);
	assert_int_equal(xml_each(document, strlen(document), "A/B", note_element, &seen), ERR_LIMIT);
	assert_string_equal(buf_text(&seen), "<B>12</B>|");
	buf_done(&seen);
}

/* ---- the clock ---------------------------------------------------------------------------- */

static struct wall at(int64_t ms)
{
	return (struct wall){ INT64_C(1440938160) * US_PER_S + ms * US_PER_MS };
}

static void skew_is_the_date_against_the_middle_of_the_exchange(void **state)
{
	(void)state;
	/* An hour behind: the Date says 12:36:00, meaning between :00 and :01. */
	assert_int_equal(aws_transport_estimate_skew_us(at(0), at(-3600 * 1000), at(-3600 * 1000 + 200)),
		3600 * US_PER_S + 400 * US_PER_MS);
	assert_int_equal(aws_transport_estimate_skew_us(at(0), at(3600 * 1000), at(3600 * 1000 + 200)),
		-3600 * US_PER_S + 400 * US_PER_MS);
}

static void what_date_cannot_tell_is_no_skew(void **state)
{
	(void)state;
	for (int64_t ms = 0; ms < 1000; ms++)
		assert_int_equal(aws_transport_estimate_skew_us(at(0), at(ms), at(ms + 20)), 0);
	/* A slow reply makes the measurement blunt: 8 s off within a 10 s exchange may be nothing. */
	assert_int_equal(aws_transport_estimate_skew_us(at(0), at(-9000), at(1000)), 0);
	assert_int_not_equal(aws_transport_estimate_skew_us(at(0), at(-19000), at(-9000)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_of_the_table_has_its_class),
		cmocka_unit_test(a_code_that_only_begins_like_one_is_another),
		cmocka_unit_test(a_signature_refused_for_its_time_is_told_from_a_wrong_one),
		cmocka_unit_test(every_class_has_a_name_of_its_own),
		cmocka_unit_test(code_and_message_are_found_in_each_form),
		cmocka_unit_test(a_code_too_long_for_one_is_none),
		cmocka_unit_test(what_identifies_or_authorises_is_masked),
		cmocka_unit_test(a_long_message_is_cut_and_never_shows_half_a_secret),
		cmocka_unit_test(only_well_formed_documents_give_a_text),
		cmocka_unit_test(a_document_deeper_than_any_of_aws_is_refused),
		cmocka_unit_test(a_text_longer_than_its_place_is_refused),
		cmocka_unit_test(each_element_is_handed_over_whole),
		cmocka_unit_test(a_visitor_can_end_the_walk),
		cmocka_unit_test(skew_is_the_date_against_the_middle_of_the_exchange),
		cmocka_unit_test(what_date_cannot_tell_is_no_skew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
