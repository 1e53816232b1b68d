/* The page: the dashboard's files, built by dashboard/ and embedded in the program. */
#pragma once

#include "rpc/server.h"

/* Serves the page's files, and the page itself for every path that is nothing else, so that a
 * reload finds each of its views. */
void page_serve(RpcServer *server);
