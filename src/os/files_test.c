#include "os/files.h"

#include <errno.h>
#include <unistd.h>

#include "base/test.h"
#include "os/simulated_disk.h"

static void keeps_contract(Files *files, const char *folder) {
    char one[96], two[96], bytes[8] = {0};
    snprintf(one, sizeof one, "%s/one", folder);
    snprintf(two, sizeof two, "%s/two", folder);
    File *file, *again;
    assert_int_equal(files_folder(files, folder), 0);
    assert_int_equal(files_folder(files, folder), 0);
    assert_int_equal(files_open(files, one, FILE_WRITE, &file), -ENOENT);
    assert_int_equal(files_open(files, one, FILE_CREATE, &file), 0);
    assert_int_equal(files_open(files, one, FILE_CREATE, &again), -EEXIST);
    assert_int_equal(file_write(file, 2, SPAN("abc")), 0);
    assert_int_equal(file_size(file), 5);
    assert_int_equal(file_read(file, 1, bytes, sizeof bytes), 4);
    assert_memory_equal(bytes, "\0abc", 4);
    assert_int_equal(file_truncate(file, 3), 0);
    assert_int_equal(file_read(file, 2, bytes, sizeof bytes), 1);
    assert_int_equal(file_read(file, 3, bytes, sizeof bytes), 0);
    assert_int_equal(file_sync(file), 0);
    assert_int_equal(files_rename(files, one, two), 0);
    assert_int_equal(files_remove(files, one), -ENOENT);
    assert_int_equal(files_open(files, one, FILE_CREATE, &again), 0);
    file_close(again);
    FileNames names;
    assert_int_equal(files_list(files, folder, &names), 0);
    assert_int_equal(names.count, 2);
    assert_string_equal(names.items[0], "one");
    assert_string_equal(names.items[1], "two");
    file_names_done(&names);
    assert_int_equal(files_remove(files, one), 0);
    assert_int_equal(files_remove(files, two), 0);
    assert_int_equal(file_size(file), 3); /* without a name it lives on */
    assert_int_equal(files_sync(files, folder), 0);
    file_close(file);
}

static void the_machines_files_keep_the_contract(void **state) {
    (void)state;
    char folder[] = "/tmp/muster-files-XXXXXX";
    assert_non_null(mkdtemp(folder));
    keeps_contract(files_real(), folder);
    assert_int_equal(rmdir(folder), 0);
}

static void simulated_files_keep_the_contract(void **state) {
    (void)state;
    SimulatedDisk *disk = simulated_disk_new(1);
    keeps_contract(simulated_disk_files(disk), "/disk");
    simulated_disk_free(disk);
}

static int64_t size_of(Files *files, const char *path) {
    File *file;
    int r = files_open(files, path, FILE_READ, &file);
    if (r < 0)
        return r;
    int64_t size = file_size(file);
    file_close(file);
    return size;
}

static void a_power_cut_takes_what_was_not_synced(void **state) {
    (void)state;
    int names = 0, sizes = 0;
    for (uint64_t seed = 0; seed < 50; seed++) {
        SimulatedDisk *disk = simulated_disk_new(seed);
        Files *files = simulated_disk_files(disk);
        File *safe, *unsafe;
        char bytes[4096];
        memset(bytes, 'x', sizeof bytes);
        assert_int_equal(files_open(files, "/d/safe", FILE_CREATE, &safe), 0);
        assert_int_equal(file_write(safe, 0, span(bytes, 1000)), 0);
        assert_int_equal(file_sync(safe), 0);
        assert_int_equal(files_sync(files, "/d"), 0);
        assert_int_equal(files_open(files, "/d/unsafe", FILE_CREATE, &unsafe), 0);
        assert_int_equal(file_write(safe, 1000, span(bytes, sizeof bytes)), 0);
        file_close(unsafe);
        simulated_disk_crash(disk, false);
        assert_int_equal(file_size(safe), 5096);
        file_close(safe);
        simulated_disk_crash(disk, true);
        names += size_of(files, "/d/unsafe") == 0;
        int64_t size = size_of(files, "/d/safe");
        assert_true(size >= 1000 && size <= 5096);
        sizes += size == 1000 || size == 5096 ? 0 : 1;
        assert_int_equal(files_open(files, "/d/safe", FILE_READ, &safe), 0);
        assert_int_equal(file_read(safe, 0, bytes, 1000), 1000);
        for (int i = 0; i < 1000; i++)
            assert_int_equal(bytes[i], 'x');
        file_close(safe);
        simulated_disk_free(disk);
    }
    assert_in_range(names, 10, 40);
    assert_in_range(sizes, 30, 50);
}

static void a_disk_fails_when_told(void **state) {
    (void)state;
    SimulatedDisk *disk = simulated_disk_new(7);
    Files *files = simulated_disk_files(disk);
    File *file;
    char bytes[5000];
    memset(bytes, 'x', sizeof bytes);
    assert_int_equal(files_open(files, "/d/file", FILE_CREATE, &file), 0);
    simulated_disk_limit(disk, 4096);
    assert_int_equal(file_write(file, 0, span(bytes, sizeof bytes)), -ENOSPC);
    simulated_disk_limit(disk, 0);
    simulated_disk_kill_after(disk, 1);
    assert_int_equal(file_write(file, 0, span(bytes, 10)), 0);
    assert_int_equal(file_write(file, 10, span(bytes, 4000)), -EIO);
    assert_true(simulated_disk_is_dead(disk));
    assert_int_equal(file_read(file, 0, bytes, 1), -EIO);
    simulated_disk_crash(disk, false);
    assert_in_range(file_size(file), 10, 4009); /* the last write was torn */
    simulated_disk_fail(disk, 0, 1000000);
    assert_int_equal(file_sync(file), -EIO);
    file_close(file);
    simulated_disk_free(disk);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_machines_files_keep_the_contract),
        cmocka_unit_test(simulated_files_keep_the_contract),
        cmocka_unit_test(a_power_cut_takes_what_was_not_synced),
        cmocka_unit_test(a_disk_fails_when_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
