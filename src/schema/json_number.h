/* Numbers in JSON as protobuf takes them: bare or in quotes; integers also with a fraction or an
 * exponent as long as the value is whole ("1.0", 1e3), exact to all 64 bits. */
#pragma once

#include "schema/json_reader.h"

/* An integer of which the type allows -`below` … `above`. `type` names it in errors. The result
 * is in two's complement. */
int json_read_integer(JsonReader *reader, uint64_t below, uint64_t above, const char *type,
                      uint64_t *ret);

/* Also the strings "NaN", "Infinity" and "-Infinity". A value that only infinity is near to is
 * refused. */
int json_read_double(JsonReader *reader, double *ret);
int json_read_float(JsonReader *reader, float *ret);
