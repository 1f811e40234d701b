/* SPDX-License-Identifier: Apache-2.0 */
/* credentials_xml: the XML in which STS hands out keys
 * (https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRoleWithWebIdentity.html). Pure. */
#ifndef LATTICE_PROBE_CREDENTIALS_XML_H
#define LATTICE_PROBE_CREDENTIALS_XML_H

#include <stddef.h>

struct credentials_set;

/* The response of AssumeRoleWithWebIdentity. 0, gives a set; ERR_PROTOCOL; ERR_NOMEM. */
int credentials_xml_parse(const char *text, size_t length_bytes, struct credentials_set *ret_set);

#endif
