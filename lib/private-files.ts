// The modes of what this program keeps: device data, secrets and logs are for its own user. An explicit mode holds under any umask.
import { chmodSync, closeSync, fchmodSync, fstatSync, openSync } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'

export const privateFile = 0o600
export const privateDirectory = 0o700

/** Whether other users have any access. Windows has no such modes. */
export function isShared(mode: number): boolean {
  return process.platform !== 'win32' && (mode & 0o077) !== 0
}

/** Opens or creates a file for writing, and takes access from others that an earlier version gave. */
export function openPrivate(path: string, flags: 'w' | 'a'): number {
  const fd = openSync(path, flags, privateFile)
  try {
    if (isShared(fstatSync(fd).mode)) fchmodSync(fd, privateFile)
  } catch (error) {
    if (!isNotOwner(error)) {
      closeSync(fd)
      throw error
    }
  }
  return fd
}

/** The same of a file that is open. */
export async function makePrivate(handle: FileHandle): Promise<void> {
  if (!isShared((await handle.stat()).mode)) return
  await handle.chmod(privateFile).catch(ignoreNotOwner)
}

/** The same of a file by its path; nothing when it is not there. */
export function makePrivateSync(path: string): void {
  try {
    chmodSync(path, privateFile)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') ignoreNotOwner(error)
  }
}

/** A file of another user, or on a file system without modes, stays as it is. */
function isNotOwner(error: unknown): boolean {
  return ['EPERM', 'EACCES', 'ENOTSUP', 'EROFS', 'ENOSYS'].includes((error as NodeJS.ErrnoException).code ?? '')
}

function ignoreNotOwner(error: unknown): void {
  if (!isNotOwner(error)) throw error
}
