/* SPDX-License-Identifier: Apache-2.0 */
/* xml: the text of one element, or each of many, of the little XML that AWS's query protocol answers with. Pure, bounded,
 * strict: a document that is not well-formed, or has what AWS does not send (document types, CDATA,
 * comments), gives nothing. */
#ifndef LATTICE_PROBE_XML_H
#define LATTICE_PROBE_XML_H

#include <stddef.h>

#include "lattice-probe/buf.h"

/* Appends the text of the element at `path` ("Root/Child/Leaf") to ret_text. 0; ERR_NOT_FOUND when
 * there is none; ERR_PROTOCOL when the document is not well-formed or has several; ERR_LIMIT,
 * ERR_NOMEM from ret_text. */
int xml_find(const char *text, size_t length_bytes, const char *path, struct buf *ret_text);

/* Hands each element at `path` to `visit`, in order: whole, with its tags, so that it is a document of
 * its own for the functions here; borrowed until visit returns. A visit that does not return 0 ends the
 * walk. 0, also for none; ERR_PROTOCOL before the first visit when the document is not well-formed; else
 * what visit returned. */
int xml_each(const char *text, size_t length_bytes, const char *path,
	int (*visit)(void *user, const char *element, size_t element_bytes), void *user);

#endif
