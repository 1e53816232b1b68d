/* The embedded files; made by tools/embed_page.py. Their content is compressed by gzip only: who
 * cannot take that gets it unpacked. */
#pragma once

#include "rpc/server.h"

/* What the page may load and run: its own files and nothing else. Styles may stand in the document,
 * since the terminal of the page writes its own. */
#define PAGE_POLICY                                                                                \
    "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self' 'unsafe-inline'; " \
    "img-src 'self' data: blob:; font-src 'self'; connect-src 'self'; base-uri 'none'; "           \
    "form-action 'none'; frame-ancestors 'none'"

extern const RpcAsset PAGE_FILES[];
extern const size_t PAGE_FILE_COUNT;
