// The durable spool: a message is acknowledged when it is on disk, and deleted after it is settled.
//
//   append ─▶ batch ─▶ segment in use ─▶ … ─▶ deleted when all its records are settled
//   store.ts               │                  checkpoints.ts
//                          └─▶ window ─▶ read ─▶ in flight ─▶ settle ─▶ cursor
//                              reading.ts        progress.ts
//
// spool.ts lists the invariants.
import { dirname } from 'node:path'
import * as z from 'zod'
import type { Clock } from '../../lib/clock.ts'
import { randomSeed } from '../../lib/random.ts'
import { createSteadyClock, type SteadyClock } from '../../lib/steady.ts'
import { GatewayError, textOf } from '../errors.ts'
import type { Message } from '../message/message.ts'
import type { Observe } from '../observe/observe.ts'
import { Checkpoints } from './checkpoints.ts'
import { NewerFormatError } from './codec.ts'
import { nodeFs, type SpoolFs } from './fs.ts'
import { errnoOf, SpoolHealth } from './health.ts'
import { lockDir } from './lock.ts'
import { createLosses, type PlaceLosses } from './losses.ts'
import { LostRecords } from './lost-records.ts'
import { MessageCodec } from './message-codec.ts'
import { Progress } from './progress.ts'
import { Reading } from './reading.ts'
import { recover } from './recover.ts'
import { Segments } from './segments.ts'
import type { DurableSpool, Entry, SpoolDepth } from './spool.ts'
import { qos0Share, Store } from './store.ts'

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
  /** false: the caller holds the lock of a directory above. */
  readonly lock?: boolean
  /** The account of lost messages. Default: in memory. */
  readonly losses?: PlaceLosses
  /** Time for `maxAgeMs`. Default: one that does not outlive the spool. */
  readonly steady?: SteadyClock
}

/** Memory for records with their rules and targets: many small ones or few large ones. */
export const inFlightBytes = 32 * MiB
const cursorEveryMs = 250
const watchEveryMs = 1000

export function createFileSpool(options: FileSpoolOptions): DurableSpool {
  return new FileSpool(options)
}

class FileSpool implements DurableSpool {
  readonly #options: FileSpoolOptions
  readonly #fs: SpoolFs
  readonly #losses: PlaceLosses
  readonly #health: SpoolHealth
  readonly #progress = new Progress()
  readonly #segments: Segments
  readonly #checkpoints: Checkpoints
  readonly #lost: LostRecords
  readonly #reading: Reading
  readonly #store: Store
  #phase: 'new' | 'running' | 'stopped' = 'new'
  #starting: Promise<void> | undefined
  #stopping: Promise<void> | undefined
  #unlock = async () => {}
  #endTimers = () => {}

  constructor(options: FileSpoolOptions) {
    const { dir, maxBytes, maxAgeMs, clock, observe, fs = nodeFs, windowBytes = 8 * MiB, codec = new MessageCodec() } = options
    const segmentBytes = Math.max(1, Math.min(options.segmentBytes ?? 64 * MiB, Math.floor(maxBytes / 4)))
    const salt = randomSeed()
    const losses = options.losses ?? createLosses({ clock, observe }).place('spool')
    const progress = this.#progress
    const health = new SpoolHealth(observe, clock, maxBytes * qos0Share)
    const segments = new Segments({
      ...{ fs, dir, salt, segmentBytes },
      onReleased: () => void this.#checkpoints.saveNow(),
      onDeleted: () => health.occupies(segments.bytes()),
      onFailed: (call, error) => health.callFailed(call, error),
    })
    const checkpoints = new Checkpoints({ fs, dir, segments, progress, losses, health })
    const lost = new LostRecords(segments, progress, losses)
    const steady = options.steady ?? createSteadyClock(clock)
    const time = { clock, steady, maxAgeMs }
    const reading = new Reading({ fs, codec, segments, progress, lost, health, ...time, windowBytes, inFlightBytes })
    this.#options = options
    this.#fs = fs
    this.#losses = losses
    this.#health = health
    this.#segments = segments
    this.#checkpoints = checkpoints
    this.#lost = lost
    this.#reading = reading
    this.#store = new Store({ dir, maxBytes, salt, codec, segments, progress, reading, checkpoints, health })
  }

  start(): Promise<void> {
    if (this.#phase === 'stopped') return Promise.reject(new Error('a spool that has stopped does not start again'))
    this.#starting ??= this.#start()
    return this.#starting
  }

  append(message: Message): Promise<void> {
    if (this.#phase === 'stopped') return this.#store.refuse(new GatewayError('STOPPING', 'the spool has stopped'))
    if (this.#phase === 'new') return Promise.reject(new Error('the spool has not been started'))
    return this.#store.append(message)
  }

  take(): Entry | undefined {
    return this.#reading.take()
  }

  ready(signal: AbortSignal): Promise<boolean> {
    return this.#reading.ready(signal)
  }

  depth(): SpoolDepth {
    const { messages, bytes } = this.#progress
    const oldestAt = this.#progress.oldestAt(this.#reading.first)
    return { messages, bytes, ...(oldestAt !== undefined && { oldestAt }) }
  }

  checkpoint(): Promise<void> {
    return this.#checkpoints.checkpoint()
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async #start(): Promise<void> {
    const { clock, observe } = this.#options
    const before = clock.monotonic()
    this.#unlock = await this.#claim().catch((cause) => {
      throw cause instanceof GatewayError ? cause : this.#unusable(cause)
    })
    try {
      await this.#recover()
    } catch (error) {
      await this.#unlock().catch(() => undefined)
      this.#unlock = async () => {}
      throw errnoOf(error) === 'unknown' && !(error instanceof NewerFormatError) ? error : this.#unusable(error)
    }
    const { messages, bytes } = this.#progress
    if (messages > 0) observe.record('message.recovered', { count: messages, bytes, ms: clock.monotonic() - before })
    await this.#checkpoints.create()
    const endCursorTimer = clock.every(cursorEveryMs, () => void this.#checkpoints.save())
    const endWatch = clock.every(watchEveryMs, () => void this.#watch())
    this.#endTimers = () => {
      endCursorTimer()
      endWatch()
    }
    if (this.#phase === 'new') this.#phase = 'running'
    this.#reading.wake()
  }

  /** Takes the directory; resolves with how to give it back. */
  async #claim(): Promise<() => Promise<void>> {
    const { dir, lock } = this.#options
    await this.#fs.makeDir(dir)
    // New directories must survive a power cut too. One that cannot be opened was not made here.
    for (const parent of [dirname(dir), dirname(dirname(dir))]) await this.#fs.syncDir(parent).catch(() => undefined)
    return lock === false ? async () => {} : lockDir(this.#fs, dir)
  }

  async #recover(): Promise<void> {
    const { dir, observe } = this.#options
    const cursor = await this.#checkpoints.open()
    const found = await recover({ fs: this.#fs, dir, observe, losses: this.#losses, cursor })
    this.#segments.adopt(found.segments, found.nextNumber)
    this.#progress.recovered(found)
    this.#store.startAt(found.nextSequence)
  }

  #unusable(cause: unknown): GatewayError {
    const { dir } = this.#options
    return new GatewayError('DATA_DIR_UNUSABLE', `the spool directory ${dir} cannot be used: ${textOf(cause)}`, { cause, details: { dir } })
  }

  async #stop(): Promise<void> {
    this.#phase = 'stopped'
    this.#reading.stop()
    await this.#starting?.catch(() => undefined)
    this.#endTimers()
    await this.#store.idle()
    await this.#segments.end()
    await this.#checkpoints.idle()
    this.#progress.close()
    await this.#checkpoints.save()
    await this.#segments.idle()
    await this.#reading.close()
    await this.#checkpoints.close()
    await this.#unlock().catch((error) => this.#health.callFailed('unlock', error))
  }

  /** Looks for files that were removed while the spool runs. */
  async #watch(): Promise<void> {
    const { dir } = this.#options
    try {
      for (const segment of await this.#segments.vanished()) {
        this.#health.corrupted(`${segment.path} is missing`)
        this.#lost.giveUp(segment, 'is missing')
      }
      const names = await this.#fs.list(dir)
      if (this.#phase !== 'stopped') await this.#checkpoints.restoreMissing(names)
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') await this.#fs.makeDir(dir).catch((error) => this.#health.callFailed('watch', error))
      else this.#health.callFailed('watch', error)
    }
  }
}
