#include "os/owner.h"

#include <sys/stat.h>
#include <unistd.h>

bool owner_is_us(const char *path) {
    struct stat link, about;
    return lstat(path, &link) == 0 && stat(path, &about) == 0 && link.st_uid == geteuid() &&
           about.st_uid == geteuid();
}

static bool is_one_of(uid_t owner, uid_t of_here) {
    return owner == geteuid() || owner == 0 || owner == of_here;
}

bool owner_is_trusted(const char *path, const char *here) {
    struct stat link, about, folder;
    return lstat(path, &link) == 0 && stat(path, &about) == 0 && stat(here, &folder) == 0 &&
           is_one_of(link.st_uid, folder.st_uid) && is_one_of(about.st_uid, folder.st_uid);
}
