/* SPDX-License-Identifier: Apache-2.0 */
/* verdict_lattice: which answers are VPC Lattice's own. Pure. AWS documents no mark on what Lattice itself writes, so these
 * two claims are made on strong evidence only; everything else stays http_status. */
#ifndef LATTICE_PROBE_VERDICT_LATTICE_H
#define LATTICE_PROBE_VERDICT_LATTICE_H

#include <stdbool.h>
#include <stddef.h>

struct http_reply;
struct target;

/* A 403 whose body is Lattice's refusal: "AccessDeniedException: User: … is not authorized to
 * perform: vpc-lattice-svcs:Invoke on resource: …". Basis: observed in many public transcripts; that
 * action is Lattice's own, so an application has no reason to write it. */
bool verdict_lattice_is_auth_denied(const struct http_reply *reply);

/* Who was refused and by which kind of policy, without account ids and names. */
void verdict_lattice_describe_denial(const struct http_reply *reply, char *ret_detail, size_t detail_size);

/* A 404 that Lattice wrote because nothing is routed there. All of this must hold:
 * - the request carried an x-amzn-requestid of ours and it came back: the answer crossed Lattice
 *   (documented: VPC Lattice User Guide, "Access logs", requestId);
 * - the body is empty: a fixed response has a status code and nothing else (documented: API
 *   reference, FixedResponseAction);
 * - the target declares headers that its application always sends (expect_header) and none of them
 *   is there; nor is there any header beyond date, content-length, connection and the request id
 *   (inferred: an application would have left one).
 * A bare 404 never suffices: many applications answer just that. */
bool verdict_lattice_is_no_route(const struct target *target, const struct http_reply *reply);

/* No header but date, content-length, connection and the request id. */
bool verdict_lattice_is_bare(const struct http_reply *reply);

/* Copies text with account ids (twelve digits) and the names behind user/, role/ and assumed-role/
 * in ARNs masked, and what cannot be printed replaced. */
void verdict_lattice_redact(const char *text, size_t length, char *ret_text, size_t size);

#endif
