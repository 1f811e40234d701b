/* SPDX-License-Identifier: Apache-2.0 */
/* AWS says what went wrong in three ways: a header (x-amzn-query-error "Code;Fault", x-amzn-errortype
 * "Code:URL"), a JSON body ({"__type": "prefix#Code", "message": …}) or an XML one
 * (<ErrorResponse><Error><Code/><Message/>, of EC2 <Response><Errors><Error><Code/><Message/>). A SignatureDoesNotMatch quotes the whole canonical request,
 * session token included: hence messages end at the first line, and long runs of token letters in them
 * are masked. */
#include "lattice-probe/aws_reply.h"

#include <stdbool.h>
#include <string.h>

#include <jansson.h>

#include "lattice-probe/buf.h"
#include "lattice-probe/xml.h"

#define ACCOUNT_DIGITS 12
#define KEY_ID_MIN 16
#define TOKEN_RUN_MIN 40
#define MASK "***"

static bool is_digit(char character)
{
	return character >= '0' && character <= '9';
}

static bool is_letter(char character)
{
	return (character >= 'A' && character <= 'Z') || (character >= 'a' && character <= 'z');
}

/* ---- the code ----------------------------------------------------------------------------- */

/* "com.amazonaws.x#Code:http://…" or "Code;Sender" to "Code"; "" when that is no word. */
static void set_code(const char *text, char ret_code[static AWS_REPLY_CODE_SIZE])
{
	const char *hash = strchr(text, '#');
	size_t length;

	if (hash)
		text = hash + 1;
	length = strcspn(text, ";:");
	ret_code[0] = '\0';
	if (length >= AWS_REPLY_CODE_SIZE)
		return;
	for (size_t i = 0; i < length; i++)
		if (!is_letter(text[i]) && !is_digit(text[i]) && text[i] != '.' && text[i] != '_' && text[i] != '-')
			return;
	memcpy(ret_code, text, length);
	ret_code[length] = '\0';
}

/* ---- the message -------------------------------------------------------------------------- */

static bool is_token_letter(char character)
{
	return is_letter(character) || is_digit(character) || character == '+' || character == '/' ||
	       character == '=';
}

static size_t run_length(const char *text, bool (*belongs)(char character))
{
	size_t length = 0;

	while (text[length] && belongs(text[length]))
		length++;
	return length;
}

static bool is_key_id_letter(char character)
{
	return (character >= 'A' && character <= 'Z') || is_digit(character);
}

/* Access key ids and unique ids (AKIA, ASIA, AROA, AIDA, …) begin with A and a known second letter. */
static bool is_key_id(const char *text)
{
	static const char *const prefixes[] = { "AKIA", "ASIA", "AROA", "AIDA", "AGPA", "ANPA", "AIPA", "ABIA", "ACCA" };

	if (run_length(text, is_key_id_letter) < KEY_ID_MIN)
		return false;
	for (size_t i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
		if (strncmp(text, prefixes[i], 4) == 0)
			return true;
	return false;
}

/* How many bytes at `text` are not to be shown, given the character before; 0: none. */
static size_t secret_length(const char *text, char before)
{
	size_t length;

	if (!is_token_letter(before)) {
		length = run_length(text, is_token_letter);
		if (length >= TOKEN_RUN_MIN)
			return length;
	}
	if (!is_key_id_letter(before) && is_key_id(text))
		return run_length(text, is_key_id_letter);
	length = is_digit(before) ? 0 : run_length(text, is_digit);
	return length == ACCOUNT_DIGITS ? length : 0;
}

void aws_reply_mask(const char *text, char *ret_text, size_t size)
{
	size_t length = 0;
	char before = '\0';

	while (*text && *text != '\n' && *text != '\r' && length + sizeof MASK <= size) {
		size_t secret = secret_length(text, before);

		if (secret > 0) {
			memcpy(ret_text + length, MASK, sizeof MASK - 1);
			length += sizeof MASK - 1;
		} else {
			ret_text[length++] = *text >= ' ' && *text <= '~' ? *text : '?';
			secret = 1;
		}
		text += secret;
		before = text[-1];
	}
	ret_text[length] = '\0';
}

/* ---- the bodies --------------------------------------------------------------------------- */

static const char *first_string(const json_t *object, const char *a, const char *b, const char *c)
{
	const char *text = json_string_value(json_object_get(object, a));

	if (!text)
		text = json_string_value(json_object_get(object, b));
	if (!text)
		text = json_string_value(json_object_get(object, c));
	return text;
}

static void read_json(const char *body, size_t body_bytes, struct aws_reply_error *error)
{
	json_t *object = json_loadb(body, body_bytes, 0, NULL);
	const char *code = first_string(object, "__type", "code", "Code");
	const char *message = first_string(object, "message", "Message", "errorMessage");

	if (code && !error->code[0])
		set_code(code, error->code);
	if (message)
		aws_reply_mask(message, error->message, sizeof error->message);
	json_decref(object);
}

static void read_xml_at(const char *body, size_t body_bytes, const char *code_path, const char *message_path,
	struct aws_reply_error *error)
{
	struct buf text;

	buf_init(&text, 4096);
	if (xml_find(body, body_bytes, code_path, &text) == 0 && !error->code[0])
		set_code(buf_text(&text), error->code);
	buf_clear(&text);
	if (xml_find(body, body_bytes, message_path, &text) == 0)
		aws_reply_mask(buf_text(&text), error->message, sizeof error->message);
	buf_done(&text);
}

static void read_xml(const char *body, size_t body_bytes, struct aws_reply_error *error)
{
	read_xml_at(body, body_bytes, "ErrorResponse/Error/Code", "ErrorResponse/Error/Message", error);
	if (!error->code[0])
		read_xml_at(body, body_bytes, "Response/Errors/Error/Code", "Response/Errors/Error/Message", error);
}

void aws_reply_read_error(const char *header, const char *body, size_t body_bytes, struct aws_reply_error *ret_error)
{
	struct aws_reply_error error = { .code = "", .message = "" };

	if (header)
		set_code(header, error.code);
	if (body_bytes > 0 && body[0] == '{')
		read_json(body, body_bytes, &error);
	else if (body_bytes > 0 && body[0] == '<')
		read_xml(body, body_bytes, &error);
	*ret_error = error;
}
