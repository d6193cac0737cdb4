// The dozen file system calls the spool rests on: a port, so that a test can pull the plug between any two of them.
import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, readdir, readFile, rename, unlink } from 'node:fs/promises'
import { makePrivate, privateDirectory, privateFile } from '../../lib/private-files.ts'

/** Not on every system. */
const { O_WRONLY, O_DSYNC }: { readonly O_WRONLY: number; readonly O_DSYNC?: number } = constants

export interface SpoolFile {
  /** Writes all of it, in as many calls as that takes. On disk only after datasync. */
  write(bytes: Uint8Array, position: number): Promise<void>
  /** The same, and on disk when it resolves: one call for a thread instead of two, where the system has O_DSYNC. */
  writeThrough(bytes: Uint8Array, position: number): Promise<void>
  /** Fills the buffer from `position` as far as the file goes; the number of bytes read. */
  read(buffer: Uint8Array, position: number): Promise<number>
  datasync(): Promise<void>
  truncate(length: number): Promise<void>
  size(): Promise<number>
  close(): Promise<void>
}

export interface SpoolFs {
  makeDir(path: string): Promise<void>
  list(path: string): Promise<readonly string[]>
  /** `r` reads, `r+` reads and writes, `wx` creates and fails when it exists, `w` creates or empties. */
  open(path: string, flags: 'r' | 'r+' | 'wx' | 'w'): Promise<SpoolFile>
  rename(from: string, to: string): Promise<void>
  remove(path: string): Promise<void>
  /** Makes creations, renames and removals in the directory survive a power cut. */
  syncDir(path: string): Promise<void>
  /** This process, told apart from a later one that got the same pid. */
  owner(): Promise<string>
  isRunning(owner: string): Promise<boolean>
}

/** The real one. Everything runs in libuv's thread pool, nothing on the event loop. */
export const nodeFs: SpoolFs = {
  async makeDir(path) {
    // Asked for every step of a path, Node calls a read-only disk ENOENT; asked for the last one, it says what is wrong.
    await mkdir(path, { recursive: true, mode: privateDirectory }).catch(() => mkdir(path, privateDirectory))
  },
  list: (path) => readdir(path),
  open: openFile,
  rename,
  remove: unlink,
  async syncDir(path) {
    if (process.platform === 'win32') return // a directory cannot be opened there
    const directory = await open(path, 'r')
    try {
      await directory.sync()
    } finally {
      await directory.close()
    }
  },
  owner: async () => `${process.pid} ${(await startTimeOf(process.pid)) ?? ''}`.trim(),
  async isRunning(owner) {
    const [pid, startTime] = owner.split(' ')
    try {
      process.kill(Number(pid), 0)
    } catch (error) {
      return (error as NodeJS.ErrnoException).code === 'EPERM'
    }
    const now = await startTimeOf(Number(pid))
    return startTime === undefined || now === undefined || now === startTime
  },
}

/** When the kernel started the process, in ticks since boot; undefined where there is no /proc. In a container every run may be pid 1. */
async function startTimeOf(pid: number): Promise<string | undefined> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '')
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
}

async function openFile(path: string, flags: 'r' | 'r+' | 'wx' | 'w'): Promise<SpoolFile> {
  const handle = await open(path, flags, privateFile)
  // Files of versions before 0.2.0 may be open to others.
  if (flags !== 'wx') await makePrivate(handle)
  /** The same file once more, to be synced with every write. */
  let durable: FileHandle | undefined
  const datasync = () => handle.datasync()
  return {
    write: (bytes, position) => writeAll(handle, bytes, position),
    async writeThrough(bytes, position) {
      if (O_DSYNC === undefined) return writeAll(handle, bytes, position).then(datasync)
      durable ??= await open(path, O_WRONLY | O_DSYNC)
      await writeAll(durable, bytes, position)
    },
    async read(buffer, position) {
      let done = 0
      while (done < buffer.length) {
        const { bytesRead } = await handle.read(buffer, done, buffer.length - done, position + done)
        if (bytesRead === 0) break
        done += bytesRead
      }
      return done
    },
    datasync,
    truncate: (length) => handle.truncate(length),
    size: async () => (await handle.stat()).size,
    async close() {
      await durable?.close()
      await handle.close()
    },
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array, position: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, position + done)
    done += bytesWritten
  }
}

/** Errors of one file that cannot be read, whatever the process does. Other files may be readable. */
const unreadableCodes = new Set(['EACCES', 'EPERM', 'EIO', 'EISDIR', 'ENOTDIR', 'ENOENT', 'ELOOP', 'ENXIO'])

export function isUnreadable(error: unknown): boolean {
  return unreadableCodes.has((error as NodeJS.ErrnoException | undefined)?.code ?? '')
}
