/* SPDX-License-Identifier: Apache-2.0 */
/* Credentials, then up to four calls at a time until no question is left that can be asked, or the time
 * is over. What an endpoint that cannot be reached was to be asked is not asked of it again. */
#include "lattice-probe/control.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control_internal.h"

#include "lattice-probe/aws_call.h"
#include "lattice-probe/credentials.h"
#include "lattice-probe/endpoint.h"
#include "lattice-probe/loop.h"

#define IN_FLIGHT_MAX 4
#define PAGES_MAX 20
#define CALL_TIMEOUT_US (4 * US_PER_S)
#define REQUEST_MAX_BYTES (16 * 1024)

enum service { SERVICE_EC2, SERVICE_LATTICE, SERVICES };

static const char *const service_names[SERVICES] = { "ec2", "vpc-lattice" };

struct job {
	struct control *control;
	struct aws_call *call;
	struct buf body;
	struct control_page page;
	int pages;
	bool is_signed_again; /* after a refusal for the time */
};

struct control {
	struct loop *loop;
	struct aws_transport *transport;
	struct credentials *credentials;
	char endpoints[SERVICES][ENDPOINT_SIZE]; /* "" there is none */
	bool is_unreachable[SERVICES];
	struct control_facts facts;
	struct job jobs[JOB_COUNT];
	bool has_ended[JOB_COUNT];
	int in_flight;
	struct mono started;
	struct mono deadline;
	struct loop_timer timer; /* the deadline, or the end that is due at once */
	bool is_waiting;         /* for credentials */
	struct evidence_control evidence;
	void (*finished)(void *user, const struct evidence_control *control);
	void *user;
};

/* CONTROL_PREFIX_LISTS has two actions behind it: this is the second. */
static const char entries_action[] = "ec2:GetManagedPrefixListEntries";

const char *control_call_action(enum control_call call)
{
	static const char *const actions[CONTROL_CALLS] = {
		[CONTROL_VPC_ASSOCIATIONS] = "vpc-lattice:ListServiceNetworkVpcAssociations",
		[CONTROL_VPC_ASSOCIATION] = "vpc-lattice:GetServiceNetworkVpcAssociation",
		[CONTROL_SERVICE_ASSOCIATIONS] = "vpc-lattice:ListServiceNetworkServiceAssociations",
		[CONTROL_VPC] = "ec2:DescribeVpcs",
		[CONTROL_DNS_ATTRIBUTES] = "ec2:DescribeVpcAttribute",
		[CONTROL_SECURITY_GROUPS] = "ec2:DescribeSecurityGroups",
		[CONTROL_ROUTE_TABLES] = "ec2:DescribeRouteTables",
		[CONTROL_NETWORK_ACLS] = "ec2:DescribeNetworkAcls",
		[CONTROL_PREFIX_LISTS] = "ec2:DescribeManagedPrefixLists",
	};

	return (unsigned)call < CONTROL_CALLS ? actions[call] : "";
}

const char *control_action(size_t place)
{
	if (place < CONTROL_CALLS)
		return control_call_action((enum control_call)place);
	return place == CONTROL_CALLS ? entries_action : NULL;
}

/* ---- the end ------------------------------------------------------------------------------ */

void control_cancel(struct control *control)
{
	if (!control)
		return;
	loop_timer_stop(control->loop, &control->timer);
	if (control->is_waiting)
		credentials_wait_cancel(control->credentials, control);
	for (size_t i = 0; i < JOB_COUNT; i++) {
		aws_call_cancel(control->jobs[i].call);
		buf_done(&control->jobs[i].body);
	}
	control_groups_done(&control->facts.groups);
	free(control);
}

static void finish(struct control *control)
{
	control_claims_fill(&control->facts, &control->evidence);
	control->evidence.elapsed_us = mono_since(mono_now(), control->started);
	control->finished(control->user, &control->evidence);
	control_cancel(control);
}

/* Of several jobs for one call the first that fails is told of. */
static void note_end(struct control *control, enum control_job job, enum control_end end)
{
	enum control_end *noted = &control->evidence.ends[control_jobs_call(job)];

	if (*noted == CONTROL_NOT_ASKED || *noted == CONTROL_OK)
		*noted = end;
	control->has_ended[job] = true;
}

static void on_deadline(void *user)
{
	struct control *control = user;

	for (enum control_job job = 0; job < JOB_COUNT; job++)
		if (!control->has_ended[job] && control->evidence.is_asked &&
		    (control->jobs[job].call || control_jobs_next(job, &control->facts, control->has_ended) == CONTROL_NEXT_ASK))
			note_end(control, job, CONTROL_UNREACHABLE);
	finish(control);
}

static void on_nothing_to_ask(void *user)
{
	finish(user);
}

/* ---- calls -------------------------------------------------------------------------------- */

static void advance(struct control *control);

static enum service service_of(enum control_job job)
{
	return control_jobs_is_lattice(job) ? SERVICE_LATTICE : SERVICE_EC2;
}

static enum control_end end_of(enum aws_class class_)
{
	switch (class_) {
	case AWS_CLASS_OK: return CONTROL_OK;
	case AWS_CLASS_DENIED: return CONTROL_DENIED;
	case AWS_CLASS_TIMEOUT:
	case AWS_CLASS_IN_DOUBT:
	case AWS_CLASS_TLS:
	case AWS_CLASS_UNREACHABLE: return CONTROL_UNREACHABLE;
	case AWS_CLASS_THROTTLED:
	case AWS_CLASS_SERVER:
	case AWS_CLASS_INVALID:
	case AWS_CLASS_TOO_LARGE:
	case AWS_CLASS_EXPIRED:
	case AWS_CLASS_SKEWED:
	case AWS_CLASS_LOCAL: break;
	}
	return CONTROL_FAILED;
}

static const char *action_of(enum control_job job)
{
	if (job == JOB_ENTRIES_IPV4 || job == JOB_ENTRIES_IPV6)
		return entries_action;
	return control_call_action(control_jobs_call(job));
}

static void note_refusal(struct control *control, enum control_job job, const struct aws_reply *reply)
{
	char *refusal = control->evidence.first_refusal;
	const size_t size = sizeof control->evidence.first_refusal;

	if (!refusal[0])
		(void)snprintf(refusal, size, "%s: %.40s %.64s", action_of(job), reply->code, reply->message);
}

static enum control_end read_reply(struct control *control, enum control_job job, const struct aws_reply *reply)
{
	struct job *asked = &control->jobs[job];

	asked->page.token[0] = '\0';
	if (control_jobs_read(job, reply->body ? reply->body : "", reply->body_bytes, &control->facts, &asked->page) != 0)
		return CONTROL_FAILED;
	asked->pages++;
	return asked->page.token[0] && asked->pages == PAGES_MAX ? CONTROL_FAILED : CONTROL_OK;
}

/* Whether the job is to be asked once more: for its next page, or signed for the clock of AWS. */
static bool goes_on(struct control *control, enum control_job job, const struct aws_reply *reply,
	enum control_end *ret_end)
{
	struct job *asked = &control->jobs[job];

	*ret_end = end_of(reply->class_);
	if (reply->class_ == AWS_CLASS_SKEWED && !asked->is_signed_again) {
		asked->is_signed_again = true;
		return true;
	}
	if (*ret_end == CONTROL_OK)
		*ret_end = read_reply(control, job, reply);
	return *ret_end == CONTROL_OK && asked->page.token[0];
}

static bool start_call(struct control *control, enum control_job job);

static void on_reply(void *user, const struct aws_reply *reply)
{
	struct job *asked = user;
	struct control *control = asked->control;
	enum control_job job = (enum control_job)(asked - control->jobs);
	enum control_end end;

	asked->call = NULL;
	control->in_flight--;
	if (goes_on(control, job, reply, &end)) {
		if (start_call(control, job))
			return;
		end = CONTROL_FAILED;
	}
	if (end == CONTROL_DENIED)
		note_refusal(control, job, reply);
	if (end == CONTROL_UNREACHABLE)
		control->is_unreachable[service_of(job)] = true;
	control->facts.is_known[job] = end == CONTROL_OK;
	note_end(control, job, end);
	advance(control);
}

/* What VPC Lattice is asked stands in the URL, what EC2 is asked in the body. */
static int write_request(struct control *control, enum control_job job, struct aws_request *request)
{
	struct job *asked = &control->jobs[job];
	struct buf *text = &asked->body;
	size_t path_at;

	buf_clear(text);
	if (!control_jobs_is_lattice(job)) {
		request->endpoint = control->endpoints[SERVICE_EC2];
		(void)control_jobs_write(job, &control->facts, &asked->page, text);
		request->body = text->data;
		request->body_bytes = text->length_bytes;
		return text->failed;
	}
	(void)buf_append_text(text, control->endpoints[SERVICE_LATTICE]);
	path_at = text->length_bytes;
	while (path_at > 0 && text->data[path_at - 1] == '/')
		path_at--;
	text->length_bytes = path_at;
	(void)control_jobs_write(job, &control->facts, &asked->page, text);
	request->endpoint = buf_text(text);
	request->method = "GET";
	return text->failed;
}

static bool start_call(struct control *control, enum control_job job)
{
	static const struct sigv4_header form = { "content-type", "application/x-www-form-urlencoded; charset=utf-8" };
	int64_t left_us = mono_since(control->deadline, mono_now());
	struct aws_request request = { .service = service_names[service_of(job)], .region = control->facts.region,
		.timeout_us = left_us < CALL_TIMEOUT_US ? left_us : CALL_TIMEOUT_US, .max_reply_bytes = AWS_REPLY_MAX_BYTES };
	const char *why;

	request.credentials = credentials_get(control->credentials, &why);
	if (!request.credentials || left_us <= 0 || write_request(control, job, &request) != 0)
		return false;
	if (request.body) {
		request.headers = &form;
		request.header_count = 1;
	}
	control->jobs[job].call = aws_call_start(control->transport, &request, on_reply, &control->jobs[job]);
	if (!control->jobs[job].call)
		return false;
	control->evidence.is_asked = true;
	control->in_flight++;
	return true;
}

static void start_job(struct control *control, enum control_job job)
{
	enum service service = service_of(job);

	if (control->is_unreachable[service])
		note_end(control, job, CONTROL_UNREACHABLE);
	else if (!control->endpoints[service][0] || !start_call(control, job))
		note_end(control, job, CONTROL_FAILED);
}

/* A job comes after those that it waits for, so one pass settles all that can be settled. */
static void advance(struct control *control)
{
	bool is_open = false;

	for (enum control_job job = 0; job < JOB_COUNT; job++) {
		enum control_next next;

		if (control->has_ended[job])
			continue;
		next = control->jobs[job].call ? CONTROL_NEXT_WAIT :
			control_jobs_next(job, &control->facts, control->has_ended);
		if (next == CONTROL_NEXT_SKIP)
			control->has_ended[job] = true;
		else if (next == CONTROL_NEXT_ASK && control->in_flight < IN_FLIGHT_MAX)
			start_job(control, job);
		is_open |= !control->has_ended[job];
	}
	if (!is_open)
		finish(control);
}

/* ---- the start ---------------------------------------------------------------------------- */

static void on_credentials(void *user, int err, const char *why)
{
	struct control *control = user;

	(void)why;
	control->is_waiting = false;
	if (err)
		finish(control);
	else
		advance(control);
}

static void copy_question(struct control *control, const struct control_question *question)
{
	struct control_facts *facts = &control->facts;

	(void)snprintf(facts->region, sizeof facts->region, "%s", question->region);
	(void)snprintf(facts->account_id, sizeof facts->account_id, "%s", question->account_id);
	(void)snprintf(facts->vpc_id, sizeof facts->vpc_id, "%s", question->vpc_id);
	(void)snprintf(facts->subnet_id, sizeof facts->subnet_id, "%s", question->subnet_id);
	(void)snprintf(facts->own_groups, sizeof facts->own_groups, "%s", question->security_groups);
	(void)snprintf(facts->host, sizeof facts->host, "%s", question->host);
	facts->source = question->source;
	facts->destination = question->destination;
	for (size_t i = 0; i < SERVICES; i++)
		if (endpoint_find(service_names[i], question->region, control->endpoints[i]) != 0)
			control->endpoints[i][0] = '\0';
	for (size_t i = 0; i < JOB_COUNT; i++) {
		control->jobs[i].control = control;
		buf_init(&control->jobs[i].body, REQUEST_MAX_BYTES);
	}
}

struct control *control_start(struct loop *loop, struct aws_transport *transport,
	struct credentials *credentials, const struct control_question *question,
	void (*finished)(void *user, const struct evidence_control *control), void *user)
{
	struct control *control = calloc(1, sizeof *control);
	bool can_ask = question->vpc_id[0] && question->region[0];

	if (!control)
		return NULL;
	control->loop = loop;
	control->transport = transport;
	control->credentials = credentials;
	control->finished = finished;
	control->user = user;
	control->started = mono_now();
	control->deadline = mono_add(control->started, question->timeout_us);
	copy_question(control, question);
	if (loop_timer_start(loop, &control->timer, can_ask ? control->deadline : control->started,
		can_ask ? on_deadline : on_nothing_to_ask, control) != 0)
		goto fail;
	if (can_ask && credentials_wait(credentials, on_credentials, control) != 0)
		goto fail;
	control->is_waiting = can_ask;
	return control;
fail:
	control_cancel(control);
	return NULL;
}
