// The journal against a list, on a disk that fails, forgets and tears: what was promised is there, what was released is not.
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { createMemory } from '../../../../gateway/broker/memory.ts'
import { createRoutes } from '../../../../gateway/broker/routes.ts'
import type { Entry } from '../../../../gateway/broker/sessions/entry.ts'
import { decodeEntry, encodeEntry } from '../../../../gateway/broker/sessions/entry.ts'
import { createFileJournal, type Journal } from '../../../../gateway/broker/sessions/journal.ts'
import { count } from '../../../../gateway/broker/sessions/sessions.ts'
import { createState, type State } from '../../../../gateway/broker/sessions/state.ts'
import { createLosses } from '../../../../gateway/spool/losses.ts'
import { createRandom } from '../../../../lib/random.ts'
import { createManualClock, type ManualClock } from '../../../helpers/manual-clock.ts'
import { type Call, createMemoryFs, errno, type MemoryFs } from '../../../helpers/memory-fs.ts'
import { createSpyObserve, type SpyObserve } from '../../../helpers/spy-observe.ts'

const dir = '/sessions'
const client = 'freezer-1'
const ticks = async (count: number) => {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
}

async function boot(fs: MemoryFs, salt: number, roomBytes = 3_000, observe: SpyObserve = createSpyObserve()) {
  const state = createState({ routes: createRoutes(), memory: createMemory() })
  const clock = createManualClock()
  const losses = createLosses({ clock, observe: createSpyObserve() })
  const journaled = { apply: state.apply, entries: state.entries, counts: () => count(state) }
  const place = { dir, salt, roomBytes, observe, fs, clock, losses: losses.place('sessions', 'sessions') }
  const journal = createFileJournal({ journaled, ...place })
  await journal.start()
  return { state, journal, losses, clock }
}

const opened: Entry = { kind: 'opened', client, protocol: 3, fresh: false, expirySeconds: 3_600 }
const bodyOf = (number: number) => Buffer.alloc(1 + (number % 400), number % 251)
const kept = (number: number, retained: boolean): Entry => ({
  ...({ kind: 'kept', number, retained, to: retained ? [] : [client], qos: 1 } as const),
  ...{ topic: `state/${number % 3}`, payload: bodyOf(number) },
})

type Fate = 'pending' | 'kept' | 'rejected'

class World {
  readonly random: () => number
  fs = createMemoryFs()
  state!: State
  journal!: Journal
  clock!: ManualClock
  /** Of every number: whether it is retained, what became of its append, and of its release. */
  readonly entries = new Map<number, { readonly retained: boolean; fate: Fate; release?: Fate }>()
  appends: Promise<unknown>[] = []

  constructor(seed: number) {
    this.random = createRandom(seed)
  }

  async start(): Promise<void> {
    const { losses, ...booted } = await boot(this.fs, Math.floor(this.random() * 2 ** 32))
    Object.assign(this, booted)
    expect(losses.list(), 'reported as lost').toEqual([])
    this.appends = []
  }

  /** Tells how it went, unless the plug was pulled meanwhile. */
  private append(entry: Entry, told: (fate: Fate) => void): void {
    const { journal } = this
    const done = (fate: Fate) => () => void (this.journal === journal && told(fate))
    this.appends.push(journal.append(entry).then(done('kept'), done('rejected')))
  }

  keep(retained: boolean): void {
    const number = this.entries.size + 1
    const entry: { readonly retained: boolean; fate: Fate } = { retained, fate: 'pending' }
    this.entries.set(number, entry)
    this.append(kept(number, retained), (fate) => {
      entry.fate = fate
    })
  }

  release(which: number): void {
    const waiting = [...this.entries].filter(([, { retained, fate, release }]) => !retained && fate === 'kept' && !release)
    const [number, entry] = waiting[which % Math.max(1, waiting.length)] ?? []
    if (!entry) return
    entry.release = 'pending'
    this.append({ kind: 'released', client, numbers: [number!] }, (fate) => {
      entry.release = fate
    })
  }

  fail(call: Call, times: number): void {
    let left = times
    this.fs.fault = (made) => (made === call && left-- > 0 ? errno('EIO') : undefined)
  }

  async flush(): Promise<void> {
    await Promise.all(this.appends)
    this.check()
  }

  check(): void {
    const queue = [...(this.state.sessions.get(client)?.queue.keys() ?? [])]
    expect(queue).toEqual([...queue].sort((a, b) => a - b))
    const last = new Map<string, number>()
    for (const [number, { retained, fate, release }] of this.entries) {
      if (retained && fate === 'kept') last.set(`state/${number % 3}`, number)
      if (retained || fate === 'pending' || release === 'pending') continue
      const should = fate === 'kept' && release !== 'kept'
      if (should) expect(queue, 'promised and lost').toContain(number)
      else expect(queue, 'released or refused, and there').not.toContain(number)
    }
    for (const number of queue) expect(Buffer.from(this.state.kept.get(number)!.payload)).toEqual(bodyOf(number))
    for (const [topic, number] of last) {
      const found = this.state.retained.get(topic)
      expect(found?.number, 'retained and lost').toBeGreaterThanOrEqual(number)
      expect(Buffer.from(found!.payload)).toEqual(bodyOf(found!.number))
    }
  }

  async crash(after: number): Promise<void> {
    await ticks(after)
    this.fs = this.fs.crash(this.random)
    await this.start()
    // What nobody was told of is the journal's from here on if it came back, and never was if it did not.
    const queue = this.state.sessions.get(client)?.queue
    const retained = new Set([...this.state.retained.values()].map(({ number }) => number))
    for (const [number, entry] of this.entries) {
      const there = entry.retained ? retained.has(number) : queue?.has(number) === true
      if (entry.fate !== 'kept') entry.fate = there ? 'kept' : 'rejected'
      if (entry.release && entry.release !== 'kept') entry.release = there ? 'rejected' : 'kept'
    }
    this.check()
  }

  async restart(): Promise<void> {
    this.fs.fault = () => undefined
    await this.journal.stop()
    await this.flush()
    await this.start()
    this.check()
  }
}

type Step = readonly [name: string, run: (world: World) => unknown]

const step = fc.oneof(
  { weight: 8, arbitrary: fc.boolean().map((retained): Step => [retained ? 'retain' : 'queue', (w) => w.keep(retained)]) },
  { weight: 5, arbitrary: fc.nat(9).map((which): Step => [`release ${which}`, (w) => w.release(which)]) },
  { weight: 4, arbitrary: fc.constant<Step>(['flush', (w) => w.flush()]) },
  { weight: 2, arbitrary: fc.nat(8).map((count): Step => [`turns ${count}`, () => ticks(count)]) },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom<Call>('write', 'datasync', 'open', 'truncate', 'syncDir', 'remove', 'list'), fc.integer({ min: 1, max: 3 }))
      .map(([call, times]): Step => [`fail ${call} ×${times}`, (w) => w.fail(call, times)]),
  },
  { weight: 2, arbitrary: fc.nat(9).map((after): Step => [`crash after ${after}`, (w) => w.crash(after)]) },
  { weight: 2, arbitrary: fc.constant<Step>(['a second', (w) => w.clock.advance(1_000)]) },
  { weight: 1, arbitrary: fc.constant<Step>(['restart', (w) => w.restart()]) },
)

test('against a list: nothing promised is lost, nothing released comes back', async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(), fc.array(step, { maxLength: 50 }), async (seed, steps) => {
      const world = new World(seed)
      const done: string[] = []
      try {
        await world.start()
        await world.journal.append(opened)
        for (const [name, run] of steps) {
          done.push(name)
          await run(world)
        }
        done.push('end')
        await world.restart()
        await world.crash(0)
      } catch (error) {
        throw new Error(`after ${done.join(', ')}`, { cause: error })
      }
    }),
    { numRuns: Number(process.env.JOURNAL_RUNS ?? 150), timeout: 3_000 },
  )
}, 120_000)

describe('the file', () => {
  test('is written anew when most of it no longer matters', async () => {
    const fs = createMemoryFs()
    const { journal, state } = await boot(fs, 1)
    await journal.append(opened)
    for (let number = 1; number <= 200; number++) {
      await journal.append(kept(number, false))
      await journal.append({ kind: 'released', client, numbers: [number] })
    }
    expect(state.kept.size).toBe(0)
    const names = [...fs.files.keys()].filter((name) => name.endsWith('.seg'))
    expect(names).toHaveLength(1)
    expect(Number(/(\d+)\.seg/.exec(names[0]!)![1])).toBeGreaterThan(5)
    await journal.stop()
  })

  test('damage in the middle costs what it covers, and is told', async () => {
    const fs = createMemoryFs()
    const first = await boot(fs, 1, 1_000_000)
    await first.journal.append(opened)
    for (let number = 1; number <= 20; number++) await first.journal.append(kept(number, false))
    await first.journal.stop()
    const [path, bytes] = [...fs.files].find(([name]) => name.endsWith('.seg'))!
    fs.overwrite(path, Math.floor(bytes.length / 2), Buffer.from('damage'))
    const observe = createSpyObserve()
    const { state } = await boot(fs, 2, 1_000_000, observe)
    expect(state.sessions.get(client)!.queue.size).toBe(19)
    expect(observe.of('sessions.corrupted')).toHaveLength(1)
    expect([...fs.files.keys()].filter((name) => name.endsWith('.corrupt'))).toEqual([`${path}.corrupt`])
  })

  test('belongs to one gateway at a time', async () => {
    const fs = createMemoryFs()
    await boot(fs, 1)
    await expect(boot(fs, 2)).rejects.toMatchObject({
      code: 'SPOOL_LOCKED',
      message: expect.stringContaining(' already uses /sessions;'),
    })
  })

  test('a disk that is full refuses, says so once, and takes what comes when there is room again', async () => {
    const fs = createMemoryFs()
    const observe = createSpyObserve()
    const { journal, state, clock } = await boot(fs, 1, 3_000, observe)
    fs.fault = (call) => (call === 'write' ? errno('ENOSPC') : undefined)
    for (let i = 0; i < 3; i++) await expect(journal.append(opened)).rejects.toMatchObject({ code: 'SESSIONS_FAILED', retryable: true })
    expect(state.sessions.size).toBe(0)
    fs.fault = () => undefined
    await journal.append(opened)
    expect(state.sessions.size).toBe(1)
    expect(observe.of('gateway.degraded')).toHaveLength(1)
    expect(observe.of('gateway.recovered')).toEqual([])
    await clock.advance(1_000)
    expect(observe.of('gateway.recovered')).toHaveLength(1)
  })

  test('a disk that fails every other write for 10 s is reported once, and once more when it is over', async () => {
    const fs = createMemoryFs()
    const observe = createSpyObserve()
    const { journal, clock } = await boot(fs, 1, 1_000_000, observe)
    for (let i = 0; i < 1_000; i++) {
      fs.fault = (call) => (i % 2 === 0 && call === 'write' ? errno('ENOSPC') : undefined)
      await journal.append(opened).catch(() => undefined)
      await clock.advance(10)
    }
    await clock.advance(2_000)
    expect(observe.of('gateway.degraded')).toHaveLength(1)
    expect(observe.of('gateway.recovered')).toHaveLength(1)
  })
})

test('an entry is what it was, whatever bytes its message has', () => {
  const text = fc.string({ unit: 'binary' })
  const message = fc.record(
    {
      payload: fc.uint8Array({ maxLength: 200 }),
      properties: fc.record(
        { contentType: text, correlationData: fc.uint8Array(), userProperties: fc.array(fc.tuple(text, text)) },
        { requiredKeys: [] },
      ),
    },
    { requiredKeys: ['payload'] },
  )
  fc.assert(
    fc.property(message, text, ({ payload, properties }, topic) => {
      const entry = { ...kept(7, true), topic, payload, ...(properties ? { properties } : {}) } as Entry
      const back = decodeEntry(encodeEntry(entry)) as typeof entry
      expect(plain(back)).toEqual(plain(entry))
    }),
  )
})

/** Buffers and other byte arrays with the same bytes are the same. */
const plain = (value: unknown) =>
  JSON.parse(
    JSON.stringify(value, (_, part) =>
      part instanceof Uint8Array
        ? Buffer.from(part).toString('hex')
        : part?.type === 'Buffer'
          ? Buffer.from(part.data).toString('hex')
          : part,
    ),
  ) // prettier-ignore

describe('a journal that is written anew', () => {
  /** A disk on which the second file waits for `go` with its first write. */
  function slowDisk(fs: MemoryFs) {
    const { promise: go, resolve: release } = Promise.withResolvers<void>()
    const slow: MemoryFs = Object.assign(Object.create(fs), {
      async open(...[path, flags]: Parameters<MemoryFs['open']>) {
        const file = await fs.open(path, flags)
        if (!path.endsWith('000002.seg')) return file
        return { ...file, write: (...args: Parameters<typeof file.write>) => go.then(() => file.write(...args)) }
      },
    })
    return { slow, release }
  }

  test('appends do not wait for it, and a restart finds all of them', async () => {
    const fs = createMemoryFs()
    const { slow, release } = slowDisk(fs)
    const { journal } = await boot(slow, 1)
    await journal.append(opened)
    for (let number = 1; number <= 40; number++) await journal.append(kept(number, false))
    expect(await fs.list(dir)).toEqual(expect.arrayContaining(['000001.seg', '000002.seg']))
    release()
    // The first append after the new file is ready goes there.
    for (let number = 41; (await fs.list(dir)).includes('000001.seg'); number++) {
      await journal.append(kept(number, false))
      await ticks(5)
    }
    await journal.append({ kind: 'released', client, numbers: [1, 2] })
    await journal.stop()
    const { state } = await boot(fs, 2)
    expect([...state.sessions.get(client)!.queue.keys()].slice(0, 38)).toEqual(Array.from({ length: 38 }, (_, i) => i + 3))
  })

  test('a stop removes the file that is not whole', async () => {
    const fs = createMemoryFs()
    const { slow, release } = slowDisk(fs)
    const { journal } = await boot(slow, 1)
    await journal.append(opened)
    for (let number = 1; number <= 40; number++) await journal.append(kept(number, false))
    const stopped = journal.stop()
    release()
    await stopped
    expect((await fs.list(dir)).filter((name) => name.endsWith('.seg'))).toEqual(['000001.seg'])
  })

  const create = (list: Iterable<Entry>) => {
    const memory = createMemory()
    const state = createState({ routes: createRoutes(memory), memory })
    for (const entry of list) state.apply(entry)
    return { state, memory }
  }

  test('entries that are applied again to what they led to change nothing', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const random = createRandom(seed)
      const pick = <T>(list: readonly T[]) => list[Math.floor(random() * list.length)]!
      const clients = ['a', 'b']
      const { state } = create([])
      // As sessions are opened: one that is not there begins.
      const opening = (client: string): Entry => {
        const fresh = !state.sessions.has(client) || random() < 0.3
        return { kind: 'opened', client, protocol: 3, fresh, expirySeconds: 60 }
      }
      const one = (number: number): Entry =>
        pick<Entry>([
          opening(pick(clients)),
          { kind: 'ended', client: pick(clients) },
          { kind: 'left', client: pick(clients), at: number, expirySeconds: 60 },
          { kind: 'subscribed', client: pick(clients), filters: [{ topic: pick(['x/#', 'y']), qos: 1 }] },
          { kind: 'unsubscribed', client: pick(clients), filters: [pick(['x/#', 'y'])] },
          { kind: 'released', client: pick(clients), numbers: [Math.ceil(random() * number)] },
          ...Array.from(
            { length: 6 },
            (): Entry => ({
              ...{
                kind: 'kept',
                number,
                retained: random() < 0.5,
                to: clients.filter(() => random() < 0.6),
                qos: 1,
                topic: pick(['x', 'y']),
              },
              payload: Buffer.alloc(random() < 0.2 ? 0 : 3, number),
            }),
          ),
        ])
      const entries = Array.from({ length: 40 }, (_, i) => {
        const entry = one(i + 1)
        state.apply(entry)
        return entry
      })
      const from = Math.floor(random() * entries.length)
      const until = from + Math.floor(random() * (entries.length - from))
      const expected = create(entries)
      // What a snapshot that began at `from` saw later, and the groups since.
      const seen = create(entries.slice(0, until)).state
      const found = create([...seen.entries(), ...entries.slice(from)])
      const sorted = (state: State) => [...state.entries()].map((entry) => JSON.stringify(entry)).sort()
      expect(sorted(found.state), `seed ${seed}`).toEqual(sorted(expected.state))
      expect(found.memory.used, `seed ${seed}`).toBe(expected.memory.used)
    }
  })
})
