/* How a start, or an end, of services is shown: in a terminal a picture that redraws itself, a line
 * for each service, who waits for whom; elsewhere a line for each change. */
#pragma once

#include "base/clock.h"
#include "cli/project/service_list.h"
#include "cli/style.h"

typedef struct StartupView {
    Style style;
    bool live;      /* a picture */
    bool stopping;  /* it is an end */
    Nanos began;    /* monotonic */
    size_t drawn;   /* lines of the picture that stand on the screen */
    unsigned phase; /* of what turns */
} StartupView;

/* Draws it anew; `now` is monotonic. Only where it is live. */
void startup_view_draw(StartupView *view, const ServiceList *list, Nanos now);

/* Takes the picture off the screen. */
void startup_view_clear(StartupView *view);

/* Prints a line for each service of the change whose state is another. Only where it is not live. */
void startup_view_tell(const StartupView *view, const ServiceList *list,
                       const RtWatchServicesResponse *change);
