// A new file of the journal, written while the journal in use goes on.
//
//   journal in use   group group group group group …
//   snapshot         begun │ entries of the state │ group group group │ whole
//                                                   └ taken since the snapshot began
//
// The state changes while it is written down, so an entry may already show what a later group does. Groups therefore add up to the same
// state when they are applied a second time.
import { bodyRecordBytes, encodeBody } from '../../spool/codec.ts'
import type { SpoolFs } from '../../spool/fs.ts'
import { createSegment, type SegmentWriter } from '../../spool/segment.ts'
import { type Entry, encodeEntry, entryFormat } from './entry.ts'

export interface Snapshot {
  /** Resolves when the entries are on disk; rejects when the disk refuses them. */
  readonly written: Promise<void>
  readonly state: 'writing' | 'ready' | 'failed'
  /** A batch that the journal in use has taken. */
  add(group: Uint8Array): void
  /** Makes the file whole. The next append goes there. */
  finish(): Promise<SegmentWriter>
  /** Removes the file. */
  abandon(): Promise<void>
}

export interface SnapshotOptions {
  readonly fs: SpoolFs
  readonly dir: string
  readonly number: number
  readonly salt: number
  readonly roomBytes: number
  readonly entries: Iterable<Entry>
}

/** Bytes written at a time. Encoding them takes less than a millisecond. */
const chunkBytes = 64 * 1024
/** Bytes synced at a time, so that the syncs of other files do not wait long for this one. */
const syncBytes = 4 * 1024 ** 2

export function beginSnapshot({ fs, dir, number, salt, roomBytes, entries }: SnapshotOptions): Snapshot {
  let groups: Uint8Array[] = []
  let state: Snapshot['state'] = 'writing'
  let file: SegmentWriter | undefined
  let unsynced = 0
  let abandoned = false

  const write = async (bytes: Uint8Array) => {
    if (abandoned) throw new Error('the snapshot was abandoned')
    await file!.write(bytes)
    file!.segment.bytes += bytes.length
    unsynced += bytes.length
    if (unsynced >= syncBytes) await sync()
  }

  const sync = async () => {
    await file!.sync()
    unsynced = 0
  }

  const writeGroups = async () => {
    const taken = groups
    groups = []
    for (const group of taken) await write(group)
  }

  const remove = async () => {
    await file?.close().catch(() => undefined)
    if (file) await fs.remove(file.segment.path).catch(() => undefined)
    file = undefined
  }

  const run = async () => {
    try {
      file = await createSegment(fs, dir, number, salt, roomBytes)
      for (const bytes of chunks([{ kind: 'begun', format: entryFormat }], entries, salt)) await write(bytes)
      await writeGroups()
      await sync()
      state = 'ready'
    } catch (error) {
      state = 'failed'
      await remove()
      throw error
    }
  }
  const written = run()
  written.catch(() => undefined) // callers that await it get the error

  return {
    written,
    get state() {
      return state
    },
    add(group) {
      groups.push(Buffer.from(group))
    },
    async finish() {
      await writeGroups()
      await sync()
      for (const bytes of chunks([{ kind: 'whole' }], [], salt)) {
        await file!.append(bytes)
        file!.segment.bytes += bytes.length
      }
      return file!
    },
    async abandon() {
      abandoned = true
      await written.catch(() => undefined)
      await remove()
    },
  }
}

/** Records end to end. */
function* chunks(first: Iterable<Entry>, more: Iterable<Entry>, salt: number): Generator<Buffer> {
  let buffer = Buffer.allocUnsafe(2 * chunkBytes)
  let used = 0
  for (const part of [first, more]) {
    for (const entry of part) {
      const body = encodeEntry(entry)
      const size = bodyRecordBytes(body)
      if (used > 0 && used + size > buffer.length) {
        yield buffer.subarray(0, used)
        used = 0
      }
      if (size > buffer.length) buffer = Buffer.allocUnsafe(size)
      used += encodeBody(buffer, used, body, salt, 0)
    }
  }
  yield buffer.subarray(0, used)
}
