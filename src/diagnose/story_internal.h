/* SPDX-License-Identifier: Apache-2.0 */
/* story_internal: how the parts of the story write their steps. Every text passes story_add, which makes
 * it presentable; nothing else puts a step down. */
#ifndef LATTICE_PROBE_STORY_INTERNAL_H
#define LATTICE_PROBE_STORY_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lattice-probe/evidence.h"
#include "lattice-probe/story.h"

#define STORY_NO_TIME INT64_C(-1)

struct story_teller {
	const struct evidence *evidence;
	bool verbose;
	struct story *story;
};

/* What a step says, before it is put down. */
struct story_line {
	enum diagnosis_hop hop;
	enum story_mark mark;
	const char *step;
	char subject[64];
	char question[STORY_TEXT_SIZE];
	char answer[STORY_TEXT_SIZE];
	int64_t elapsed_us;
};

struct story_line story_line_of(const char *step, enum diagnosis_hop hop);
void story_add(struct story_teller *teller, const struct story_line *line);

/* Appends to text that ends within size_bytes; what does not fit is cut. */
void story_append(char *text, size_t size_bytes, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* A part of a list: ", " goes in front unless it is the first. */
void story_append_part(char *text, size_t size_bytes, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

#define STORY_ASK(line, ...) story_append((line).question, sizeof (line).question, __VA_ARGS__)
#define STORY_ANSWER(line, ...) story_append_part((line).answer, sizeof (line).answer, __VA_ARGS__)
#define STORY_NAME(line, ...) story_append((line).subject, sizeof (line).subject, __VA_ARGS__)

/* "0.4 ms". */
#define STORY_TIME_SIZE 32
void story_format_ms(int64_t us, char ret_text[static STORY_TIME_SIZE]);

/* A resolver, with its port only where that is not 53. */
void story_format_server(const union address *server, char ret_text[static ADDRESS_TEXT_SIZE]);

/* Whether the exchange of the preferred path ended as the probe expects. */
bool story_is_answered(const struct evidence *evidence);

/* The parts, in the order of the path. */
void story_where_tell(struct story_teller *teller);
void story_dns_tell(struct story_teller *teller);
void story_path_tell(struct story_teller *teller);
void story_http_tell(struct story_teller *teller);
void story_control_tell(struct story_teller *teller);
void story_publish_tell(struct story_teller *teller);

/* Phrases for one exchange, shared by main and follow-up. */
void story_connect_describe_tcp(const struct evidence_exchange *exchange, struct story_line *line);
void story_connect_describe_tls(const struct story_teller *teller, const struct evidence_exchange *exchange,
	struct story_line *line);

#endif
