/* A project of a thousand services, as YAML: what each program reads. */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#define SERVICES 1000
#define READS    20

static inline void write_service(FILE *out, int i) {
    fprintf(out,
            "  service-%d:\n"
            "    description: Service number %d\n"
            "    command: [./bin/server, --id, \"%d\", --port, \"${PORT}\"]\n"
            "    working_dir: services/%d\n"
            "    env:\n"
            "      LOG_LEVEL: info\n"
            "      REGION: ${REGION:-eu}\n"
            "    ports: {http: %d}\n"
            "    labels: {team: t%d, tier: backend}\n"
            "    start_order: %d\n"
            "    restart: {policy: on-failure, initial: 1s, max: 30s}\n"
            "    health_check:\n"
            "      type: http\n"
            "      endpoint: /health\n"
            "      interval: 10s\n"
            "      timeout: 3s\n",
            i, i, i, i % 50, 10000 + i, i % 10, i / 100 + 1);
    if (i)
        fprintf(out, "    depends_on: {service-%d: {condition: started}}\n", i - 1);
}

/* To be freed. */
static inline char *project_text(size_t *ret_size) {
    char *text = NULL;
    FILE *out = open_memstream(&text, ret_size);
    fprintf(out, "project: thousand\nservices:\n");
    for (int i = 0; i < SERVICES; i++)
        write_service(out, i);
    fclose(out);
    return text;
}
