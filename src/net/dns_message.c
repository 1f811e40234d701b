/* SPDX-License-Identifier: Apache-2.0 */
/* A reply is read in three walks over its records, each linear in its length, so that no reply can
 * cost more than its 65,535 bytes:
 *   1. framing: every record of every section lies inside the message, CNAMEs are noted;
 *   2. the chain: from the question's name through the noted CNAMEs (at most DNS_CNAMES_MAX);
 *   3. addresses: records of the wanted type that the last name of the chain owns.
 * Records may come in any order (RFC 1034 section 3.6.2 promises none), hence the walks.
 * A compression pointer must point before the name it stands in (RFC 1035 section 4.1.4: to a prior
 * occurrence), so following them always ends. */
#include "lattice-probe/dns_message.h"

#include <arpa/inet.h>
#include <assert.h>
#include <string.h>
#include <sys/socket.h>

#include "lattice-probe/err.h"

#define HEADER_BYTES 12
#define LABEL_MAX 63
#define WIRE_NAME_MAX 255
#define CLASS_IN 1
#define FLAG_QR 0x8000u
#define FLAG_TC 0x0200u
#define OPCODE_MASK 0x7800u
#define RCODE_MASK 0x000fu

/* Length-prefixed labels as on the wire, without compression, the root's zero included. */
struct wire_name {
	uint8_t bytes[WIRE_NAME_MAX];
	size_t length;
};

struct reader {
	const uint8_t *bytes;
	size_t length;
	size_t offset;
};

/* One resource record; `rdata` is the offset of its data. */
struct record {
	struct wire_name owner;
	unsigned type;
	unsigned class;
	int64_t ttl_s;
	size_t rdata;
	size_t rdata_length;
};

struct alias {
	struct wire_name owner;
	struct wire_name target;
	int64_t ttl_s;
};

struct aliases {
	struct alias list[DNS_CNAMES_MAX];
	size_t count;
};

/* ---- the wire ------------------------------------------------------------------------------- */

static bool read_u16(struct reader *reader, unsigned *ret_value)
{
	if (reader->length - reader->offset < 2)
		return false;
	*ret_value = (unsigned)reader->bytes[reader->offset] << 8 | reader->bytes[reader->offset + 1];
	reader->offset += 2;
	return true;
}

static bool read_u32(struct reader *reader, uint32_t *ret_value)
{
	unsigned high, low;

	if (!read_u16(reader, &high) || !read_u16(reader, &low))
		return false;
	*ret_value = (uint32_t)high << 16 | low;
	return true;
}

/* Appends one label; `at` is its length byte. */
static bool take_label(const struct reader *reader, size_t at, struct wire_name *name)
{
	size_t length = reader->bytes[at] + (size_t)1;

	if (reader->length - at < length || WIRE_NAME_MAX - name->length < length)
		return false;
	memcpy(name->bytes + name->length, reader->bytes + at, length);
	name->length += length;
	return true;
}

/* Reads a name, following pointers; the reader moves behind the name's place in the record. */
static bool read_name(struct reader *reader, struct wire_name *ret_name)
{
	size_t at = reader->offset;
	size_t limit = reader->offset; /* a pointer must lead before this */
	size_t end = 0;                /* where the record goes on; 0 until the first pointer */

	ret_name->length = 0;
	for (;;) {
		unsigned head;

		if (at >= reader->length)
			return false;
		head = reader->bytes[at];
		if (head <= LABEL_MAX) {
			if (!take_label(reader, at, ret_name))
				return false;
			at += head + (size_t)1;
			if (head == 0)
				break;
			continue;
		}
		if ((head & 0xc0) != 0xc0 || reader->length - at < 2)
			return false;
		if (end == 0)
			end = at + 2;
		at = (size_t)(head & 0x3f) << 8 | reader->bytes[at + 1];
		if (at >= limit)
			return false;
		limit = at;
	}
	reader->offset = end ? end : at;
	return true;
}

static bool read_record(struct reader *reader, struct record *ret_record)
{
	uint32_t ttl;
	unsigned length;

	if (!read_name(reader, &ret_record->owner) || !read_u16(reader, &ret_record->type) ||
	    !read_u16(reader, &ret_record->class) || !read_u32(reader, &ttl) || !read_u16(reader, &length))
		return false;
	if (reader->length - reader->offset < length)
		return false;
	ret_record->ttl_s = ttl > INT32_MAX ? 0 : (int64_t)ttl;
	ret_record->rdata = reader->offset;
	ret_record->rdata_length = length;
	reader->offset += length;
	return true;
}

/* ---- names ---------------------------------------------------------------------------------- */

static uint8_t lower(uint8_t byte)
{
	return byte >= 'A' && byte <= 'Z' ? (uint8_t)(byte + ('a' - 'A')) : byte;
}

/* Length bytes are below 'A', so that lowering whole names is lowering their labels (RFC 4343). */
static bool name_is_equal(const struct wire_name *a, const struct wire_name *b)
{
	if (a->length != b->length)
		return false;
	for (size_t i = 0; i < a->length; i++)
		if (lower(a->bytes[i]) != lower(b->bytes[i]))
			return false;
	return true;
}

static void name_from_text(const char *text, struct wire_name *ret_name)
{
	ret_name->length = 0;
	while (*text) {
		size_t length = strcspn(text, ".");

		ret_name->bytes[ret_name->length++] = (uint8_t)length;
		memcpy(ret_name->bytes + ret_name->length, text, length);
		ret_name->length += length;
		text += length + (text[length] == '.');
	}
	ret_name->bytes[ret_name->length++] = 0;
}

/* Writes one byte of a label, escaped where it would not stand for itself (RFC 4343 section 2.1). */
static bool escape_byte(uint8_t byte, char *text, size_t *length)
{
	char escaped[4] = { '\\', (char)('0' + byte / 100), (char)('0' + byte / 10 % 10), (char)('0' + byte % 10) };
	size_t count = 4;

	if (byte > ' ' && byte < 0x7f) {
		escaped[1] = (char)byte;
		count = byte == '.' || byte == '\\' ? 2 : 1;
	}
	if (DNS_NAME_SIZE - 1 - *length < count)
		return false;
	memcpy(text + *length, count == 1 ? escaped + 1 : escaped, count);
	*length += count;
	return true;
}

static bool name_to_text(const struct wire_name *name, char ret_text[static DNS_NAME_SIZE])
{
	size_t length = 0;

	for (size_t at = 0; name->bytes[at] != 0; at += name->bytes[at] + (size_t)1) {
		if (at > 0) {
			if (length >= DNS_NAME_SIZE - 1)
				return false;
			ret_text[length++] = '.';
		}
		for (size_t i = 1; i <= name->bytes[at]; i++)
			if (!escape_byte(name->bytes[at + i], ret_text, &length))
				return false;
	}
	if (length == 0)
		ret_text[length++] = '.';
	ret_text[length] = '\0';
	return true;
}

static bool character_is_valid(char character)
{
	return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
		(character >= '0' && character <= '9') || character == '-' || character == '_';
}

bool dns_message_name_is_valid(const char *name)
{
	size_t total = strlen(name);
	size_t label = 0;

	if (total == 0 || total > WIRE_NAME_MAX - 2)
		return false;
	for (size_t i = 0; i <= total; i++) {
		if (name[i] == '.' || name[i] == '\0') {
			if (label == 0)
				return false;
			label = 0;
		} else if (!character_is_valid(name[i]) || ++label > LABEL_MAX) {
			return false;
		}
	}
	return true;
}

/* ---- the reply ------------------------------------------------------------------------------ */

static bool note_alias(const struct reader *reader, const struct record *record, struct aliases *aliases)
{
	struct reader rdata = { reader->bytes, record->rdata + record->rdata_length, record->rdata };
	struct alias *alias;

	if (aliases->count == DNS_CNAMES_MAX)
		return false;
	alias = &aliases->list[aliases->count++];
	alias->owner = record->owner;
	alias->ttl_s = record->ttl_s;
	return read_name(&rdata, &alias->target) && rdata.offset == rdata.length;
}

/* First walk: the framing of all sections; the reader ends behind the last record. */
static bool check_records(struct reader reader, unsigned answers, unsigned others, struct aliases *ret_aliases)
{
	struct record record;

	for (unsigned i = 0; i < answers + others; i++) {
		if (!read_record(&reader, &record))
			return false;
		if (i < answers && record.type == DNS_TYPE_CNAME && record.class == CLASS_IN &&
		    !note_alias(&reader, &record, ret_aliases))
			return false;
	}
	return true;
}

static void note_ttl(struct dns_message *message, int64_t ttl_s)
{
	if (message->ttl_s < 0 || ttl_s < message->ttl_s)
		message->ttl_s = ttl_s;
}

static const struct alias *find_alias(const struct aliases *aliases, const struct wire_name *owner)
{
	for (size_t i = 0; i < aliases->count; i++)
		if (name_is_equal(&aliases->list[i].owner, owner))
			return &aliases->list[i];
	return NULL;
}

/* Second walk: `name` goes from the question's name to the end of the chain. A chain longer than
 * the aliases there are runs in a circle: that is an answer of its own, not a malformed one. */
static bool follow_chain(const struct aliases *aliases, struct wire_name *name, struct dns_message *message)
{
	const struct alias *alias;

	while ((alias = find_alias(aliases, name))) {
		if (message->cname_count == aliases->count) {
			message->is_cname_loop = true;
			return true;
		}
		if (!name_to_text(&alias->target, message->cnames[message->cname_count++]))
			return false;
		note_ttl(message, alias->ttl_s);
		*name = alias->target;
	}
	return true;
}

/* Third walk. */
static bool collect_addresses(struct reader reader, unsigned answers, const struct wire_name *owner,
	enum dns_type type, struct dns_message *message)
{
	int family = type == DNS_TYPE_A ? AF_INET : AF_INET6;
	size_t address_bytes = type == DNS_TYPE_A ? 4 : 16;
	struct record record;

	for (unsigned i = 0; i < answers && read_record(&reader, &record); i++) {
		if (record.type != (unsigned)type || record.class != CLASS_IN ||
		    !name_is_equal(&record.owner, owner))
			continue;
		if (record.rdata_length != address_bytes)
			return false;
		note_ttl(message, record.ttl_s);
		if (message->address_total++ < DNS_ADDRESSES_MAX)
			address_from_bytes(family, reader.bytes + record.rdata, 0,
				&message->addresses[message->address_count++]);
	}
	return true;
}

/* The question must be ours, once. A server that could not read it may leave it out (RFC 1035
 * section 4.1.1 says nothing of errors), but then it can have answered nothing. */
static int check_question(struct reader *reader, unsigned count, const struct wire_name *name,
	enum dns_type type, int rcode)
{
	struct wire_name asked;
	unsigned asked_type, asked_class;

	if (count == 0)
		return rcode != 0 ? 0 : ERR_PROTOCOL;
	if (count != 1 || !read_name(reader, &asked) || !read_u16(reader, &asked_type) ||
	    !read_u16(reader, &asked_class))
		return ERR_PROTOCOL;
	return asked_type == (unsigned)type && asked_class == CLASS_IN && name_is_equal(&asked, name)
		? 0 : ERR_NOT_FOUND;
}

static int parse_reply(struct reader *reader, const char *name_text, enum dns_type type,
	struct dns_message *message, struct aliases *aliases)
{
	unsigned id, flags, questions, answers, authorities, additionals;
	struct wire_name name;
	int err;

	if (!read_u16(reader, &id) || !read_u16(reader, &flags) || !read_u16(reader, &questions) ||
	    !read_u16(reader, &answers) || !read_u16(reader, &authorities) || !read_u16(reader, &additionals))
		return ERR_PROTOCOL;
	if (!(flags & FLAG_QR) || (flags & OPCODE_MASK))
		return ERR_PROTOCOL;
	message->rcode = (int)(flags & RCODE_MASK);
	message->is_truncated = flags & FLAG_TC;
	name_from_text(name_text, &name);
	err = check_question(reader, questions, &name, type, message->rcode);
	if (err || message->is_truncated)
		return err;
	if (!check_records(*reader, answers, authorities + additionals, aliases) ||
	    !follow_chain(aliases, &name, message))
		return ERR_PROTOCOL;
	if (message->is_cname_loop)
		return 0;
	return collect_addresses(*reader, answers, &name, type, message) ? 0 : ERR_PROTOCOL;
}

int dns_message_parse(const uint8_t *bytes, size_t length_bytes, const char *name, enum dns_type type,
	struct dns_message *ret_message)
{
	struct reader reader = { bytes, length_bytes, 0 };
	struct aliases aliases = { .count = 0 };
	struct dns_message message = { .ttl_s = -1 };
	int err;

	assert(type == DNS_TYPE_A || type == DNS_TYPE_AAAA);
	assert(dns_message_name_is_valid(name));
	err = parse_reply(&reader, name, type, &message, &aliases);
	if (err)
		return err;
	*ret_message = message;
	return 0;
}
