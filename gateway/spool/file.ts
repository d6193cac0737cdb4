// The durable spool: a message is acknowledged when it is on disk, and forgotten when somebody settled it.
//
//   append ─▶ group ─▶ segment in use ─▶ … ─▶ deleted when all its records are settled
//                          │
//                          └─▶ window ─▶ read ─▶ in flight ─▶ settle ─▶ cursor (a few times a second, and at the end)
//
// Delivery is at least once. After a crash, what was settled since the last cursor comes back, and so may an append that was in flight and
// never acknowledged. After a stop, exactly what was unsettled comes back.
import { dirname } from 'node:path'
import * as z from 'zod'
import type { Clock } from '../../lib/clock.ts'
import { randomSeed } from '../../lib/random.ts'
import { createSteadyClock, type SteadyClock } from '../../lib/steady.ts'
import { GatewayError, textOf } from '../errors.ts'
import type { Message } from '../message/message.ts'
import { createCondition } from '../observe/condition.ts'
import type { Observe } from '../observe/observe.ts'
import { maxRecordBytes, NewerFormatError } from './codec.ts'
import { type Cursor, type CursorFiles, cursorNames, openCursor } from './cursor.ts'
import { nodeFs, type SpoolFs } from './fs.ts'
import { type CommitBatch, GroupCommit } from './group-commit.ts'
import { lockDir } from './lock.ts'
import { createLosses, type PlaceLosses } from './losses.ts'
import { MessageCodec, recordSizeLimit } from './message-codec.ts'
import { type Range, sizeOf } from './ranges.ts'
import { createReader, unreadOf } from './reader.ts'
import { isUnreadable, recover } from './recover.ts'
import { type Segment, segmentName } from './segment.ts'
import { createSegments } from './segments.ts'
import type { DurableSpool } from './spool.ts'
import { Chain, StoredEntry, Window } from './window.ts'

const MiB = 1024 ** 2

export const fileSpoolSchema = z.strictObject({
  kind: z.literal('file').describe('acknowledge when the message is on disk'),
  maxBytes: z
    .int()
    .min(4096)
    .default(1024 * MiB)
    .describe(
      'refuse messages when the spool occupies this many bytes; QoS 0 is refused at nine tenths of it. What waits for targets that are away may occupy as many once more',
    ),
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
  /** Memory for records that are ready to be read. Default: 8 MiB. */
  readonly windowBytes?: number
  readonly clock: Clock
  readonly observe: Observe
  readonly fs?: SpoolFs
  /** Shared with other spools whose messages have the same topics. Default: one of its own. */
  readonly codec?: MessageCodec
  /** false: whoever opens it holds the lock of a directory above. */
  readonly lock?: boolean
  /** Where lost messages are accounted for. Default: in memory. */
  readonly losses?: PlaceLosses
  /** Time for `maxAgeMs`. Default: one that does not outlive the spool. */
  readonly steady?: SteadyClock
}

type Trouble = 'SPOOL_FULL' | 'SPOOL_FAILED'

/** Memory for records with their rules and targets: many small ones or few large ones. */
export const inFlightBytes = 32 * MiB
/** Memory for records on their way to a disk that does not keep up. */
const pendingBytes = 32 * MiB
const cursorEveryMs = 250
const retryReadMs = 1000
/** After so many failed reads the spool goes on without the rest of a segment. */
const maxFailedReads = 10
const goneCodes = new Set(['ENOENT', 'EISDIR', 'ENOTDIR'])
const watchEveryMs = 1000
/** QoS 0 goes first: the last tenth is for what must be acknowledged. */
const qos0Share = 0.9
/** What a rule republishes takes the place of a message that the spool holds. If it were refused, that one could never leave, and the room never come. */
const insideShare = 2

export function createFileSpool(options: FileSpoolOptions): DurableSpool {
  const { dir, maxBytes, maxAgeMs, clock, observe, fs = nodeFs, windowBytes = 8 * MiB } = options
  const segmentBytes = Math.max(1, Math.min(options.segmentBytes ?? 64 * MiB, Math.floor(maxBytes / 4)))
  const salt = randomSeed()
  const steady = options.steady ?? createSteadyClock(clock)
  const losses = options.losses ?? createLosses({ clock, observe }).place('spool')

  const segments = createSegments({
    fs,
    dir,
    salt,
    segmentBytes,
    onReleased: () => {
      cursorDirty = true
      void saveCursor()
    },
    onDeleted: () => restore('SPOOL_FULL'),
    onFailed: failed,
  })
  const codec = options.codec ?? new MessageCodec()
  const reader = createReader(fs, codec, {
    onDamage: (segment, bytes) => observe.record('spool.corrupted', { bytes, detail: segment.path }),
    onLost: (segment, ranges) => lose(segment, ranges, 'is damaged'),
  })
  const window = new Window()
  /** In the order they were read. */
  const inFlight = new Chain()
  let handedOutBytes = 0
  let phase: 'new' | 'running' | 'stopped' = 'new'
  /** The last cursor is taken: what settles now comes back after the next start. */
  let closed = false
  let starting: Promise<void> | undefined
  let stopping: Promise<void> | undefined
  let unlock = async () => {}
  let endTimers = () => {}

  let depth = { messages: 0, bytes: 0 }
  let lastReadAt: number | undefined

  let frontier = { segment: 0, offset: 0, sequence: 1 }
  /** Of the next record to be on disk. */
  let nextSequence = 1
  let cursorFiles: CursorFiles | undefined
  let cursorDirty = false
  let cursorWrite: Promise<void> | undefined
  let wakeReader = () => {}
  let hasReader = false
  const troubles = {
    SPOOL_FULL: createCondition({ observe, clock }, { code: 'SPOOL_FULL' }),
    SPOOL_FAILED: createCondition({ observe, clock }, { code: 'SPOOL_FAILED' }),
  }

  // ── life ──

  const start = async () => {
    const before = clock.monotonic()
    unlock = await claim().catch((cause) => {
      throw cause instanceof GatewayError ? cause : unusable(cause)
    })
    try {
      cursorFiles = await openCursor(fs, dir)
      const found = await recover({ fs, dir, observe, losses, cursor: cursorFiles.found })
      segments.adopt(found.segments, found.nextNumber)
      depth = { messages: found.messages, bytes: found.bytes }
      lastReadAt = found.oldestAt
      frontier = { ...found.frontier }
      nextSequence = found.nextSequence
      commits.startAt(nextSequence)
    } catch (error) {
      await unlock().catch(() => undefined)
      unlock = async () => {}
      throw errnoOf(error) === 'unknown' && !(error instanceof NewerFormatError) ? error : unusable(error)
    }
    if (depth.messages > 0)
      observe.record('message.recovered', { count: depth.messages, bytes: depth.bytes, ms: clock.monotonic() - before })
    // Both files, so that a disk that is full later has no part of the cursor to find room for.
    for (const _ of cursorNames) {
      cursorDirty = true
      await saveCursor()
    }
    const endCursorTimer = clock.every(cursorEveryMs, () => void saveCursor())
    const endWatch = clock.every(watchEveryMs, () => void watch())
    endTimers = () => {
      endCursorTimer()
      endWatch()
    }
    if (phase === 'new') phase = 'running'
    wakeReader()
  }

  const claim = async () => {
    await fs.makeDir(dir)
    // Directories that are new must survive a power cut too; where they may not be looked at, somebody else made them.
    for (const parent of [dirname(dir), dirname(dirname(dir))]) await fs.syncDir(parent).catch(() => undefined)
    return options.lock === false ? async () => {} : lockDir(fs, dir)
  }

  const unusable = (cause: unknown) =>
    new GatewayError('DATA_DIR_UNUSABLE', `the spool directory ${dir} cannot be used: ${textOf(cause)}`, { cause, details: { dir } })

  const stop = async () => {
    phase = 'stopped'
    await starting?.catch(() => undefined)
    endTimers()
    wakeReader()
    await commits.idle()
    await segments.end()
    await cursorWrite
    closed = true
    cursorDirty = true
    await saveCursor()
    await segments.idle()
    await closeReader()
    await cursorFiles?.close().catch((error) => failed('close', error))
    await unlock().catch((error) => failed('unlock', error))
  }

  // ── append ──

  const commits = new GroupCommit<Message>({
    salt,
    encode: (buffer, at, message, sequence) => codec.encode(buffer, at, message, salt, sequence),
    commit,
  })

  async function commit(batch: CommitBatch<Message>): Promise<void> {
    try {
      // Without a cursor, a later start could not tell what was settled from what was lost.
      if (!cursorFiles!.exists()) await checkpoint()
      const { first, items, encoded } = batch
      await segments.write({ bytes: encoded, first, count: items.length }, (segment) => committed(batch, segment))
    } catch (cause) {
      degrade('SPOOL_FAILED', textOf(cause))
      throw new GatewayError('SPOOL_FAILED', `the spool cannot write: ${textOf(cause)}`, { cause, details: { dir, errno: errnoOf(cause) } })
    }
    segments.roll()
  }

  function refusalOf(size: number, { qos, hops }: Message): GatewayError | undefined {
    if (size > maxRecordBytes) return new GatewayError('PAYLOAD_TOO_LARGE', 'the message does not fit into a record of the spool')
    const waiting = commits.pendingBytes()
    if (hops > 0) return segments.bytes() + waiting + size <= maxBytes * insideShare ? undefined : tooFull(segments.bytes() + waiting)
    const share = qos === 0 ? qos0Share : 1
    if (waiting > 0 && waiting + size > pendingBytes * share)
      return new GatewayError('SPOOL_FULL', 'more waits for the disk than memory may hold')
    const used = segments.bytes() + waiting
    if (used + size <= maxBytes * share) return undefined
    const full = tooFull(used)
    if (qos > 0) degrade('SPOOL_FULL', full.message)
    return full
  }

  const tooFull = (used: number) =>
    new GatewayError('SPOOL_FULL', `the spool is full: ${used} of ${maxBytes} bytes are in use`, { details: { dir } })

  function committed({ items: messages, ends, bytes, first }: CommitBatch<Message>, segment: Segment): void {
    depth.messages += messages.length
    depth.bytes += bytes
    segment.unsettled += messages.length
    segment.unread += messages.length
    segment.unreadBytes += bytes
    nextSequence = first + messages.length
    cursorDirty = true
    const base = segment.bytes - bytes
    const follows = segment.readFrom === base && segments.behind() === segment // else these wait on disk for their turn
    let from = 0
    for (let i = 0; follows && i < messages.length && window.bytes < windowBytes; i++) {
      const end = ends[i]!
      window.push(new StoredEntry(messages[i]!, segment, base + from, end - from, first + i, settled))
      segment.readFrom = base + end
      segment.nextSequence = first + i + 1
      segment.unread--
      segment.unreadBytes -= end - from
      from = end
    }
    restore('SPOOL_FAILED')
    restore('SPOOL_FULL')
    wakeReader()
  }

  // ── read ──

  async function load(segment: Segment): Promise<void> {
    await reader.load(segment, (message, offset, length, sequence) =>
      window.push(new StoredEntry(message, segment, offset, length, sequence, settled)),
    )
    if (segment.sealed) segments.release(segment)
    // An open file keeps its space after it is deleted.
    if (!segments.behind()) await closeReader()
  }

  /** Takes records that cannot be read off the depth and onto the account. Behind the last record, all that was not read is lost. */
  function lose(segment: Segment, ranges: readonly Range[], reason: string): void {
    const atEnd = segment.readFrom >= segment.bytes
    const count = atEnd ? segment.unread : Math.min(segment.unread, sizeOf(ranges))
    const bytes = atEnd ? segment.unreadBytes : 0
    if (atEnd) {
      for (const offset of segment.awaited) segment.replay.delete(offset)
      segment.awaited.clear()
      segment.nextSequence = segment.endSequence
    }
    depth.messages -= count
    depth.bytes -= bytes
    segment.unsettled -= count
    segment.unread -= count
    segment.unreadBytes -= bytes
    cursorDirty = true
    if (count === 0) return
    const reasons = [`${segmentName(segment.number)} ${reason}`]
    const added = losses.add('running', { ranges, exact: true, reasons })
    if (added < count) losses.add('running', { unnumbered: count - added, exact: true, reasons })
  }

  /** Goes on without what is left of a segment. */
  function giveUp(segment: Segment, reason: string): void {
    const ranges = unreadOf(segment)
    segment.readFrom = segment.bytes
    lose(segment, ranges, reason)
    segments.release(segment)
  }

  /** Looks for files that somebody removes while the spool runs. */
  async function watch(): Promise<void> {
    try {
      for (const segment of await segments.vanished()) {
        observe.record('spool.corrupted', { detail: `${segment.path} is missing` })
        giveUp(segment, 'is missing')
      }
      const names = await fs.list(dir)
      if (cursorNames.every((name) => names.includes(name)) || phase === 'stopped') return
      await cursorFiles?.forget()
      cursorDirty = true
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') await fs.makeDir(dir).catch((error) => failed('watch', error))
      else failed('watch', error)
    }
  }

  const mayRead = () => handedOutBytes < inFlightBytes && phase !== 'stopped'

  function take(): StoredEntry | undefined {
    const entry = mayRead() ? window.shift() : undefined
    return entry && handOut(entry)
  }

  async function ready(signal: AbortSignal): Promise<boolean> {
    if (hasReader) throw new Error('the spool has a reader already')
    hasReader = true
    const wake = () => wakeReader()
    signal.addEventListener('abort', wake)
    try {
      while (!signal.aborted && phase !== 'stopped') {
        if (mayRead() && window.first) return true
        const segment = mayRead() ? segments.behind() : undefined
        if (segment) await load(segment).catch((error) => retryRead(segment, error, signal))
        else {
          await new Promise<void>((resolve) => {
            wakeReader = resolve
          })
        }
      }
      return false
    } finally {
      signal.removeEventListener('abort', wake)
      hasReader = false
    }
  }

  function handOut(entry: StoredEntry): StoredEntry {
    const { segment, offset, bytes, message } = entry
    inFlight.add(entry)
    handedOutBytes += bytes
    if (segment.replay.size > 0) segment.replay.delete(offset)
    if (segment.number > frontier.segment || (segment.number === frontier.segment && offset >= frontier.offset)) {
      frontier = { segment: segment.number, offset: offset + bytes, sequence: entry.sequence + 1 }
    }
    lastReadAt = message.receivedAt
    if (maxAgeMs !== undefined && steady.now() - steady.of(message.receivedAt) > maxAgeMs) entry.expired = true
    return entry
  }

  /** A file that cannot be read holds up those behind it for a few tries, a file that is gone does not. Other errors pass. */
  async function retryRead(segment: Segment, error: unknown, signal: AbortSignal): Promise<void> {
    if (phase === 'stopped') return
    failed('read', error)
    await closeReader()
    const code = errnoOf(error)
    segment.failedReads++
    if (goneCodes.has(code) || (isUnreadable(error) && segment.failedReads >= maxFailedReads)) {
      segment.vanished = code === 'ENOENT'
      segment.unreadable = code !== 'ENOENT'
      return giveUp(segment, segment.vanished ? 'is missing' : `cannot be read (${code})`)
    }
    await clock.sleep(retryReadMs, signal).catch(() => undefined)
  }

  async function closeReader(): Promise<void> {
    await reader.close().catch((error) => failed('close', error))
  }

  // ── settle ──

  function settled(entry: StoredEntry): void {
    if (closed) return
    inFlight.remove(entry)
    const wasFull = handedOutBytes >= inFlightBytes
    handedOutBytes -= entry.bytes
    if (wasFull && handedOutBytes < inFlightBytes) wakeReader()
    depth.messages--
    depth.bytes -= entry.bytes
    entry.segment.unsettled--
    cursorDirty = true
    segments.release(entry.segment)
  }

  function toCursor(): Cursor {
    const unsettled: Record<string, [number, number][]> = {}
    const add = (segment: Segment, offset: number, sequence: number) => {
      unsettled[segment.number] ??= []
      unsettled[segment.number]!.push([offset, sequence])
    }
    for (const { segment, offset, sequence } of inFlight) add(segment, offset, sequence)
    for (const segment of segments.values()) for (const [offset, sequence] of segment.replay) add(segment, offset, sequence)
    return { ...frontier, next: nextSequence, unsettled, ...(closed && { closed }) }
  }

  function saveCursor(): Promise<void> {
    if (!cursorDirty) return cursorWrite ?? Promise.resolve()
    cursorWrite ??= (async () => {
      cursorDirty = false
      try {
        await losses.saved() // before the cursor forgets what is missing
        const released = segments.released()
        await cursorFiles?.write(toCursor())
        segments.delete(released)
      } catch (error) {
        cursorDirty = true
        failed('cursor', error)
      }
      cursorWrite = undefined
    })()
    return cursorWrite
  }

  const checkpoint = async () => {
    await cursorWrite
    cursorDirty ||= !cursorFiles?.exists()
    await saveCursor()
    if (cursorDirty) throw new GatewayError('SPOOL_FAILED', 'the cursor cannot be written', { details: { dir } })
  }

  // ── trouble ──

  function failed(call: string, error: unknown): void {
    observe.record('spool.failed', { code: errnoOf(error), detail: `${call}: ${textOf(error)}` })
  }

  function degrade(code: Trouble, detail: string): void {
    troubles[code].raise({ detail })
  }

  /** Called when a group was written or a segment deleted. Full stays full until there is room worth speaking of. */
  function restore(code: Trouble): void {
    if (code === 'SPOOL_FULL' && segments.bytes() > maxBytes * qos0Share) return
    troubles[code].clear()
  }

  return {
    start() {
      if (phase === 'stopped') return Promise.reject(new Error('a spool that has stopped does not start again'))
      starting ??= start()
      return starting
    },

    append(message) {
      if (phase === 'stopped') return commits.refuse(new GatewayError('STOPPING', 'the spool has stopped'))
      if (phase === 'new') return Promise.reject(new Error('the spool has not been started'))
      const size = recordSizeLimit(message)
      const refusal = refusalOf(size, message)
      if (refusal) return commits.refuse(refusal)
      return commits.append(message, size)
    },

    take,
    ready,

    depth() {
      const oldest = inFlight.first ?? window.first
      const oldestAt = depth.messages === 0 ? undefined : (oldest?.message.receivedAt ?? lastReadAt)
      return { ...depth, ...(oldestAt !== undefined && { oldestAt }) }
    },

    checkpoint,

    stop() {
      stopping ??= stop()
      return stopping
    },
  }
}

function errnoOf(error: unknown): string {
  return (error as NodeJS.ErrnoException | undefined)?.code ?? 'unknown'
}
