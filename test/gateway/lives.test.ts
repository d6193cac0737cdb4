// The durable path as a whole, through lives that end badly: pipeline, spool and parking against what was acknowledged.
import { expect, test } from 'vitest'
import { fromPromise, type Sink } from '../../gateway/actions/action.ts'
import { createDispatch } from '../../gateway/delivery/dispatch.ts'
import { withOrder } from '../../gateway/delivery/order.ts'
import { createPipeline } from '../../gateway/delivery/pipeline.ts'
import { createLedger } from '../../gateway/observe/ledger.ts'
import { createObserve } from '../../gateway/observe/observe.ts'
import { createRuleSet, type Rule } from '../../gateway/rules/rule-set.ts'
import { createFileSpool } from '../../gateway/spool/file.ts'
import { createRandom } from '../../lib/random.ts'
import { toRef } from '../helpers/delivery.ts'
import { createManualClock, type ManualClock } from '../helpers/manual-clock.ts'
import { createMemoryFs, errno, type MemoryFs } from '../helpers/memory-fs.ts'
import { toReading } from '../helpers/messages.ts'
import { createTestParking, park } from '../helpers/parking.ts'

const maxHeld = 4
const turn = () => new Promise((resolve) => setImmediate(resolve))

/** Outlives the gateways; what it takes from a gateway that was killed counts no more. */
function aTarget() {
  const got: number[] = []
  let back: PromiseWithResolvers<void> | undefined
  const take = async (id: number, signal: AbortSignal, isAlive: () => boolean) => {
    const aborted = new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }))
    aborted.catch(() => undefined)
    await turn()
    while (back) await Promise.race([back.promise, aborted])
    signal.throwIfAborted()
    if (!isAlive()) return new Promise<void>(() => {})
    got.push(id)
  }
  return {
    got,
    sink: (isAlive: () => boolean): Sink =>
      withOrder(
        {
          action: 'sqs',
          isUnavailable: () => back !== undefined,
          deliver: fromPromise(({ message }, signal) => take(Number(message.id), signal, isAlive)),
        },
        () => 'group',
      ),
    leave() {
      back ??= Promise.withResolvers()
    },
    comeBack() {
      back?.resolve()
      back = undefined
    },
  }
}

type Target = ReturnType<typeof aTarget>

async function aLife(fs: MemoryFs, clock: ManualClock, targets: readonly Target[], parkedMaxBytes: number) {
  let alive = true
  const observe = createObserve()
  const open = (dir: string, maxBytes: number) =>
    createFileSpool({ dir, maxBytes, segmentBytes: 2048, windowBytes: 2048, clock, observe, fs, lock: false })
  const spool = open('/spool', 1024 ** 2)
  const parking = createTestParking(fs, {
    open: (name) => open(`/overflow/${name}`, Infinity),
    ...{ maxHeld, maxHeldBytes: 1024 ** 2, maxBytes: parkedMaxBytes, observe, clock },
  })
  await spool.start()
  const rules = targets.map((target, index): Rule => {
    const name = `rule${index}`
    const outlets = [
      park(
        parking,
        target.sink(() => alive),
        toRef(name),
      ),
    ]
    return { name, filter: 'dt/#', evaluate: () => Buffer.from('{}'), outlets, warnings: [] }
  })
  const ruleSet = createRuleSet(rules)
  const dispatch = createDispatch({ observe, environment: { accountId: '0' } })
  const pipeline = createPipeline({ spool, dispatch, ruleSet: () => ruleSet, observe, clock, maxInFlight: 8 * maxHeld, parking })
  const ledger = createLedger(observe.metrics, () => ({ queued: pipeline.queued(), pending: pipeline.pending() }))
  await pipeline.start()
  return {
    pipeline,
    ledger,
    isAlive: () => alive,
    kill() {
      alive = false
    },
    async stop() {
      await pipeline.stop(0)
      await parking.stop()
      await spool.stop()
    },
  }
}

/** Sixty steps: messages, targets that go and come, disks that fail, kills with torn writes, stops. */
async function live(seed: number, parkedMaxBytes: number) {
  const random = createRandom(seed)
  const below = (most: number) => Math.floor(random() * most)
  const clock = createManualClock()
  const targets = [aTarget(), aTarget()]
  const acknowledged = new Set<number>()
  let fs = createMemoryFs()
  let life = await aLife(fs, clock, targets, parkedMaxBytes)
  let last = 0

  const publish = () => {
    const { pipeline, isAlive } = life
    for (let left = 1 + below(20); left > 0; left--) {
      const id = ++last
      const kept = () => void (isAlive() && acknowledged.add(id))
      pipeline.ingest({ ...toReading(id), receivedAt: 1e12 + id }).then(kept, () => {})
    }
  }
  const failDisk = () => {
    const only = random() < 0.5 ? '/overflow' : '/'
    // Not truncate: where that fails too, what was refused may come back out of order (docs/delivery.md).
    const calls: readonly string[] = ['write', 'datasync', 'remove']
    fs.fault = (call, path) => (calls.includes(call) && path.startsWith(only) && random() < 0.5 ? errno('EIO') : undefined)
  }
  const begin = async () => {
    await clock.advance(2)
    life = await aLife(fs, clock, targets, parkedMaxBytes)
  }
  const kill = async () => {
    life.kill()
    fs = fs.crash(random)
    await begin()
  }
  const stop = async () => {
    fs.fault = () => undefined
    await life.stop()
    expect(life.ledger(), `seed ${seed}`).toMatchObject({ balanced: true })
    await begin()
  }

  for (let step = 0; step < 60; step++) {
    const drawn = random()
    const target = targets[below(2)]!
    if (drawn < 0.5) publish()
    else if (drawn < 0.57) target.leave()
    else if (drawn < 0.62) target.comeBack()
    else if (drawn < 0.8) await clock.advance(below(400))
    else if (drawn < 0.86) failDisk()
    else if (drawn < 0.92) fs.fault = () => undefined
    else if (drawn < 0.97) await kill()
    else await stop()
    for (let turns = below(4); turns > 0; turns--) await turn()
    await clock.advance(1)
  }

  fs.fault = () => undefined
  for (const target of targets) target.comeBack()
  for (let i = 0; i < 400 && (life.ledger().queued > 0 || life.pipeline.pending() > 0); i++) await clock.advance(100)
  expect(life.ledger(), `seed ${seed}`).toMatchObject({ queued: 0, pending: 0, balanced: true })
  for (const { got } of targets) {
    const first = [...new Set(got)].filter((id) => acknowledged.has(id))
    expect(first, `seed ${seed}`).toEqual([...acknowledged].sort((a, b) => a - b))
  }
  await life.stop()
}

test.each([
  ['room', 1024 ** 2],
  ['little room', 4096],
])(
  'parking with %s: what was acknowledged arrives, in order, and the ledger balances',
  async (_, parkedMaxBytes) => {
    const runs = Number(process.env.LIVES_RUNS ?? 25)
    for (let seed = 1; seed <= runs; seed++) await live(seed, parkedMaxBytes)
  },
  600_000,
)
