// Messages stay parked for their action while rule files change, and across upgrades from versions that named actions by index.
import { expect, test } from 'vitest'
import { fromPromise, type Sink } from '../../../gateway/actions/action.ts'
import { type ActionEntry, actionSchema } from '../../../gateway/actions/index.ts'
import { refsOf } from '../../../gateway/actions/ref.ts'
import { createDispatch } from '../../../gateway/delivery/dispatch.ts'
import { nameOf } from '../../../gateway/delivery/parked-names.ts'
import { createPipeline } from '../../../gateway/delivery/pipeline.ts'
import { createLedger } from '../../../gateway/observe/ledger.ts'
import { createObserve } from '../../../gateway/observe/observe.ts'
import { createRuleSet, type Rule } from '../../../gateway/rules/rule-set.ts'
import { createFileSpool } from '../../../gateway/spool/file.ts'
import { createManualClock, settled } from '../../helpers/manual-clock.ts'
import { createMemoryFs, type MemoryFs } from '../../helpers/memory-fs.ts'
import { toReading } from '../../helpers/messages.ts'
import { createTestParking, park, parkedNames } from '../../helpers/parking.ts'

const maxHeld = 2
const sqs = (queueUrl: string) => ({ sqs: { queueUrl } })
const parse = (entries: readonly object[]) => entries.map((entry) => actionSchema.parse(entry) as ActionEntry)
const names = (rule: string, entries: readonly object[]) => refsOf(rule, parse(entries)).map(nameOf)
const nameFor = (queue: string) => names('telemetry', [sqs(queue)])[0]!

/** Queues by name. A queue that is unavailable accepts nothing until it is back. */
function createQueues() {
  const got: Record<string, number[]> = {}
  const unavailable = new Map<string, PromiseWithResolvers<void>>()
  const sinkOf = (queue: string): Sink => ({
    action: 'sqs',
    isUnavailable: () => unavailable.has(queue),
    deliver: fromPromise(async ({ message }, signal) => {
      const aborted = new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      await Promise.race([unavailable.get(queue)?.promise, aborted])
      got[queue] = [...(got[queue] ?? []), Number(message.id)]
    }),
  })
  return {
    got,
    sinkOf,
    leave: (queue: string) => void unavailable.set(queue, Promise.withResolvers()),
    comeBack(queue: string) {
      unavailable.get(queue)?.resolve()
      unavailable.delete(queue)
    },
  }
}

type Queues = ReturnType<typeof createQueues>

/** A gateway with the rule `telemetry`, which sends to these queues. */
async function startGateway(fs: MemoryFs, queues: Queues, entries: readonly { readonly sqs: { readonly queueUrl: string } }[]) {
  const clock = createManualClock()
  const observe = createObserve()
  const open = (dir: string) => createFileSpool({ dir, maxBytes: Infinity, segmentBytes: 64 * 1024, clock, observe, fs, lock: false })
  const spool = open('/spool')
  const parking = createTestParking(fs, {
    open: (name) => open(`/overflow/${name}`),
    ...{ maxHeld, maxHeldBytes: 1024 ** 2, maxBytes: 1024 ** 2, observe, clock },
  })
  await spool.start()
  const refs = refsOf('telemetry', parse(entries))
  const rule: Rule = {
    name: 'telemetry',
    filter: 'dt/#',
    evaluate: () => Buffer.from('{}'),
    outlets: entries.map((entry, index) => park(parking, queues.sinkOf(entry.sqs.queueUrl), refs[index]!)),
    warnings: [],
  }
  const ruleSet = createRuleSet([rule])
  const dispatch = createDispatch({ observe, environment: { accountId: '0' } })
  const pipeline = createPipeline({ spool, dispatch, ruleSet: () => ruleSet, observe, clock, maxInFlight: 8 * maxHeld, parking })
  const ledger = createLedger(observe.metrics, () => ({ queued: pipeline.queued(), pending: pipeline.pending() }))
  await pipeline.start()
  return {
    parking,
    ledger,
    async send(...ids: number[]) {
      for (const id of ids) await pipeline.ingest(toReading(id))
    },
    async until(fits: () => boolean) {
      while (!fits()) await settled()
    },
    async stop() {
      await pipeline.stop(0)
      await parking.stop()
      await spool.stop()
    },
  }
}

/** What an earlier version left for the action at this index. */
async function writeOldDirectory(fs: MemoryFs, name: string, ids: readonly number[]) {
  const [clock, observe] = [createManualClock(), createObserve()]
  const spool = createFileSpool({ dir: `/overflow/${name}`, maxBytes: Infinity, clock, observe, fs, lock: false })
  await spool.start()
  for (const id of ids) await spool.append(toReading(id))
  await spool.stop()
}

test('names an action by its rule, its name and its target, whatever its place in the file', () => {
  const [alerts, telemetry] = names('telemetry', [{ sns: { targetArn: 'alerts' } }, sqs('telemetry')])
  expect(names('telemetry', [sqs('other'), sqs('telemetry'), { sns: { targetArn: 'alerts' } }]).slice(1)).toEqual([telemetry, alerts])
  expect(telemetry).toMatch(/^telemetry\.sqs\.[\da-f]{16}$/)
  expect(names('other', [sqs('telemetry')])).toEqual([telemetry!.replace('telemetry.', 'other.')])
})

test('tells actions with the same name and target apart', () => {
  const [first, second] = names('telemetry', [sqs('a'), { sqs: { queueUrl: 'a', groupId: 'g' } }])
  expect(first).not.toBe(second)
  expect(names('telemetry', [sqs('b'), sqs('a'), sqs('a')]).slice(1)).toEqual([first, second])
})

test('makes names that every file system takes, from targets of any length and character', () => {
  const topic = `\${topic(3)}/../:*?"<>|${'x'.repeat(5_000)}`
  const [name] = names('r'.repeat(128), [{ republish: { topic } }])
  expect(name).toMatch(/^\w+\.republish\.[\da-f]{16}$/)
  expect(name!.length).toBeLessThan(160)
})

test('an action that is inserted before another does not get the messages parked for that one', async () => {
  const [fs, queues] = [createMemoryFs(), createQueues()]
  queues.leave('telemetry')
  const first = await startGateway(fs, queues, [sqs('telemetry')])
  await first.send(1, 2, 3, 4, 5, 6)
  await first.until(() => first.parking.messages === 6 - maxHeld && first.parking.moving === 0)
  await first.stop()
  queues.comeBack('telemetry')
  const second = await startGateway(fs, queues, [sqs('inserted'), sqs('telemetry')])
  await second.until(() => second.ledger().queued === 0)
  expect(queues.got.telemetry).toEqual([1, 2, 3, 4, 5, 6])
  // The messages in flight at the stop were not parked, and go through the rule as it is now.
  expect(queues.got.inserted).toEqual([1, 2])
  expect(second.ledger()).toMatchObject({ delivered: 6, balanced: true })
  await second.stop()
})

test('messages that are parked for an action that the rule lacks now are unmatched', async () => {
  const [fs, queues] = [createMemoryFs(), createQueues()]
  await writeOldDirectory(fs, 'telemetry.2', [1, 2])
  await writeOldDirectory(fs, nameFor('gone'), [3])
  const gateway = await startGateway(fs, queues, [sqs('telemetry'), sqs('other')])
  await gateway.until(() => gateway.ledger().queued === 0)
  expect(queues.got).toEqual({})
  expect(gateway.ledger()).toMatchObject({ recovered: 3, unmatched: 3, balanced: true })
  await gateway.stop()
})

test('messages that are parked for the only queue of a rule follow when that queue is edited', async () => {
  const [fs, queues] = [createMemoryFs(), createQueues()]
  queues.leave('telemetri')
  const first = await startGateway(fs, queues, [sqs('telemetri')])
  await first.send(1, 2, 3, 4)
  await first.until(() => first.parking.messages === 4 - maxHeld && first.parking.moving === 0)
  await first.stop()
  const second = await startGateway(fs, queues, [sqs('telemetry')])
  expect(parkedNames(fs)).toEqual([nameFor('telemetry')])
  await second.until(() => second.ledger().queued === 0)
  expect(queues.got).toEqual({ telemetry: [1, 2, 3, 4] })
  expect(second.ledger()).toMatchObject({ delivered: 4, balanced: true })
  await second.stop()
})

test('after an upgrade, messages of an old directory go to the action at its index, once and before newer ones', async () => {
  const [fs, queues] = [createMemoryFs(), createQueues()]
  await writeOldDirectory(fs, 'telemetry.1', [1, 2, 3, 4, 5])
  queues.leave('telemetry')
  const first = await startGateway(fs, queues, [sqs('first'), sqs('telemetry')])
  expect(parkedNames(fs)).toEqual([nameFor('telemetry')])
  expect(first.ledger()).toMatchObject({ recovered: 5, queued: 5, balanced: true })
  await first.send(6, 7)
  await first.until(() => first.parking.messages === 7 && first.parking.moving === 0)
  await first.stop()
  expect(queues.got.telemetry).toBeUndefined()

  // The rule file changes before the queue is back.
  const second = await startGateway(fs, queues, [sqs('inserted'), sqs('first'), sqs('telemetry')])
  queues.comeBack('telemetry')
  await second.until(() => second.ledger().queued === 0)
  expect(queues.got).toEqual({ first: [6, 7], telemetry: [1, 2, 3, 4, 5, 6, 7] })
  expect(second.ledger()).toMatchObject({ recovered: 7, delivered: 7, balanced: true })
  await second.stop()

  const third = await startGateway(fs, queues, [sqs('first'), sqs('telemetry')])
  expect(third.ledger()).toMatchObject({ recovered: 0, queued: 0 })
  await third.stop()
})

test('an old directory beside the new one of its action is delivered as well', async () => {
  const [fs, queues] = [createMemoryFs(), createQueues()]
  await writeOldDirectory(fs, 'telemetry.0', [1, 2])
  await writeOldDirectory(fs, nameFor('telemetry'), [3, 4])
  const gateway = await startGateway(fs, queues, [sqs('telemetry')])
  await gateway.until(() => gateway.ledger().queued === 0)
  expect(queues.got.telemetry!.toSorted()).toEqual([1, 2, 3, 4])
  expect(gateway.ledger()).toMatchObject({ recovered: 4, delivered: 4, balanced: true })
  await gateway.stop()
})

test('a directory of another name is left alone', async () => {
  const [fs, queues] = [createMemoryFs(), createQueues()]
  await writeOldDirectory(fs, 'telemetry.sqs.old', [1])
  const gateway = await startGateway(fs, queues, [sqs('telemetry')])
  expect(gateway.ledger()).toMatchObject({ recovered: 0, queued: 0 })
  expect(parkedNames(fs)).toEqual(['telemetry.sqs.old'])
  await gateway.stop()
})
