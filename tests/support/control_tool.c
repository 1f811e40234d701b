/* SPDX-License-Identifier: Apache-2.0 */
/* Asks the control plane, or whether metrics could be published, and prints what it learnt as JSON.
 * usage: control_tool control ACCOUNT VPC SUBNET GROUPS SOURCE DESTINATION HOST TIMEOUT_MS
 *        control_tool publishing ENDPOINT TIMEOUT_MS
 * "-" stands for what is not known. Credentials and endpoints come from the environment. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#include "lattice-probe/aws_call.h"
#include "lattice-probe/control.h"
#include "lattice-probe/credentials.h"
#include "lattice-probe/imds.h"
#include "lattice-probe/loop.h"
#include "lattice-probe/publishing.h"

#define REGION "us-east-1"

struct tool {
	struct loop *loop;
	json_t *answer;
	bool is_done;
};

static void finish(struct tool *tool, json_t *answer)
{
	tool->answer = answer;
	tool->is_done = true;
}

static const char *claim_word(enum claim claim)
{
	static const char *const words[] = { "unknown", "no", "yes" };

	return words[claim];
}

static json_t *describe_ends(const struct evidence_control *control)
{
	static const char *const words[] = { "not_asked", "ok", "denied", "unreachable", "failed" };
	json_t *ends = json_object();

	for (size_t i = 0; i < CONTROL_CALLS; i++)
		(void)json_object_set_new(ends, control_call_action((enum control_call)i), json_string(words[control->ends[i]]));
	return ends;
}

static void on_control(void *user, const struct evidence_control *control)
{
	const struct { const char *name; enum claim claim; } claims[] = {
		{ "owns_vpc", control->owns_vpc }, { "is_associated", control->is_associated },
		{ "is_service_in_network", control->is_service_in_network }, { "dns_support", control->dns_support },
		{ "dns_hostnames", control->dns_hostnames }, { "instance_sg_allows", control->instance_sg_allows },
		{ "association_sg_allows", control->association_sg_allows }, { "nacl_allows_out", control->nacl_allows_out },
		{ "nacl_allows_back", control->nacl_allows_back }, { "has_route", control->has_route } };
	const struct { const char *name; const char *text; } texts[] = {
		{ "association_id", control->association_id }, { "association_status", control->association_status },
		{ "association_failure", control->association_failure }, { "service_network_id", control->service_network_id },
		{ "service_id", control->service_id }, { "generated_name", control->generated_name },
		{ "service_status", control->service_status }, { "blocked_by", control->blocked_by },
		{ "first_refusal", control->first_refusal } };
	json_t *answer = json_pack("{s:b,s:o,s:I,s:I}", "is_asked", control->is_asked, "ends", describe_ends(control),
		"networks", (json_int_t)control->lattice_networks.count, "elapsed_us", (json_int_t)control->elapsed_us);

	for (size_t i = 0; i < sizeof claims / sizeof *claims; i++)
		(void)json_object_set_new(answer, claims[i].name, json_string(claim_word(claims[i].claim)));
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		(void)json_object_set_new(answer, texts[i].name, json_string(texts[i].text));
	finish(user, answer);
}

static void on_publishing(void *user, const struct evidence_publishing *publishing)
{
	finish(user, json_pack("{s:b,s:b,s:s,s:s,s:s,s:b,s:s,s:i,s:s,s:s,s:I,s:I}", "is_asked", publishing->is_asked,
		"has_credentials", publishing->has_credentials, "source", publishing->source, "principal",
		publishing->principal, "why", publishing->why, "is_call_made", publishing->is_call_made, "class",
		aws_class_name(publishing->class_), "status", publishing->status, "code", publishing->code, "endpoint",
		publishing->endpoint, "skew_us", (json_int_t)publishing->skew_us, "elapsed_us",
		(json_int_t)publishing->elapsed_us));
}

static const char *known(const char *argument)
{
	return strcmp(argument, "-") == 0 ? "" : argument;
}

static bool start_control(struct tool *tool, struct aws_transport *transport, struct credentials *credentials, char **word)
{
	struct control_question question = { .region = REGION, .account_id = known(word[0]), .vpc_id = known(word[1]),
		.subnet_id = known(word[2]), .security_groups = known(word[3]), .host = word[6],
		.timeout_us = strtoll(word[7], NULL, 10) * US_PER_MS };

	if (known(word[4])[0] && parse_address(word[4], 0, &question.source) != 0)
		return false;
	if (known(word[5])[0] && parse_address(word[5], 443, &question.destination) != 0)
		return false;
	return control_start(tool->loop, transport, credentials, &question, on_control, tool);
}

static bool start(struct tool *tool, struct aws_transport *transport, struct credentials *credentials, int argc, char **argv)
{
	if (argc == 10 && strcmp(argv[1], "control") == 0)
		return start_control(tool, transport, credentials, argv + 2);
	if (argc == 4 && strcmp(argv[1], "publishing") == 0)
		return publishing_start(tool->loop, transport, credentials, REGION, argv[2], "LatticeProbe",
			strtoll(argv[3], NULL, 10) * US_PER_MS, on_publishing, tool);
	return false;
}

int main(int argc, char **argv)
{
	struct tool tool = { .loop = loop_new() };
	struct aws_transport *transport = aws_transport_new(tool.loop, &(struct aws_transport_options){
		.ca_file = getenv("AWS_CA_BUNDLE") });
	struct imds *imds = transport ? imds_new(tool.loop, aws_transport_http(transport)) : NULL;
	struct credentials *credentials = imds ? credentials_new(tool.loop, imds, transport) : NULL;
	bool is_started = credentials && start(&tool, transport, credentials, argc, argv);

	if (is_started)
		loop_run_until(tool.loop, &tool.is_done);
	if (tool.answer && json_dumpf(tool.answer, stdout, JSON_COMPACT) == 0)
		(void)putchar('\n');
	json_decref(tool.answer);
	credentials_free(credentials);
	imds_free(imds);
	aws_transport_free(transport);
	loop_free(tool.loop);
	return is_started && tool.is_done ? 0 : 2;
}
