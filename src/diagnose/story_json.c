/* SPDX-License-Identifier: Apache-2.0 */
/* The diagnosis as JSON: every key is always there, in this order, null where nothing is known. */
#include "lattice-probe/story.h"

#include <string.h>

#include <jansson.h>

#include "lattice-probe/diagnosis.h"
#include "lattice-probe/evidence.h"

#include "story_internal.h"

/* jansson takes a NULL value as "no memory" and says so, so that the chain is checked once. */
struct writer {
	json_t *object;
	bool verbose;
	int failed;
};

static void put(struct writer *writer, const char *key, json_t *value)
{
	writer->failed |= json_object_set_new(writer->object, key, value);
}

static json_t *finish(struct writer *writer)
{
	if (!writer->failed)
		return writer->object;
	json_decref(writer->object);
	return NULL;
}

/* NULL only without memory: what was made presentable is UTF-8. */
static json_t *text_of(const struct writer *writer, const char *text)
{
	char shown[STORY_FIX_SIZE];

	shown[0] = '\0';
	story_append(shown, sizeof shown, "%s", text);
	story_make_presentable(shown, writer->verbose);
	return json_string(shown);
}

static void put_text(struct writer *writer, const char *key, const char *text)
{
	put(writer, key, *text ? text_of(writer, text) : json_null());
}

/* Appends to an array that may not be there; NULL once anything failed. */
static json_t *append(json_t *array, json_t *value)
{
	if (array && json_array_append_new(array, value) == 0)
		return array;
	if (!array)
		json_decref(value);
	json_decref(array);
	return NULL;
}

static json_t *lines_of(const struct writer *writer, const struct diagnosis_lines *lines)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < lines->count && i < DIAGNOSIS_LINES_MAX; i++)
		array = append(array, text_of(writer, lines->items[i]));
	return array;
}

static json_t *candidates_of(const struct diagnosis *diagnosis)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < diagnosis->candidate_count && i < DIAGNOSIS_CANDIDATES_MAX; i++)
		array = append(array, json_string(diagnosis_name(diagnosis->candidates[i])));
	return array;
}

static json_t *ruled_out_of(bool verbose, const struct diagnosis *diagnosis)
{
	json_t *array = json_array();

	for (size_t i = 0; array && i < diagnosis->ruled_out_count && i < DIAGNOSIS_CANDIDATES_MAX; i++) {
		struct writer writer = { .object = json_object(), .verbose = verbose };

		put_text(&writer, "verdict", diagnosis_name(diagnosis->ruled_out[i].verdict));
		put_text(&writer, "because", diagnosis->ruled_out[i].because);
		array = append(array, finish(&writer));
	}
	return array;
}

/* ---- the steps --------------------------------------------------------------------------------- */

static const char *mark_name(enum story_mark mark)
{
	static const char *const names[] = { [STORY_GOOD] = "good", [STORY_BAD] = "bad",
		[STORY_UNKNOWN] = "unknown", [STORY_SKIPPED] = "skipped" };

	return names[mark];
}

static json_t *step_of(const struct story_step *step)
{
	struct writer writer = { .object = json_object(), .verbose = true }; /* it was masked when told */

	put_text(&writer, "step", step->step);
	put_text(&writer, "question", step->question);
	put_text(&writer, "answer", step->answer);
	put_text(&writer, "mark", mark_name(step->mark));
	put(&writer, "elapsed_us", step->elapsed_us < 0 ? json_null() : json_integer(step->elapsed_us));
	return finish(&writer);
}

static json_t *steps_of(const struct evidence *evidence, bool verbose)
{
	json_t *array = json_array();
	struct story story;

	story_tell(evidence, verbose, &story);
	for (size_t i = 0; array && i < story.count; i++)
		array = append(array, step_of(&story.steps[i]));
	return array;
}

static json_t *fixes_of(const struct evidence *evidence, const struct diagnosis *diagnosis, bool verbose)
{
	json_t *array = json_array();
	struct story_fixes fixes;

	story_advise(evidence, diagnosis, &fixes);
	for (size_t i = 0; array && i < fixes.count; i++) {
		struct writer writer = { .object = json_object(), .verbose = verbose };

		put_text(&writer, "words", fixes.items[i].words);
		put_text(&writer, "command", fixes.items[i].command);
		array = append(array, finish(&writer));
	}
	return array;
}

/* ---- where ------------------------------------------------------------------------------------- */

static const char *platform_name(enum host_platform platform)
{
	switch (platform) {
	case HOST_PLATFORM_EC2: return "ec2";
	case HOST_PLATFORM_OTHER: return "other";
	case HOST_PLATFORM_UNKNOWN: break;
	}
	return "";
}

static const char *imds_name(enum evidence_imds imds)
{
	switch (imds) {
	case EVIDENCE_IMDS_OK: return "ok";
	case EVIDENCE_IMDS_SILENT: return "silent";
	case EVIDENCE_IMDS_HOP_LIMIT: return "hop-limit";
	case EVIDENCE_IMDS_OFF: return "off";
	case EVIDENCE_IMDS_ODD: return "odd";
	case EVIDENCE_IMDS_NOT_ASKED: break;
	}
	return "";
}

/* Ids by comma as a list; null for none. */
static json_t *list_of(const struct writer *writer, const char *text)
{
	json_t *array = *text ? json_array() : json_null();

	while (*text && array) {
		char item[EVIDENCE_TEXT_SIZE] = "";
		size_t length = strcspn(text, ", ");

		story_append(item, sizeof item, "%.*s", (int)length, text);
		if (length > 0)
			array = append(array, text_of(writer, item));
		text += length;
		text += strspn(text, ", ");
	}
	return array;
}

static json_t *resolvers_of(const struct evidence_dns *dns)
{
	json_t *array = json_array();
	char text[ADDRESS_TEXT_SIZE];

	for (size_t i = 0; array && i < dns->resolver_count && i < EVIDENCE_RESOLVERS_MAX; i++) {
		if (!dns->resolvers[i].is_configured)
			continue;
		story_format_server(&dns->resolvers[i].server, text);
		array = append(array, json_string(text));
	}
	return array;
}

static json_t *where_of(const struct evidence *evidence, bool verbose)
{
	const struct evidence_where *where = &evidence->where;
	struct writer writer = { .object = json_object(), .verbose = verbose };

	put_text(&writer, "platform", platform_name(where->platform));
	put_text(&writer, "imds", imds_name(where->imds));
	put_text(&writer, "instance_id", where->facts.instance_id);
	put_text(&writer, "region", where->facts.region);
	put_text(&writer, "availability_zone_id", where->facts.availability_zone_id);
	put_text(&writer, "vpc_id", where->facts.vpc_id);
	put_text(&writer, "subnet_id", where->facts.subnet_id);
	put(&writer, "security_groups", list_of(&writer, where->security_groups));
	put_text(&writer, "public_ipv4", where->public_ipv4);
	put_text(&writer, "network_namespace", where->network_namespace);
	put(&writer, "resolvers", resolvers_of(&evidence->dns));
	put_text(&writer, "credentials", evidence->publishing.source);
	return finish(&writer);
}

json_t *story_to_json(const struct evidence *evidence, const struct diagnosis *diagnosis, bool verbose)
{
	struct writer writer = { .object = json_object(), .verbose = verbose };

	put_text(&writer, "target", evidence->target.url);
	put_text(&writer, "verdict", diagnosis_name(diagnosis->verdict));
	put_text(&writer, "confidence", diagnosis_confidence_name(diagnosis->confidence));
	put_text(&writer, "basis", diagnosis_basis_name(diagnosis->basis));
	put_text(&writer, "summary", diagnosis->summary);
	put(&writer, "why", lines_of(&writer, &diagnosis->why));
	put(&writer, "candidates", candidates_of(diagnosis));
	put(&writer, "ruled_out", ruled_out_of(verbose, diagnosis));
	put(&writer, "notes", lines_of(&writer, &diagnosis->notes));
	put(&writer, "evidence", steps_of(evidence, verbose));
	put(&writer, "fix", fixes_of(evidence, diagnosis, verbose));
	put(&writer, "where", where_of(evidence, verbose));
	return finish(&writer);
}
