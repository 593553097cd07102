/* Remember what of a folder would survive a power cut: loaded into a process with LD_PRELOAD.

   UNSYNCED_ROOT    the folder that is watched
   UNSYNCED_SHADOW  where to remember: f-KEY is the content of a file, d-KEY the names in a folder, each as of
                    the last fsync or fdatasync that returned; d-root is the watched folder itself

   KEY is inode number and time of birth, because numbers are used again. Nothing is really synced: the page
   cache stays, and the campaign throws away what the shadow does not have. */

#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;

static int key_of(int at, const char *name, char *key, size_t size, int *is_folder) {
    struct statx found;
    if (statx(at, name, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, &found))
        return -1;
    *is_folder = S_ISDIR(found.stx_mode);
    snprintf(key, size, "%llu-%lld-%u", (unsigned long long)found.stx_ino, (long long)found.stx_btime.tv_sec,
             found.stx_btime.tv_nsec);
    return 0;
}

static void remember_file(int fd, FILE *out) {
    /* Opened anew, since the descriptor may be for writing only, and its offset is its owner's. */
    char path[64], block[65536];
    ssize_t count;
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int copy = open(path, O_RDONLY);
    if (copy < 0)
        abort();
    while ((count = read(copy, block, sizeof block)) > 0)
        fwrite(block, 1, (size_t)count, out);
    close(copy);
}

static void remember_folder(int fd, FILE *out) {
    char key[80];
    int is_folder;
    struct dirent *entry;
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY);
    DIR *folder = copy < 0 ? NULL : fdopendir(copy);
    if (!folder)
        abort();
    while ((entry = readdir(folder)))
        if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, "..") &&
            !key_of(copy, entry->d_name, key, sizeof key, &is_folder))
            fprintf(out, "%c %s %s\n", is_folder ? 'd' : 'f', key, entry->d_name);
    closedir(folder);
}

static int remember(int fd) {
    const char *root = getenv("UNSYNCED_ROOT"), *shadow = getenv("UNSYNCED_SHADOW");
    char link[64], path[4096], key[80], kept[4200], part[4240];
    int is_folder;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (!root || !shadow || length < 0)
        return 0;
    path[length] = 0;
    size_t depth = strlen(root);
    if (strncmp(path, root, depth) || (path[depth] && path[depth] != '/'))
        return 0;
    if (key_of(fd, "", key, sizeof key, &is_folder))
        abort();
    snprintf(kept, sizeof kept, "%s/%c-%s", shadow, is_folder ? 'd' : 'f', path[depth] ? key : "root");
    snprintf(part, sizeof part, "%s.part", kept);
    pthread_mutex_lock(&one_at_a_time);
    FILE *out = fopen(part, "w");
    if (!out)
        abort();
    (is_folder ? remember_folder : remember_file)(fd, out);
    fclose(out);
    rename(part, kept);
    pthread_mutex_unlock(&one_at_a_time);
    return 0;
}

int fsync(int fd) { return remember(fd); }
int fdatasync(int fd) { return remember(fd); }
