// Recovery: finds the whole and unsettled records of a directory, counts the missing ones, cuts off torn
// writes, and sets damaged files aside.
import type { Observe } from '../observe/observe.ts'
import { batchStartOf, receivedAtOf, sequenceOf } from './codec.ts'
import type { Cursor } from './cursor.ts'
import { findForeign } from './foreign.ts'
import { isUnreadable, type SpoolFile, type SpoolFs } from './fs.ts'
import type { PlaceLosses } from './losses.ts'
import { findRecord, headerBytes, isZero, readChunk, readHeader, type Segment, segmentNumber, toSegment, type Visit } from './segment.ts'
import { Survey } from './survey.ts'

export interface Recovered {
  /** In order, each with something unsettled. */
  readonly segments: readonly Segment[]
  readonly frontier: { readonly segment: number; readonly offset: number; readonly sequence: number }
  /** Higher than any number used before (invariant 2). */
  readonly nextNumber: number
  /** Of the next record. */
  readonly nextSequence: number
  readonly messages: number
  readonly bytes: number
  readonly oldestAt?: number
}

interface Deps {
  readonly fs: SpoolFs
  readonly dir: string
  readonly observe: Observe
  readonly losses: PlaceLosses
}

interface Found extends Deps {
  readonly cursor: Cursor | undefined | 'damaged'
}

interface Tally {
  messages: number
  bytes: number
  oldestAt: number | undefined
}

export async function recover({ cursor: found, ...deps }: Found): Promise<Recovered> {
  const { fs, dir, observe, losses } = deps
  if (found === 'damaged')
    observe.record('spool.corrupted', { detail: 'the cursor is unreadable, so everything in the spool is delivered again' })
  const cursor = found === 'damaged' ? undefined : found
  const { segment = 0, offset = 0, unsettled = {} } = cursor ?? {}
  const names = await fs.list(dir)
  const numbers = names.flatMap((name) => segmentNumber(name) ?? []).sort((a, b) => a - b)
  const used = names.flatMap((name) => segmentNumber(name.replace(/\.corrupt$/, '')) ?? [])
  const tally: Tally = { messages: 0, bytes: 0, oldestAt: undefined }
  const survey = new Survey({ cursor: found, numbers, losses })
  const segments: Segment[] = []
  const last = await lastWritten(deps, numbers)
  for (const [number, listed] of Object.entries(unsettled)) {
    if (!numbers.includes(Number(number))) survey.absent(Number(number), listed.map(sequenceIn))
  }
  const candidates = numbers
    .map((number) => ({ number, path: toSegment(dir, number, 0).path, expected: listedIn(cursor, number) }))
    .filter(({ number, expected }) => number >= segment || expected.size > 0 || !losses.isEmpty())
  const foreign = await findForeign(fs, candidates)
  for (const number of numbers) {
    if (foreign.has(number)) {
      survey.damaged(number, 'holds the records of another segment')
      survey.absent(number, [...listedIn(cursor, number).values()])
      await setAside(deps, toSegment(dir, number, 0).path)
      continue
    }
    const found = await recoverSegment(deps, number, last, cursor, survey, tally)
    if (found) segments.push(found)
  }
  const nextSequence = survey.finish()
  const sequence = cursor?.sequence ?? segments[0]?.nextSequence ?? nextSequence
  const nextNumber = Math.max(segment, ...used) + 1
  const { oldestAt, ...counts } = tally
  const frontier = { segment, offset, sequence }
  return { segments, frontier, nextNumber, nextSequence, ...counts, ...(oldestAt !== undefined && { oldestAt }) }
}

/** Cursors of version 0.1 list offsets alone. */
const sequenceIn = (listed: number | readonly [number, number]): number => (typeof listed === 'number' ? 0 : listed[1])
const offsetIn = (listed: number | readonly [number, number]): number => (typeof listed === 'number' ? listed : listed[0])

/** What the cursor lists in a segment: offset to sequence. */
const listedIn = (cursor: Cursor | undefined, number: number): Map<number, number> =>
  new Map(cursor?.unsettled[number]?.map((listed) => [offsetIn(listed), sequenceIn(listed)]))

/** The last segment that has been written to. The one made ready after it has only its header. */
async function lastWritten({ fs, dir }: Deps, numbers: readonly number[]): Promise<number | undefined> {
  for (const number of numbers.toReversed()) {
    const written = await readable(async () => {
      const file = await fs.open(toSegment(dir, number, 0).path, 'r')
      try {
        return !(await isZero(file, headerBytes, await file.size()))
      } finally {
        await file.close()
      }
    })
    if (written === true) return number
  }
  return undefined
}

/** Resolves with the result, or with the code of the error that keeps the file from being read. */
async function readable<T>(read: () => Promise<T>): Promise<T | { readonly code: string }> {
  try {
    return await read()
  } catch (error) {
    if (!isUnreadable(error)) throw error
    return { code: (error as NodeJS.ErrnoException).code! }
  }
}

async function recoverSegment(
  deps: Deps,
  number: number,
  last: number | undefined,
  cursor: Cursor | undefined,
  survey: Survey,
  tally: Tally,
): Promise<Segment | undefined> {
  const { fs, dir, observe, losses } = deps
  const segment = toSegment(dir, number, 0)
  segment.sealed = true
  segment.replay = listedIn(cursor, number)
  segment.settledBelow = !cursor || number > cursor.segment ? 0 : number === cursor.segment ? cursor.offset : Number.POSITIVE_INFINITY
  const { path, settledBelow, replay } = segment
  // A file that was lost and has come back may hold messages that are on the account.
  if (settledBelow === Number.POSITIVE_INFINITY && replay.size === 0 && losses.isEmpty())
    return void (await readable(() => fs.remove(path)))

  const result = await readable(() => recoverFile(deps, segment, last, survey, tally))
  if (typeof result === 'object') {
    segment.unreadable = true
    survey.damaged(number, `cannot be read (${result.code})`)
    observe.record('spool.corrupted', { detail: `${path}: ${result.code}; the file is left where it is` })
  }
  survey.absent(
    number,
    [...segment.awaited].map((offset) => replay.get(offset)!),
  )
  for (const offset of segment.awaited) replay.delete(offset)
  segment.awaited = new Set(replay.keys())
  if (segment.unsettled > 0) return segment
  if (result === 'scanned') await discard(fs, segment)
  return undefined
}

/** `'scanned'`: the file is a segment. Rejects when it cannot be read to its end; the segment then has what was found before. */
async function recoverFile(
  deps: Deps,
  segment: Segment,
  last: number | undefined,
  survey: Survey,
  tally: Tally,
): Promise<'scanned' | undefined> {
  const { fs, losses } = deps
  const { path, number, replay, settledBelow } = segment
  segment.awaited = new Set(replay.keys())
  const file = await fs.open(path, 'r+')
  try {
    const size = await file.size()
    const salt = await readHeader(file)
    if (salt === undefined) {
      // A disk writes its first sector whole or not at all. Without that sector the first sync never ended, and no record was acknowledged.
      const empty = size <= headerBytes || (await isZero(file, 0, headerBytes))
      if (last !== undefined && number <= last) survey.damaged(number, empty ? 'is empty' : 'has no readable header', 1)
      await (empty ? drop(deps, path, size) : setAside(deps, path, size))
      return undefined
    }
    Object.assign(segment, { salt })
    const oldest = losses.isEmpty() ? [...replay.keys()].reduce((a, b) => Math.min(a, b), settledBelow) : headerBytes
    segment.readFrom = Math.min(size, Math.max(headerBytes, oldest))
    await scan(deps, file, segment, size, number === last, survey, tally)
    return 'scanned'
  } finally {
    await file.close()
  }
}

/** Counts what is unsettled from readFrom on, notes damage between records, and cuts off what follows the last whole one. */
async function scan(
  { observe, losses }: Deps,
  file: SpoolFile,
  segment: Segment,
  size: number,
  last: boolean,
  survey: Survey,
  tally: Tally,
): Promise<void> {
  const { number, replay, settledBelow, awaited } = segment
  const visit: Visit = (buffer, at, length, offset) => {
    if (!isUnsettled(buffer, at, offset)) return
    segment.unsettled++
    segment.unread++
    segment.unreadBytes += length
    tally.messages++
    tally.bytes += length
    tally.oldestAt ??= receivedAtOf(buffer, at)
  }
  const isUnsettled = (buffer: Buffer, at: number, offset: number): boolean => {
    const written = sequenceOf(buffer, at)
    if (offset >= settledBelow) {
      const sequence = survey.see(number, written)
      segment.nextSequence ??= sequence
      segment.endSequence = sequence + 1
      return true
    }
    const sequence = replay.get(offset) ?? written
    if (sequence !== undefined && losses.has(sequence)) {
      survey.foundAgain(sequence)
      replay.set(offset, sequence)
    }
    awaited.delete(offset)
    return replay.has(offset)
  }

  segment.bytes = segment.readFrom
  while (segment.bytes < size) {
    const { next, bad } = await readChunk(file, segment.salt, segment.bytes, size, visit)
    segment.bytes = next
    if (!bad) continue
    const found = await findRecord(file, segment.salt, next, size)
    if (found < size && !(last && (await isTorn(file, segment.salt, next, found, size)))) {
      segment.holes.set(next, found)
      observe.record('spool.corrupted', { bytes: found - next, detail: segment.path })
      survey.damaged(number, 'is damaged', next >= settledBelow ? 1 : 0)
      segment.bytes = found
      continue
    }
    await cutTail({ observe }, file, segment, size, last, survey)
    break
  }
}

/**
 * Whether damage at `from`, with whole records after it, is a torn write: all of those records belong to
 * the batch that also covers the damage. A record of a later batch proves that it was on disk (invariant 4).
 */
export async function isTorn(file: SpoolFile, salt: number, from: number, found: number, size: number): Promise<boolean> {
  let torn = true
  for (let at = found; torn && at < size; ) {
    const { next, bad } = await readChunk(file, salt, at, size, (buffer, start, _length, offset) => {
      if (batchStartOf(buffer, start, offset) > from) torn = false
    })
    at = bad ? await findRecord(file, salt, next, size) : next
  }
  return torn
}

async function cutTail(
  { observe }: Pick<Deps, 'observe'>,
  file: SpoolFile,
  segment: Segment,
  size: number,
  last: boolean,
  survey: Survey,
): Promise<void> {
  const bytes = size - segment.bytes
  const clean = await isZero(file, segment.bytes, size)
  if (!clean && !last) {
    segment.holes.set(segment.bytes, size)
    observe.record('spool.corrupted', { bytes, detail: segment.path })
    survey.damaged(segment.number, 'is damaged', segment.bytes >= segment.settledBelow ? 1 : 0)
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

async function setAside({ fs, observe }: Deps, path: string, bytes = 0): Promise<void> {
  await fs.rename(path, `${path}.corrupt`)
  observe.record('spool.corrupted', { bytes, detail: `${path}.corrupt` })
}

/** Removes a segment whose records are all settled, or keeps it as `*.corrupt` if it has damage (invariant 12). */
export async function discard(fs: SpoolFs, { path, holes, vanished, unreadable }: Segment): Promise<void> {
  if (vanished || unreadable) return
  if (holes.size > 0) await fs.rename(path, `${path}.corrupt`)
  else await fs.remove(path)
}
