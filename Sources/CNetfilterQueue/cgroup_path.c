/// From a cgroup's id to its path.

#define _GNU_SOURCE
#include "CSocketDiag.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/// FILEID_KERNFS (linux/exportfs.h): the handle is the node's 64-bit id, which for a cgroup is the cgroup's.
#define KERNFS_HANDLE 0xfe

csd_path_status csd_cgroup_path(int mount_descriptor, uint64_t id, char *path, size_t size, int *error_number) {
  *error_number = 0;
  union {
    struct file_handle handle;
    uint8_t room[sizeof(struct file_handle) + sizeof(uint64_t)];
  } request;
  memset(&request, 0, sizeof request);
  request.handle.handle_bytes = sizeof id;
  request.handle.handle_type = KERNFS_HANDLE;
  memcpy(request.room + offsetof(struct file_handle, f_handle), &id, sizeof id);

  // A directory that is only named, not opened for reading: the id may be of any depth and owner.
  const int found = open_by_handle_at(mount_descriptor, &request.handle, O_PATH | O_CLOEXEC);
  if (found < 0) {
    *error_number = errno;
    switch (errno) {
      case ESTALE:
      case ENOENT: return CSD_PATH_GONE;
      case EPERM:
      case EACCES:
      case EOPNOTSUPP:
      case ENOSYS:
      case EINVAL: return CSD_PATH_NOT_PERMITTED;
      default: return CSD_PATH_ERROR;
    }
  }
  char link[32];
  (void)snprintf(link, sizeof link, "/proc/self/fd/%d", found);
  const ssize_t length = readlink(link, path, size);
  *error_number = length < 0 ? errno : ENAMETOOLONG;
  close(found);
  if (length < 0 || (size_t)length >= size) return CSD_PATH_ERROR;
  path[length] = 0;
  *error_number = 0;
  return CSD_PATH_FOUND;
}
