"""Folders opened one below the other without following links, and files in them that are whole or
absent.

`DirectoryNode` uses nothing but these. A link, pipe, socket, device or folder that somebody puts
where a value or one of its folders should be is never followed, opened or waited for.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Sequence
from typing import Self

# Windows has no descriptors of folders; there every path is built anew, and links are looked for
# first.
_HAS_DESCRIPTORS = os.open in os.supports_dir_fd
_FOLDER_FLAGS = os.O_RDONLY | getattr(os, "O_DIRECTORY", 0)
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_FILE_FLAGS = os.O_RDONLY | _NO_FOLLOW | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_NEW_FILE_FLAGS = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_FOLLOW | getattr(os, "O_BINARY", 0)
# What opening a folder raises for anything else; for a link one or the other, by system.
_NOT_A_FOLDER = (errno.ELOOP, errno.ENOTDIR, errno.EMLINK)

# What a file system without hard links raises when one is made.
_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS)


class OpenFolder:
    """A folder, held by a descriptor, so that every name below it means what it meant a moment ago.

    A context manager. All methods raise OSError.
    """

    def __init__(self, path: str, descriptor: int | None) -> None:
        self._path = path  # used only where there are no descriptors
        self.descriptor = descriptor

    @classmethod
    def open(cls, path: str) -> Self:
        """Open a folder by its path; links on the way are followed, for the path is its owner's."""
        if not _HAS_DESCRIPTORS:
            if not stat.S_ISDIR(os.stat(path).st_mode):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            return cls(path, None)
        return cls(path, os.open(path, _FOLDER_FLAGS))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the descriptor."""
        if self.descriptor is not None:
            os.close(self.descriptor)

    def at(self, name: str) -> str:
        """Return what to give the system for a name in this folder, beside `dir_fd=descriptor`."""
        return name if self.descriptor is not None else os.path.join(self._path, name)

    # --- folders --------------------------------------------------------------------------------

    def folder(self, name: str) -> OpenFolder:
        """Open a folder in this one. A link is not followed: NotADirectoryError, or ELOOP."""
        if self.descriptor is None:
            self.require_no_link(name)
            return OpenFolder.open(self.at(name))
        descriptor = os.open(name, _FOLDER_FLAGS | _NO_FOLLOW, dir_fd=self.descriptor)
        return OpenFolder(name, descriptor)

    def below(self, names: Sequence[str]) -> OpenFolder:
        """Open a folder by the names that lead to it, one after the other. The caller closes it."""
        if not names:
            return self.duplicate()
        current = self.folder(names[0])
        for name in names[1:]:
            with current:
                current = current.folder(name)
        return current

    def make_below(self, names: Sequence[str], *, sync: bool) -> OpenFolder:
        """Open a folder as `below`, and make those on the way that are not there, with mode 0700.

        Whatever on the way is not a folder is removed, and a folder made in its place. sync: put
        each new folder's entry on the medium.
        """
        current = self.duplicate()
        for name in names:
            with current:
                current = current.make_folder(name, sync=sync)
        return current

    def make_folder(self, name: str, *, sync: bool) -> OpenFolder:
        """Open a folder in this one, and make it if it is not there or is not a folder."""
        try:
            return self.folder(name)
        except FileNotFoundError:
            pass
        except OSError as error:
            if error.errno not in _NOT_A_FOLDER:
                raise
            # A link, pipe, socket, device or file: no value lies there, because the names of values
            # end otherwise. What a link points to stays as it is.
            self.unlink_unless_folder(name)
        try:
            os.mkdir(self.at(name), 0o700, dir_fd=self.descriptor)
        except FileExistsError:
            # Another thread or process was quicker.
            return self.folder(name)
        if sync:
            self.sync()
        return self.folder(name)

    def duplicate(self) -> OpenFolder:
        """Return another handle of the same folder."""
        if self.descriptor is None:
            return OpenFolder(self._path, None)
        return OpenFolder(self._path, os.dup(self.descriptor))

    def sync(self) -> None:
        """Put the folder's entries on the medium: until then a power cut may undo them."""
        # Windows offers no handle for this; its file systems log the entries themselves.
        if self.descriptor is not None:
            os.fsync(self.descriptor)

    def entries(self) -> list[tuple[str, bool]]:
        """Return (name, whether it is a folder itself) of every entry, in order of the names."""
        place = self._path if self.descriptor is None else self.descriptor
        found = []
        with os.scandir(place) as entries:
            for entry in entries:
                found.append((entry.name, entry.is_dir(follow_symlinks=False)))
        return sorted(found)

    # --- entries --------------------------------------------------------------------------------

    def exists(self, name: str) -> bool:
        """Tell whether there is an entry of this name, of whatever kind; links are not followed."""
        try:
            os.stat(self.at(name), dir_fd=self.descriptor, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def is_link(self, name: str) -> bool:
        """Tell whether the entry is a symbolic link. Raises FileNotFoundError if there is none."""
        found = os.stat(self.at(name), dir_fd=self.descriptor, follow_symlinks=False)
        return stat.S_ISLNK(found.st_mode)

    def unlink_unless_folder(self, name: str) -> bool:
        """Remove an entry that is not a folder, without opening or following it.

        Returns False for a folder, which stays. Raises FileNotFoundError if there is no entry.
        """
        found = os.stat(self.at(name), dir_fd=self.descriptor, follow_symlinks=False)
        if stat.S_ISDIR(found.st_mode):
            return False
        try:
            self.unlink(name)
        except IsADirectoryError:
            # Another thread or process has just put a folder in its place.
            return False
        return True

    def require_no_link(self, name: str) -> None:
        """Raise ELOOP for a link, as opening with O_NOFOLLOW does."""
        if self.is_link(name):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))

    def open_file(self, name: str) -> int:
        """Return a descriptor for reading a regular file.

        Anything else is not opened or closed again at once, and never waited for: ELOOP for a link,
        ENXIO for a pipe, socket or device, IsADirectoryError for a folder.
        """
        if not _NO_FOLLOW:
            self.require_no_link(name)
        descriptor = os.open(self.at(name), _FILE_FLAGS, dir_fd=self.descriptor)
        mode = os.fstat(descriptor).st_mode
        if stat.S_ISREG(mode):
            return descriptor
        os.close(descriptor)
        code = errno.EISDIR if stat.S_ISDIR(mode) else errno.ENXIO
        raise OSError(code, os.strerror(code))

    def write_file(self, name: str, data: memoryview, *, sync: bool) -> None:
        """Put a file under this name, in place of any entry; at no moment is there half of it.

        sync: with True the file is on the medium when this returns.
        """
        beside = self._write_beside(data, sync=sync)
        try:
            self._move(beside, name)
        except BaseException:
            self.unlink(beside)
            raise
        if sync:
            self.sync()

    def add_file(self, name: str, data: memoryview, *, sync: bool) -> bool:
        """Put a file under this name unless there is an entry; True if this call did it.

        The file is written whole and then linked to its name, which only one process can do.
        """
        beside = self._write_beside(data, sync=sync)
        try:
            os.link(
                self.at(beside),
                self.at(name),
                src_dir_fd=self.descriptor,
                dst_dir_fd=self.descriptor,
            )
        except FileExistsError:
            return False
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            why = f"{os.strerror(error.errno)} (hard links; FAT and exFAT do not have them)"
            raise OSError(error.errno, why) from error
        finally:
            self.unlink(beside)
        if sync:
            self.sync()
        return True

    def remove(self, name: str) -> None:
        """Remove an entry of whatever kind, a folder with what is in it; links are not followed."""
        try:
            self.unlink(name)
        except (IsADirectoryError, PermissionError):
            # Removing a folder as a file is EISDIR on Linux and EPERM by POSIX.
            found = os.stat(self.at(name), dir_fd=self.descriptor, follow_symlinks=False)
            if not stat.S_ISDIR(found.st_mode):
                raise
            shutil.rmtree(self.at(name), dir_fd=self.descriptor)

    def unlink(self, name: str) -> None:
        """Remove an entry that is not a folder."""
        os.unlink(self.at(name), dir_fd=self.descriptor)

    def remove_folder(self, name: str) -> None:
        """Remove an empty folder."""
        os.rmdir(self.at(name), dir_fd=self.descriptor)

    def _write_beside(self, data: memoryview, *, sync: bool) -> str:
        """Write a new file under a name that no key has, and return the name."""
        beside = f".{secrets.token_hex(8)}"
        descriptor = os.open(self.at(beside), _NEW_FILE_FLAGS, 0o600, dir_fd=self.descriptor)
        try:
            with open(descriptor, "wb", buffering=0) as file:
                view = data
                while view:
                    view = view[file.write(view) :]
                if sync:
                    os.fsync(file.fileno())
        except BaseException:
            self.unlink(beside)
            raise
        return beside

    def _move(self, beside: str, name: str) -> None:
        """Rename a file over an entry."""
        source = self.at(beside)
        place = self.at(name)
        here = self.descriptor
        try:
            os.replace(source, place, src_dir_fd=here, dst_dir_fd=here)
        except IsADirectoryError:
            # A rename replaces every kind of entry but a folder.
            self.remove(name)
            os.replace(source, place, src_dir_fd=here, dst_dir_fd=here)
