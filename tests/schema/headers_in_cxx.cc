#include "google/protobuf/struct.pb.h"
#include "kinds.pb.h"
#include "legacy.pb.h"
#include "names.pb.h"
#include "runtime/v1/orchestrator.pb.h"
#include "runtime/v1/topology.pb.h"

/* Members of every shape, under names that C++ has for itself. */
extern "C" const SchemaMessage *headers_in_cxx(NamesKeywords *keywords, KindsOneofs *oneofs);

const SchemaMessage *headers_in_cxx(NamesKeywords *keywords, KindsOneofs *oneofs) {
    keywords->class_ = oneofs->string;
    keywords->template_ = keywords->for_.items[0];
    oneofs->which_wide = KindsOneofs_string_number;
    return NamesThings_service.methods[NamesThings_Get].input;
}
