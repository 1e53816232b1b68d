/* What `muster doctor` finds out about this machine. */
#pragma once

#include "base/array.h"
#include "base/buf.h"

typedef enum FindingState {
    FINDING_GOOD,
    FINDING_ODD, /* works, with less */
    FINDING_BAD, /* Muster cannot work */
} FindingState;

typedef struct Finding {
    const char *name;
    FindingState state;
    Buf text;   /* what was found */
    Buf remedy; /* how to mend it; empty when all is well */
} Finding;

typedef struct Doctor {
    const char *data_folder; /* it need not exist */
    Buf runtime;             /* what its "address" says; empty: nothing */
    ARRAY(Finding) findings;
} Doctor;

/* Each adds a finding. */
Finding *doctor_finding(Doctor *doctor, const char *name, FindingState state, const char *text, ...)
    __attribute__((format(printf, 4, 5)));
void doctor_remedy(Finding *finding, const char *text, ...) __attribute__((format(printf, 2, 3)));

/* The kernel and what the keeper needs of it (doctor_system.c). */
void doctor_check_kernel(Doctor *doctor);
void doctor_check_proc(Doctor *doctor);
void doctor_check_cgroup(Doctor *doctor);
void doctor_check_limits(Doctor *doctor);
void doctor_check_terminal(Doctor *doctor);
void doctor_check_shell(Doctor *doctor);
void doctor_check_memory(Doctor *doctor);
void doctor_check_clock(Doctor *doctor);
void doctor_check_locale(Doctor *doctor);

/* The folder and the port (doctor_place.c). */
void doctor_check_folder(Doctor *doctor);
void doctor_check_space(Doctor *doctor);
void doctor_check_port(Doctor *doctor);
