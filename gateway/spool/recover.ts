// What a start finds in the directory: which records are whole, which of them are unsettled, and what a crash or a bad disk left behind.
import type { Observe } from '../observe/observe.ts'
import type { Cursor } from './cursor.ts'
import type { SpoolFile, SpoolFs } from './fs.ts'
import { groupStartOf, receivedAtOf } from './record.ts'
import { findRecord, headerBytes, isSettled, isZero, readChunk, readHeader, type Segment, segmentNumber, toSegment } from './segment.ts'

export interface Recovered {
  /** In order, each with something unsettled. */
  readonly segments: readonly Segment[]
  readonly frontier: { readonly segment: number; readonly offset: number }
  /** Higher than any number used before. */
  readonly nextNumber: number
  readonly messages: number
  readonly bytes: number
  readonly oldestAt?: number
}

interface Deps {
  readonly fs: SpoolFs
  readonly dir: string
  readonly observe: Observe
}

interface Found extends Deps {
  readonly cursor: Cursor | undefined | 'damaged'
}

export async function recover({ cursor: found, ...deps }: Found): Promise<Recovered> {
  const { fs, dir, observe } = deps
  if (found === 'damaged')
    observe.record('spool.corrupted', { detail: 'the cursor is unreadable, so everything in the spool is delivered again' })
  const cursor = found === 'damaged' ? undefined : found
  const { segment = 0, offset = 0 } = cursor ?? {}
  const names = await fs.list(dir)
  const numbers = names.flatMap((name) => segmentNumber(name) ?? []).sort((a, b) => a - b)
  const used = names.flatMap((name) => segmentNumber(name.replace(/\.corrupt$/, '')) ?? [])
  const tally = { messages: 0, bytes: 0, oldestAt: undefined as number | undefined }
  const segments: Segment[] = []
  const last = await lastWritten(deps, numbers)
  for (const number of numbers) {
    const found = await recoverSegment(deps, number, number === last, cursor, tally)
    if (found) segments.push(found)
  }
  const nextNumber = Math.max(segment, ...used) + 1
  const { oldestAt, ...counts } = tally
  return { segments, frontier: { segment, offset }, nextNumber, ...counts, ...(oldestAt !== undefined && { oldestAt }) }
}

/** The last segment that has been written to. The one made ready behind it has nothing but its header. */
async function lastWritten({ fs, dir }: Deps, numbers: readonly number[]): Promise<number | undefined> {
  for (const number of numbers.toReversed()) {
    const file = await fs.open(toSegment(dir, number, 0).path, 'r')
    try {
      if (!(await isZero(file, headerBytes, await file.size()))) return number
    } finally {
      await file.close()
    }
  }
  return undefined
}

async function recoverSegment(
  deps: Deps,
  number: number,
  last: boolean,
  cursor: Cursor | undefined,
  tally: { messages: number; bytes: number; oldestAt: number | undefined },
): Promise<Segment | undefined> {
  const { fs, dir } = deps
  const replay = new Set(cursor?.unsettled[number])
  const settledBelow = !cursor || number > cursor.segment ? 0 : number === cursor.segment ? cursor.offset : Number.POSITIVE_INFINITY
  const path = toSegment(dir, number, 0).path
  if (settledBelow === Number.POSITIVE_INFINITY && replay.size === 0) return void (await fs.remove(path))

  const file = await fs.open(path, 'r+')
  try {
    const size = await file.size()
    const salt = await readHeader(file)
    if (salt === undefined) {
      // A disk writes its first sector whole or not at all. Without it, the first sync never ended, and nothing in the file was acknowledged.
      if (size <= headerBytes || (await isZero(file, 0, headerBytes))) await drop(deps, path, size)
      else await setAside(deps, path, size)
      return undefined
    }
    const segment = toSegment(dir, number, salt)
    segment.sealed = true
    segment.settledBelow = settledBelow
    segment.replay = replay
    const oldest = [...replay].reduce((a, b) => Math.min(a, b), settledBelow)
    segment.readFrom = Math.min(size, Math.max(headerBytes, oldest))
    await scan(deps, file, segment, size, last, (receivedAt, length) => {
      tally.messages++
      tally.bytes += length
      tally.oldestAt ??= receivedAt
    })
    if (segment.unsettled > 0) return segment
    await discard(fs, segment)
    return undefined
  } finally {
    await file.close()
  }
}

/** Counts what is unsettled from readFrom on, notes damage between records, and cuts off what follows the last whole one. */
async function scan(
  { observe }: Deps,
  file: SpoolFile,
  segment: Segment,
  size: number,
  last: boolean,
  count: (receivedAt: number, length: number) => void,
): Promise<void> {
  const listed = segment.replay
  const present = new Set<number>()
  segment.bytes = segment.readFrom
  while (segment.bytes < size) {
    const { next, bad } = await readChunk(file, segment.salt, segment.bytes, size, (buffer, at, length, offset) => {
      if (isSettled(segment, offset)) return
      if (listed.has(offset)) present.add(offset)
      segment.unsettled++
      count(receivedAtOf(buffer, at), length)
    })
    segment.bytes = next
    if (!bad) continue
    const found = await findRecord(file, segment.salt, next, size)
    if (found < size && !(last && (await isTorn(file, segment.salt, next, found, size)))) {
      segment.holes.set(next, found)
      observe.record('spool.corrupted', { bytes: found - next, detail: segment.path })
      segment.bytes = found
      continue
    }
    await cutTail({ observe }, file, segment, size, last)
    break
  }
  segment.replay = present
  segment.unread = segment.unsettled
}

/**
 * Whether damage at `from`, with whole records behind it, is one write that a crash tore: all of those records belong to the write that
 * also covers the damage. The next write begins only after a sync, so anything of a later one proves that this one had been on disk.
 */
export async function isTorn(file: SpoolFile, salt: number, from: number, found: number, size: number): Promise<boolean> {
  let torn = true
  for (let at = found; torn && at < size; ) {
    const { next, bad } = await readChunk(file, salt, at, size, (buffer, start, _length, offset) => {
      if (groupStartOf(buffer, start, offset) > from) torn = false
    })
    at = bad ? await findRecord(file, salt, next, size) : next
  }
  return torn
}

async function cutTail({ observe }: Pick<Deps, 'observe'>, file: SpoolFile, segment: Segment, size: number, last: boolean): Promise<void> {
  const bytes = size - segment.bytes
  const clean = await isZero(file, segment.bytes, size)
  if (!clean && !last) {
    segment.holes.set(segment.bytes, size)
    observe.record('spool.corrupted', { bytes, detail: segment.path })
    return
  }
  if (!clean) observe.record('spool.truncated', { bytes, detail: segment.path })
  await file.truncate(segment.bytes)
  await file.datasync()
}

async function drop({ fs, observe }: Deps, path: string, bytes: number): Promise<void> {
  await fs.remove(path)
  if (bytes > 0) observe.record('spool.truncated', { bytes, detail: path })
}

async function setAside({ fs, observe }: Deps, path: string, bytes: number): Promise<void> {
  await fs.rename(path, `${path}.corrupt`)
  observe.record('spool.corrupted', { bytes, detail: `${path}.corrupt` })
}

/** Removes a segment whose records are all settled; one with damage in it is kept beside, as evidence and for rescue. */
export async function discard(fs: SpoolFs, { path, holes }: Segment): Promise<void> {
  if (holes.size > 0) await fs.rename(path, `${path}.corrupt`)
  else await fs.remove(path)
}
