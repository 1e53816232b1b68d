/* The embedded files; made by tools/embed_page.py. Their content is compressed by gzip only: who
 * cannot take that gets it unpacked. */
#pragma once

#include "rpc/server.h"

extern const RpcAsset PAGE_FILES[];
extern const size_t PAGE_FILE_COUNT;
