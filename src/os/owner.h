/* Whose files are believed that were found on the way up, not named: in a folder that all may write
 * to, as /tmp, anybody can lay one for others to find. A link is somebody's as well as what it leads
 * to. */
#pragma once

#include <stdbool.h>

/* There, and our own: asked of what says where a runtime is and which processes are to end. */
bool owner_is_us(const char *path);

/* There, and our own, root's, or of who owns the folder `here`: asked of what says what to run. */
bool owner_is_trusted(const char *path, const char *here);
