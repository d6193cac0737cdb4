// The spool against a list, on a disk that fails, forgets and tears: whatever happens, nothing acknowledged and unsettled is missing.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createFileSpool } from '../../../gateway/spool/file.ts'
import { createLosses, type Losses } from '../../../gateway/spool/losses.ts'
import { MessageCodec } from '../../../gateway/spool/message-codec.ts'
import type { Entry, Spool, SpoolDepth } from '../../../gateway/spool/spool.ts'
import { createRandom } from '../../../lib/random.ts'
import { fastPaths } from '../../helpers/fast-paths.ts'
import { createManualClock } from '../../helpers/manual-clock.ts'
import { type Call, createMemoryFs, errno, type MemoryFs } from '../../helpers/memory-fs.ts'
import { toReading } from '../../helpers/messages.ts'
import { readSpool } from '../../helpers/read-spool.ts'
import { createSpyObserve } from '../../helpers/spy-observe.ts'

const dir = '/spool'
const ticks = async (count: number) => {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
}

interface Config {
  readonly maxBytes: number
  readonly segmentBytes: number
  readonly seed: number
}

type Fate = 'pending' | 'acked' | 'rejected'

/** The list, and the spool it is held against. */
class World {
  readonly config: Config
  readonly random: () => number
  fs = createMemoryFs()
  clock = createManualClock()
  losses!: Losses
  spool: Spool
  entries: AsyncIterator<Entry>
  inFlight: Entry[] = []
  fates = new Map<number, Fate>()
  settled = new Set<number>()
  /** Settled, and a clean stop wrote it down: must never be seen again. */
  forgotten = new Set<number>()
  lastTaken = -1
  appends: Promise<unknown>[] = []
  cannotDelete = false
  cannotTruncate = false

  constructor(config: Config) {
    this.config = config
    this.random = createRandom(config.seed)
    this.spool = this.open(this.fs)
    this.entries = readSpool(this.spool, new AbortController().signal)[Symbol.asyncIterator]()
  }

  open(fs: MemoryFs): Spool {
    const { maxBytes, segmentBytes } = this.config
    this.losses = createLosses({ clock: this.clock, observe: createSpyObserve() })
    return createFileSpool({
      ...{ dir, maxBytes, segmentBytes, clock: this.clock, observe: createSpyObserve(), fs },
      losses: this.losses.place('spool'),
      codec: new MessageCodec(fastPaths),
    })
  }

  append(sizes: readonly number[]): void {
    for (const size of sizes) {
      const number = this.fates.size
      this.fates.set(number, 'pending')
      const { fates } = this
      const appended = this.spool.append(toPadded(number, size)).then(
        () => {
          if (this.appends.includes(appended)) fates.set(number, 'acked')
        },
        (error) => {
          expect(error.code).toMatch(/^SPOOL_(FULL|FAILED)$/)
          if (this.appends.includes(appended)) fates.set(number, 'rejected')
        },
      )
      this.appends.push(appended)
    }
  }

  async flush(): Promise<void> {
    await Promise.all(this.appends)
  }

  async take(count: number): Promise<void> {
    for (let i = Math.min(count, this.spool.depth().messages - this.inFlight.length); i > 0; i--) {
      const entry = await this.next()
      const number = Number(entry.message.id)
      expect(number).toBeGreaterThan(this.lastTaken)
      expect(entry.message).toEqual(toPadded(number, entry.message.payload.length))
      this.lastTaken = number
      this.inFlight.push(entry)
    }
  }

  /** The next entry, however long the spool waits before it tries a failing disk again. */
  private async next(): Promise<Entry> {
    let found: Entry | undefined
    this.entries.next().then(({ value }) => {
      found = value
    })
    for (let turns = 0; !found; turns++) {
      await ticks(1)
      if (turns > 20) await this.clock.advance(1_000)
      if (turns > 200) throw new Error('an entry that depth counts is not read')
    }
    return found
  }

  settle(which: number): void {
    const [entry] = this.inFlight.splice(which % Math.max(1, this.inFlight.length), 1)
    if (!entry) return
    entry.settle('delivered')
    this.settled.add(Number(entry.message.id))
  }

  fail(call: Call, times: number): void {
    let left = times
    if (call === 'remove') this.cannotDelete = true
    if (call === 'truncate') this.cannotTruncate = true
    this.fs.fault = (made) => (made === call && left-- > 0 ? errno('EIO') : undefined)
  }

  async crash(afterTicks: number): Promise<void> {
    await ticks(afterTicks)
    await this.boot(this.fs.crash(this.random), false)
  }

  async restart(): Promise<void> {
    this.fs.fault = () => undefined
    await this.spool.stop()
    await this.flush()
    await this.boot(this.fs, true)
  }

  private async boot(fs: MemoryFs, clean: boolean): Promise<void> {
    this.appends = []
    const before = this.spool.depth()
    if (clean) for (const number of this.settled) this.forgotten.add(number)
    this.fs = fs
    const seen = await this.survey(clean)
    if (clean && !this.cannotTruncate) expect(seen.depth).toEqual(before)
    // What came back is the spool's from here on, acknowledged or not; what did not come back was never ours.
    for (const [number, fate] of this.fates) if (fate === 'pending') this.fates.set(number, 'rejected')
    for (const number of seen.numbers) {
      this.fates.set(number, 'acked')
      this.settled.delete(number)
    }
    for (const number of this.settled) this.forgotten.add(number)
    this.inFlight = []
    this.lastTaken = -1
    this.spool = this.open(fs)
    await this.spool.start()
    this.entries = readSpool(this.spool, new AbortController().signal)[Symbol.asyncIterator]()
  }

  /** Reads all there is on a copy of the disk. */
  async survey(clean: boolean): Promise<{ numbers: number[]; depth: SpoolDepth }> {
    const spool = this.open(this.fs.copy())
    await spool.start()
    expect(this.losses.list(), 'reported as lost').toEqual([])
    const depth = spool.depth()
    const numbers: number[] = []
    const entries = readSpool(spool, new AbortController().signal)[Symbol.asyncIterator]()
    for (let i = 0; i < depth.messages; i++) {
      const { value: entry } = await entries.next()
      const number = Number(entry.message.id)
      expect(entry.message).toEqual(toPadded(number, entry.message.payload.length))
      if (i === 0) expect(depth.oldestAt).toBe(entry.message.receivedAt)
      numbers.push(number)
    }
    await spool.stop()
    expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b))
    for (const number of numbers) {
      expect(this.forgotten, 'settled before a clean stop').not.toContain(number)
      if (clean && !this.cannotTruncate) expect(this.fates.get(number), 'rejected and delivered').not.toBe('rejected')
    }
    for (const [number, fate] of this.fates) {
      if (fate === 'acked' && !this.settled.has(number)) expect(numbers, 'acknowledged and lost').toContain(number)
    }
    return { numbers, depth }
  }

  /** When everything is settled there is room again, whatever happened before. */
  async end(): Promise<void> {
    await this.restart()
    await this.take(Number.POSITIVE_INFINITY)
    while (this.inFlight.length > 0) this.settle(0)
    expect(this.spool.depth()).toEqual({ messages: 0, bytes: 0 })
    expect(this.losses.list(), 'reported as lost').toEqual([])
    await this.restart()
    expect(this.spool.depth().messages).toBe(0)
    if (this.cannotDelete) return
    expect([...this.fs.files.keys()].filter((path) => /seg/.test(path))).toEqual([])
    this.append([100])
    await this.flush()
    expect(this.spool.depth().messages).toBe(1)
  }
}

const toPadded = (number: number, size: number) => toReading(number, { payload: Buffer.alloc(size, number % 251) })

type Step = readonly [name: string, run: (world: World) => unknown]

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.array(fc.nat(900), { minLength: 1, maxLength: 8 }).map((sizes): Step => [`append ${sizes}`, (w) => w.append(sizes)]),
  },
  { weight: 4, arbitrary: fc.constant<Step>(['flush', (w) => w.flush()]) },
  { weight: 4, arbitrary: fc.nat(12).map((count): Step => [`take ${count}`, (w) => w.take(count)]) },
  { weight: 8, arbitrary: fc.nat(20).map((which): Step => [`settle ${which}`, (w) => w.settle(which)]) },
  { weight: 2, arbitrary: fc.constant<Step>(['cursor', (w) => w.clock.advance(250)]) },
  { weight: 2, arbitrary: fc.nat(8).map((count): Step => [`turns ${count}`, () => ticks(count)]) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(
        fc.constantFrom<Call>('write', 'datasync', 'open', 'truncate', 'rename', 'syncDir', 'remove', 'read'),
        fc.integer({ min: 1, max: 3 }),
      )
      .map(([call, times]): Step => [`fail ${call} ×${times}`, (w) => w.fail(call, times)]),
  },
  { weight: 2, arbitrary: fc.nat(9).map((after): Step => [`crash after ${after}`, (w) => w.crash(after)]) },
  { weight: 1, arbitrary: fc.constant<Step>(['restart', (w) => w.restart()]) },
)

const config = fc.record({
  maxBytes: fc.constantFrom(6_000, 20_000, 1_000_000),
  segmentBytes: fc.constantFrom(700, 3_000, 1_000_000),
  seed: fc.nat(),
})

test('against a list: no loss, no invention, order kept, settled stays settled', async () => {
  await fc.assert(
    fc.asyncProperty(config, fc.array(step, { maxLength: 40 }), async (settings, steps) => {
      const world = new World(settings)
      await world.spool.start()
      const done: string[] = []
      try {
        for (const [name, run] of steps) {
          done.push(name)
          await run(world)
        }
        done.push('end')
        await world.end()
      } catch (error) {
        throw new Error(`after ${done.join(', ')}`, { cause: error })
      }
    }),
    { numRuns: Number(process.env.SPOOL_RUNS ?? 120), timeout: 2_000 },
  )
}, 120_000)
