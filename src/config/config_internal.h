/* SPDX-License-Identifier: Apache-2.0 */
/* config_internal: what the files of the room share. Reading has two stages: files become a document
 * (blocks of settings, each with its place), then the document becomes a conf. Mistakes are reported
 * where they are seen and never stop either stage; only memory does. */
#ifndef LATTICE_PROBE_CONFIG_INTERNAL_H
#define LATTICE_PROBE_CONFIG_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lattice-probe/buf.h"
#include "lattice-probe/conf.h"
#include "lattice-probe/conf_keys.h"

#define CONF_FILE_MAX_BYTES (16 * 1024 * 1024)
#define CONF_FILES_MAX 10000
#define CONF_TOTAL_MAX_BYTES (64 * 1024 * 1024) /* all files together */
#define CONF_LINE_MAX_BYTES 8192
#define CONF_VALUE_MAX_BYTES (64 * 1024) /* with its continuation lines; more goes into body_file */
#define CONF_BODY_FILE_MAX_BYTES (1024 * 1024)
#define CONF_HEADER_MAX_BYTES 8192
#define CONF_PROBES_MAX 100000
#define CONF_BLOCK_SETTINGS_MAX 256

/* ---- conf_document: what the files say, before it is known to make sense ---- */

struct conf_source { /* one file */
	char *path;
	unsigned order;         /* place in the order of reading */
	bool is_world_readable; /* false for text from memory */
};

struct conf_setting { /* one key with its value */
	const struct conf_key *key;
	char *name;  /* as written: "header.Accept" */
	char *value; /* joined, trimmed; wiped when freed */
	const struct conf_source *source;
	unsigned line;
	bool is_wrong; /* a mistake was reported for it */
};

struct conf_block { /* one section */
	enum conf_section section;
	char *name; /* of a probe; NULL else */
	const struct conf_source *source;
	unsigned line;
	struct conf_setting *settings;
	size_t setting_count;
	size_t setting_capacity;
};

struct conf_document {
	struct conf_source **sources;
	size_t source_count;
	struct conf_block agent; /* of all files together */
	struct conf_block cloudwatch;
	struct conf_block *probes;
	size_t probe_count;
	size_t probe_capacity;
};

void conf_document_init(struct conf_document *document);
void conf_document_done(struct conf_document *document);

/* Adds a file; path is copied. The blocks borrow it. NULL: no memory. */
struct conf_source *conf_document_add_source(struct conf_document *document, const char *path);

/* Adds a probe; the pointer is good until the next is added. NULL: no memory. */
struct conf_block *conf_document_add_probe(struct conf_document *document, const char *name,
	const struct conf_source *source, unsigned line);

/* Adds a setting of which nothing but key, name and place is set. NULL: no memory. */
struct conf_setting *conf_document_add_setting(struct conf_block *block, const struct conf_key *key,
	const char *name, const struct conf_source *source, unsigned line);

/* The setting of that name, the NAME of a family without case; NULL: none. */
struct conf_setting *conf_document_find(const struct conf_block *block, const char *name);

/* "Accept" of "header.Accept"; "" for a key that is no family. */
const char *conf_document_suffix(const struct conf_setting *setting);

/* ---- conf_findings ---- */

/* Where something was found. What is NULL or 0 is left out. */
struct conf_place {
	const struct conf_source *source;
	unsigned line;
	const char *section; /* "agent", "cloudwatch", "probe" */
	const char *name;    /* of the probe */
	const char *key;
};

struct conf_place conf_findings_place_of_block(const struct conf_block *block);
struct conf_place conf_findings_place_of_setting(const struct conf_block *block,
	const struct conf_setting *setting);

/* Adds "[section name] key: text". Without memory findings->failed is set. */
void conf_findings_add(struct conf_findings *findings, enum conf_severity severity,
	const struct conf_place *place, const char *format, ...) __attribute__((format(printf, 4, 5)));

/* By file and line; what stands at one place stays in the order it was found in. */
void conf_findings_sort(struct conf_findings *findings);

#define CONF_SHOWN_SIZE 64

/* A value for a message: cut, nothing unprintable in it. Returns ret_shown. */
const char *conf_findings_show(const char *value, char ret_shown[static CONF_SHOWN_SIZE]);

/* ---- conf_lines: lines of a file, judged and fed to inih ---- */

enum conf_event {       /* what the text is that inih hands to its handler */
	CONF_EVENT_NAME,      /* "=|NAME|": the section, opened, has this name */
	CONF_EVENT_KEY,       /* "key = value", or as much of it as fits */
	CONF_EVENT_MORE,      /* "=|...|": more of the same line */
	CONF_EVENT_CONTINUED  /* "=|...|": the beginning of an indented line */
};

enum conf_indent { CONF_INDENT_REFUSED, CONF_INDENT_DROPPED, CONF_INDENT_TAKEN, CONF_INDENT_TAKEN_AS_TEXT };

struct conf_lines {
	struct conf_findings *findings;
	const struct conf_source *source;
	const char *next; /* not read yet, up to end */
	const char *end;
	unsigned line;    /* number of the line being fed */

	/* For the handler: what it is called with. */
	enum conf_event event;
	bool has_comment; /* " ;" was cut off the line */

	/* From the handler: */
	bool was_handled;        /* set in every call */
	bool skips_keys;         /* until the next section */
	enum conf_indent indent; /* what an indented line would be */

	/* Of the line being fed: */
	bool has_kind;           /* kind is to be fed, then one NAME */
	const char *kind;
	size_t kind_bytes;
	const char *rest;        /* to be fed; NULL: nothing */
	size_t rest_bytes;
	enum conf_event rest_event;
	bool has_section;        /* some section was opened */
};

/* The ini_reader; stream is a struct conf_lines. */
char *conf_lines_feed(char *buffer, int size, void *stream);

/* ---- conf_reader ---- */

/* Reads the text of one file into the document. Mistakes go to findings. 0 or ERR_NOMEM. */
int conf_reader_read(struct conf_document *document, const struct conf_source *source, const char *text,
	size_t length_bytes, struct conf_findings *findings);

/* ---- conf_file ---- */

struct conf_file {
	bool is_world_readable;
	struct buf content; /* to be ended with buf_done_secret */
};

/* Reads a regular file, or with may_be_pipe anything but a directory. On ERR_IO *ret_why (gives) says
 * what is wrong. 0, ERR_IO or ERR_NOMEM. */
int conf_file_read(const char *path, size_t max_bytes, bool may_be_pipe, struct conf_file *ret_file,
	char **ret_why);

/* The *.conf files of a directory in the order of their bytes; gives each path and the array. A
 * directory that is not there has none. Errors as above. */
int conf_file_list(const char *directory, char ***ret_paths, size_t *ret_count, char **ret_why);

/* `name` as seen from the directory that holds the file `from`. Gives; NULL: no memory. */
char *conf_file_beside(const char *from, const char *name);

/* ---- conf_secret: files that may hold a secret ---- */

/* Reads the file that the setting names: a name without a slash is looked for among the credentials that
 * systemd handed over, then, like any other, from the directory of the file that has the setting. One that
 * everyone may read is a mistake. Gives *ret_path; *ret_file is to be ended with buf_done_secret. 0,
 * ERR_NOMEM, or ERR_IO: the mistake was reported. */
struct conf_builder;
int conf_secret_read(struct conf_builder *builder, struct conf_setting *setting, size_t max_bytes,
	struct conf_file *ret_file, char **ret_path);

/* ---- conf_builder: the document becomes a conf ---- */

struct conf_builder {
	struct conf *conf;
	struct conf_findings *findings;
	const struct conf_block *block; /* the one being built */
	struct target *target;          /* the probe, or conf->defaults */
	bool is_enabled;                /* of the probe */
	const char *last_ca;            /* the tls_ca looked into last: most probes share one */
};

/* Gives every field its default from the table. 0 or ERR_NOMEM. */
int conf_builder_set_defaults(struct conf *conf);

/* Mistakes go to findings. 0 or ERR_NOMEM. */
int conf_builder_build(struct conf *conf, struct conf_document *document, struct conf_findings *findings);

/* Reports on a setting of the block being built; a mistake marks it wrong. */
void conf_builder_report(struct conf_builder *builder, enum conf_severity severity,
	struct conf_setting *setting, const char *format, ...) __attribute__((format(printf, 4, 5)));

/* A target like conf->defaults, without name and URL. NULL: no memory. */
struct target *conf_builder_new_target(const struct conf *conf);

/* A phase never lasts longer than the run: inherited limits give way to its timeout. */
void conf_builder_clamp(struct target *target);

/* ---- conf_value: settings whose type says all ---- */

void conf_value_set(struct conf_builder *builder, struct conf_setting *setting);

#define CONF_DURATION_SIZE 32

/* "10s", "1500ms": the largest unit that leaves a whole number. Returns ret_text. */
const char *conf_value_format_duration(int64_t us, char ret_text[static CONF_DURATION_SIZE]);

#define CONF_ITEM_SIZE 256

/* The next item of a list, trimmed and, beyond CONF_ITEM_SIZE, cut; *cursor moves behind it. False at
 * the end. An empty list has one empty item. */
bool conf_value_next_item(const char **cursor, char separator, char ret_item[static CONF_ITEM_SIZE]);

/* Printable ASCII with something in it: what CloudWatch takes as a name or value. */
bool conf_value_is_printable(const char *text);

/* ---- setters of CONF_TYPE_CUSTOM, one file for each kind; 0 or ERR_NOMEM ---- */

int conf_agent_set_resolver(struct conf_builder *builder, struct conf_setting *setting);
int conf_agent_set_state_directory(struct conf_builder *builder, struct conf_setting *setting);
int conf_agent_set_status_socket(struct conf_builder *builder, struct conf_setting *setting);

int conf_cloudwatch_set_namespace(struct conf_builder *builder, struct conf_setting *setting);
int conf_cloudwatch_set_period(struct conf_builder *builder, struct conf_setting *setting);
int conf_cloudwatch_set_backfill_rate(struct conf_builder *builder, struct conf_setting *setting);
int conf_cloudwatch_set_region(struct conf_builder *builder, struct conf_setting *setting);
int conf_cloudwatch_set_endpoint(struct conf_builder *builder, struct conf_setting *setting);
int conf_cloudwatch_set_proxy(struct conf_builder *builder, struct conf_setting *setting);
int conf_cloudwatch_set_metrics(struct conf_builder *builder, struct conf_setting *setting);

int conf_dimensions_set_static(struct conf_builder *builder, struct conf_setting *setting);
int conf_dimensions_set_sets(struct conf_builder *builder, struct conf_setting *setting);

int conf_request_set_url(struct conf_builder *builder, struct conf_setting *setting);
int conf_request_set_enabled(struct conf_builder *builder, struct conf_setting *setting);
int conf_request_set_method(struct conf_builder *builder, struct conf_setting *setting);
int conf_request_set_body(struct conf_builder *builder, struct conf_setting *setting);
int conf_request_set_body_file(struct conf_builder *builder, struct conf_setting *setting);
int conf_request_set_tls_ca(struct conf_builder *builder, struct conf_setting *setting);
int conf_request_set_sign_host(struct conf_builder *builder, struct conf_setting *setting);

int conf_header_set_inline(struct conf_builder *builder, struct conf_setting *setting);
int conf_header_set_file(struct conf_builder *builder, struct conf_setting *setting);

/* RFC 9110 section 5.6.2. */
bool conf_header_is_token(const char *text);

int conf_expect_set_status(struct conf_builder *builder, struct conf_setting *setting);
int conf_expect_set_body(struct conf_builder *builder, struct conf_setting *setting);
int conf_expect_set_header(struct conf_builder *builder, struct conf_setting *setting);

/* ---- conf_check: what holds between settings ---- */

void conf_check_agent(struct conf_builder *builder);

/* builder->block and builder->target are the probe; `agent` says which timers were set for all. */
void conf_check_probe(struct conf_builder *builder, const struct conf_block *agent);

/* Names that are used twice, metrics, datagrams, environments. 0 or ERR_NOMEM. */
int conf_check_whole(const struct conf *conf, const struct conf_document *document,
	struct conf_findings *findings);

#endif
