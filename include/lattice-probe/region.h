/* SPDX-License-Identifier: Apache-2.0 */
/* region: which AWS region this agent works in: configured, else AWS_REGION, else AWS_DEFAULT_REGION,
 * else the profile's `region`, else the instance's own from IMDS
 * (https://docs.aws.amazon.com/sdkref/latest/guide/feature-region.html). */
#ifndef LATTICE_PROBE_REGION_H
#define LATTICE_PROBE_REGION_H

struct imds;
struct loop;
struct region_search;

/* `configured`: the setting, NULL or "" or "auto" for none; borrows until return. `found` runs once,
 * never from inside this call, and the handle dies with it: err 0, the region (borrowed until the
 * callback returns) and where it comes from ("configuration", "AWS_REGION", "profile", "imds", …); or
 * err < 0, region "" and in `source` a static sentence that says what to do. NULL: no memory. */
struct region_search *region_find(struct loop *loop, struct imds *imds, const char *configured,
	void (*found)(void *user, int err, const char *region, const char *source), void *user);
void region_cancel(struct region_search *search); /* NULL is fine */

#endif
