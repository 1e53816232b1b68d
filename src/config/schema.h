/* What the table of rules says to others. */
#pragma once

#include "base/buf.h"

/* Appends the JSON schema of muster.yaml (draft 2020-12), for editors. */
void config_schema(Buf *out);

/* Appends the reference of all fields, as Markdown: a part of docs/configuration.md. */
void config_reference(Buf *out);
