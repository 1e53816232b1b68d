#include "page/page.h"

#include "page/page_files.h"

void page_serve(RpcServer *server) {
    const RpcAsset *fallback = NULL;
    for (size_t i = 0; i < PAGE_FILE_COUNT; i++)
        if (strcmp(PAGE_FILES[i].path, "/index.html") == 0)
            fallback = &PAGE_FILES[i];
    rpc_server_assets(server, PAGE_FILES, PAGE_FILE_COUNT, fallback);
}
