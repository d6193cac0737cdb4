// The durable spool: a message is acknowledged when it is on disk, and forgotten when somebody settled it.
//
//   append ─▶ group ─▶ segment in use ─▶ … ─▶ deleted when all its records are settled
//                          │
//                          └─▶ window ─▶ read ─▶ in flight ─▶ settle ─▶ cursor (a few times a second, and at the end)
//
// Delivery is at least once. After a crash, what was settled since the last cursor comes back, and so may an append that was in flight and
// never acknowledged. After a stop, exactly what was unsettled comes back.
import * as z from 'zod'
import type { Clock } from '../../lib/clock.ts'
import { randomSeed } from '../../lib/random.ts'
import { GatewayError, textOf } from '../errors.ts'
import type { Observe } from '../observe/observe.ts'
import { type Cursor, writeCursor } from './cursor.ts'
import { nodeFs, type SpoolFile, type SpoolFs } from './fs.ts'
import { createGroupCommit, type Group } from './group.ts'
import { lockDir } from './lock.ts'
import { decodeRecord, maxRecordBytes, recordSizeLimit } from './record.ts'
import { discard, recover } from './recover.ts'
import { createSegment, findRecord, headerBytes, isSettled, readChunk, type Segment, type SegmentWriter } from './segment.ts'
import type { Spool } from './spool.ts'
import { StoredEntry, Window } from './window.ts'

const MiB = 1024 ** 2

export const fileSpoolSchema = z.strictObject({
  kind: z.literal('file').describe('acknowledge when the message is on disk'),
  maxBytes: z
    .int()
    .min(4096)
    .default(1024 * MiB)
    .describe('refuse messages when the spool occupies this many bytes; QoS 0 is refused at nine tenths of it'),
  maxAgeMs: z
    .int()
    .min(1000)
    .optional()
    .describe('mark messages that waited longer than this as expired, in milliseconds; by default none ever is'),
  segmentBytes: z
    .int()
    .min(1024)
    .default(64 * MiB)
    .describe('begin a new file after this many bytes, or after a quarter of maxBytes if that is less'),
})

export interface FileSpoolOptions {
  /** Created when missing. One gateway per directory. */
  readonly dir: string
  readonly maxBytes: number
  readonly maxAgeMs?: number | undefined
  readonly segmentBytes?: number
  readonly clock: Clock
  readonly observe: Observe
  readonly fs?: SpoolFs
}

/** Memory for records that are ready to be read. */
const windowBytes = 8 * MiB
/** Memory for records on their way to a disk that does not keep up. */
const pendingBytes = 32 * MiB
const cursorEveryMs = 250
const retryReadMs = 1000
/** QoS 0 goes first: the last tenth is for what must be acknowledged. */
const qos0Share = 0.9

export function createFileSpool(options: FileSpoolOptions): Spool {
  const { dir, maxBytes, maxAgeMs, clock, observe, fs = nodeFs } = options
  const segmentBytes = Math.max(1, Math.min(options.segmentBytes ?? 64 * MiB, Math.floor(maxBytes / 4)))
  const salt = randomSeed()

  /** In order of their numbers, which is the order of the appends. */
  const segments = new Map<number, Segment>()
  const window = new Window()
  /** In the order they were read. */
  const inFlight = new Set<StoredEntry>()
  const background = new Set<Promise<void>>()
  let phase: 'new' | 'running' | 'stopped' = 'new'
  /** The last cursor is taken: what settles now comes back after the next start. */
  let closed = false
  let starting: Promise<void> | undefined
  let stopping: Promise<void> | undefined
  let unlock = async () => {}
  let endCursorTimer = () => {}

  let writer: SegmentWriter | undefined
  let nextNumber = 1
  let diskBytes = 0
  let depth = { messages: 0, bytes: 0 }
  let lastReadAt: number | undefined

  let frontier = { segment: 0, offset: 0 }
  let cursorDirty = false
  let cursorWrite: Promise<void> | undefined
  let wakeReader = () => {}
  let hasReader = false
  let open: { readonly segment: Segment; readonly file: SpoolFile } | undefined
  let trouble: 'SPOOL_FULL' | 'SPOOL_FAILED' | undefined

  // ── life ──

  const start = async () => {
    const before = clock.monotonic()
    await fs.makeDir(dir)
    unlock = await lockDir(fs, dir)
    try {
      const found = await recover({ fs, dir, observe })
      for (const segment of found.segments) {
        segments.set(segment.number, segment)
        diskBytes += segment.bytes
      }
      depth = { messages: found.messages, bytes: found.bytes }
      lastReadAt = found.oldestAt
      frontier = { ...found.frontier }
      nextNumber = found.nextNumber
    } catch (error) {
      await unlock().catch(() => undefined)
      unlock = async () => {}
      throw error
    }
    if (depth.messages > 0)
      observe.record('message.recovered', { count: depth.messages, bytes: depth.bytes, ms: clock.monotonic() - before })
    endCursorTimer = clock.every(cursorEveryMs, () => void saveCursor())
    if (phase === 'new') phase = 'running'
    wakeReader()
  }

  const stop = async () => {
    phase = 'stopped'
    await starting?.catch(() => undefined)
    endCursorTimer()
    wakeReader()
    await commits.idle()
    await closeWriter()
    await cursorWrite
    closed = true
    await saveCursor()
    await Promise.all(background)
    await closeOpen()
    await unlock().catch((error) => failed('unlock', error))
  }

  // ── append ──

  const commits = createGroupCommit(salt, async (group) => {
    try {
      writer ??= await openWriter()
      await writer.append(group.buffer.subarray(0, group.bytes))
    } catch (cause) {
      // What a failed sync left in the page cache cannot be trusted, so the segment ends where it was last known to be on disk.
      await closeWriter()
      degrade('SPOOL_FAILED', textOf(cause))
      throw new GatewayError('SPOOL_FAILED', `the spool cannot write: ${textOf(cause)}`, { cause, details: { dir, errno: errnoOf(cause) } })
    }
    committed(group, writer.segment)
    if (writer.segment.bytes >= segmentBytes) await closeWriter()
  })

  async function openWriter(): Promise<SegmentWriter> {
    const opened = await createSegment(fs, dir, nextNumber++, salt, segmentBytes)
    segments.set(opened.segment.number, opened.segment)
    diskBytes += headerBytes
    return opened
  }

  function committed(group: Group, segment: Segment): void {
    const { messages, ends, bytes } = group
    const base = segment.bytes
    const follows = behind() === undefined // else these wait on disk for their turn
    segment.bytes += bytes
    diskBytes += bytes
    depth.messages += messages.length
    depth.bytes += bytes
    segment.unsettled += messages.length
    segment.unread += messages.length
    let from = 0
    for (let i = 0; follows && i < messages.length && window.bytes < windowBytes; i++) {
      const end = ends[i]!
      window.push(new StoredEntry(messages[i]!, segment, base + from, end - from, settled))
      segment.readFrom = base + end
      segment.unread--
      from = end
    }
    restore('SPOOL_FAILED')
    restore('SPOOL_FULL')
    wakeReader()
  }

  async function closeWriter(): Promise<void> {
    const closing = writer
    writer = undefined
    if (!closing) return
    try {
      await closing.close()
    } catch (error) {
      failed('close', error)
    }
    release(closing.segment)
  }

  // ── read ──

  /** The oldest segment with records that are neither settled nor in memory. */
  function behind(): Segment | undefined {
    for (const segment of segments.values()) if (segment.readFrom < segment.bytes) return segment
    return undefined
  }

  async function load(segment: Segment): Promise<void> {
    if (open?.segment !== segment) {
      await closeOpen()
      open = { segment, file: await fs.open(segment.path, 'r') }
    }
    const { file } = open
    const to = segment.bytes
    const { next, bad } = await readChunk(file, segment.salt, segment.readFrom, to, (buffer, at, length, offset) => {
      if (isSettled(segment, offset)) return
      window.push(new StoredEntry(decodeRecord(buffer, at, length), segment, offset, length, settled))
      segment.unread--
    })
    segment.readFrom = bad ? (segment.holes.get(next) ?? (await skipDamage(file, segment, next, to))) : next
    if (segment.sealed && segment.readFrom >= segment.bytes && segment.unread > 0) {
      depth.messages -= segment.unread
      segment.unsettled -= segment.unread
      segment.unread = 0
      release(segment)
    }
  }

  /** Damage that was not there at the start: the disk lost what it had promised to keep. */
  async function skipDamage(file: SpoolFile, segment: Segment, from: number, to: number): Promise<number> {
    const found = await findRecord(file, segment.salt, from, to)
    segment.holes.set(from, found)
    depth.bytes -= found - from
    observe.record('spool.corrupted', { bytes: found - from, detail: segment.path })
    return found
  }

  async function* read(signal: AbortSignal): AsyncGenerator<StoredEntry, void> {
    if (hasReader) throw new Error('the spool has a reader already')
    hasReader = true
    const wake = () => wakeReader()
    signal.addEventListener('abort', wake)
    try {
      while (!signal.aborted && phase !== 'stopped') {
        const entry = window.shift()
        const segment = entry ? undefined : behind()
        if (entry) yield handOut(entry)
        else if (segment) await load(segment).catch((error) => retryRead(error, signal))
        else {
          await new Promise<void>((resolve) => {
            wakeReader = resolve
          })
        }
      }
    } finally {
      signal.removeEventListener('abort', wake)
      hasReader = false
    }
  }

  function handOut(entry: StoredEntry): StoredEntry {
    const { segment, offset, bytes, message } = entry
    inFlight.add(entry)
    segment.replay.delete(offset)
    if (segment.number > frontier.segment || (segment.number === frontier.segment && offset >= frontier.offset)) {
      frontier = { segment: segment.number, offset: offset + bytes }
    }
    lastReadAt = message.receivedAt
    if (maxAgeMs !== undefined && clock.now() - message.receivedAt > maxAgeMs) entry.expired = true
    return entry
  }

  async function retryRead(error: unknown, signal: AbortSignal): Promise<void> {
    if (phase === 'stopped') return
    failed('read', error)
    await closeOpen()
    await clock.sleep(retryReadMs, signal).catch(() => undefined)
  }

  async function closeOpen(): Promise<void> {
    const closing = open
    open = undefined
    await closing?.file.close().catch((error) => failed('close', error))
  }

  // ── settle ──

  function settled(entry: StoredEntry): void {
    if (closed) return
    inFlight.delete(entry)
    depth.messages--
    depth.bytes -= entry.bytes
    entry.segment.unsettled--
    cursorDirty = true
    release(entry.segment)
  }

  /** Deletes the segment if nobody needs it any more. */
  function release(segment: Segment): void {
    if (!segment.sealed || segment.unsettled > 0 || !segments.delete(segment.number)) return
    const work = discard(fs, segment).then(
      () => {
        diskBytes -= segment.bytes
        restore('SPOOL_FULL')
      },
      (error) => failed('remove', error),
    )
    background.add(work)
    void work.finally(() => background.delete(work))
  }

  function toCursor(): Cursor {
    const unsettled: Record<string, number[]> = {}
    const add = (segment: Segment, offset: number) => {
      unsettled[segment.number] ??= []
      unsettled[segment.number]!.push(offset)
    }
    for (const { segment, offset } of inFlight) add(segment, offset)
    for (const segment of segments.values()) for (const offset of segment.replay) add(segment, offset)
    return { ...frontier, unsettled }
  }

  function saveCursor(): Promise<void> {
    if (!cursorDirty) return cursorWrite ?? Promise.resolve()
    cursorWrite ??= (async () => {
      cursorDirty = false
      try {
        await writeCursor(fs, dir, toCursor())
      } catch (error) {
        cursorDirty = true
        failed('cursor', error)
      }
      cursorWrite = undefined
    })()
    return cursorWrite
  }

  // ── trouble ──

  function failed(call: string, error: unknown): void {
    observe.record('spool.failed', { code: errnoOf(error), detail: `${call}: ${textOf(error)}` })
  }

  function degrade(code: 'SPOOL_FULL' | 'SPOOL_FAILED', detail: string): void {
    if (trouble === code) return
    trouble = code
    observe.record('gateway.degraded', { code, detail })
  }

  /** Called when a group was written or a segment deleted. Full stays full until there is room worth speaking of. */
  function restore(code: 'SPOOL_FULL' | 'SPOOL_FAILED'): void {
    if (trouble !== code || (code === 'SPOOL_FULL' && diskBytes > maxBytes * qos0Share)) return
    trouble = undefined
    observe.record('gateway.recovered', { code })
  }

  return {
    start() {
      starting ??= start()
      return starting
    },

    append(message) {
      if (phase === 'stopped') return commits.refuse(new GatewayError('STOPPING', 'the spool has stopped'))
      if (phase === 'new') return Promise.reject(new Error('the spool has not been started'))
      const size = recordSizeLimit(message)
      if (size > maxRecordBytes)
        return commits.refuse(new GatewayError('PAYLOAD_TOO_LARGE', 'the message does not fit into a record of the spool'))
      const waiting = commits.pendingBytes
      const share = message.qos === 0 ? qos0Share : 1
      if (diskBytes + waiting + size > maxBytes * share || waiting + size > Math.max(pendingBytes, size)) {
        const full = new GatewayError('SPOOL_FULL', 'the spool is full', { details: { dir, maxBytes, diskBytes, waiting } })
        if (message.qos > 0) degrade('SPOOL_FULL', full.message)
        return commits.refuse(full)
      }
      return commits.append(message, size)
    },

    read,

    get depth() {
      const oldest = first(inFlight) ?? window.first
      const oldestAt = depth.messages === 0 ? undefined : (oldest?.message.receivedAt ?? lastReadAt)
      return { ...depth, ...(oldestAt !== undefined && { oldestAt }) }
    },

    stop() {
      stopping ??= stop()
      return stopping
    },
  }
}

function first<T>(set: ReadonlySet<T>): T | undefined {
  for (const value of set) return value
  return undefined
}

function errnoOf(error: unknown): string {
  return (error as NodeJS.ErrnoException | undefined)?.code ?? 'unknown'
}
