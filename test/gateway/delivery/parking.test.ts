// A target that is away, and what becomes of messages for it and for others.
import { expect, test } from 'vitest'
import { fromPromise, type Sink } from '../../../gateway/actions/action.ts'
import { createDispatch } from '../../../gateway/delivery/dispatch.ts'
import type { Parking } from '../../../gateway/delivery/parking.ts'
import { createPipeline } from '../../../gateway/delivery/pipeline.ts'
import { createLedger } from '../../../gateway/observe/ledger.ts'
import { createObserve } from '../../../gateway/observe/observe.ts'
import { createRuleSet, type Rule } from '../../../gateway/rules/rule-set.ts'
import { createFileSpool } from '../../../gateway/spool/file.ts'
import { toRef } from '../../helpers/delivery.ts'
import { createManualClock, settled } from '../../helpers/manual-clock.ts'
import { createMemoryFs, errno } from '../../helpers/memory-fs.ts'
import { toReading } from '../../helpers/messages.ts'
import { createTestParking, park } from '../../helpers/parking.ts'

const maxHeld = 4

/** A target that can be away: what it is given then waits until it is back. */
function aTarget() {
  const got: number[] = []
  let back: PromiseWithResolvers<void> | undefined
  let slow = () => Promise.resolve()
  const sink: Sink = {
    action: 'sqs',
    isUnavailable: () => back !== undefined,
    deliver: fromPromise(({ message }, signal) => {
      const take = () => void got.push(Number(message.id))
      if (signal.aborted) return Promise.reject(signal.reason)
      if (!back) return slow().then(take)
      const gone = new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
      return Promise.race([back.promise, gone]).then(take)
    }),
  }
  return {
    got,
    sink,
    leave() {
      back = Promise.withResolvers()
    },
    answersAfter(pause: () => Promise<void>) {
      slow = pause
    },
    comeBack() {
      back?.resolve()
      back = undefined
    },
  }
}

/** A rule, once it is known where its messages are parked. */
type Draft = (parking: Parking) => Rule

const aRule =
  (name: string, sinks: readonly Sink[], filter = 'dt/#'): Draft =>
  (parking) => ({
    name,
    filter,
    evaluate: () => Buffer.from('{}'),
    outlets: sinks.map((sink, index) => park(parking, sink, toRef(name, String(index)))),
    warnings: [],
  })

async function aGateway(drafts: readonly Draft[], { fs = createMemoryFs(), maxBytes = 1024 ** 2 } = {}) {
  const clock = createManualClock()
  const observe = createObserve()
  const open = (dir: string, limit: number) => createFileSpool({ dir, maxBytes: limit, segmentBytes: 64 * 1024, clock, observe, fs })
  const spool = open('/spool', 1024 ** 2)
  const parking = createTestParking(fs, {
    open: (name) => open(`/overflow/${name}`, Infinity),
    ...{ maxHeld, maxHeldBytes: 1024 ** 2, maxBytes, observe, clock },
  })
  await spool.start()
  const ruleSet = createRuleSet(drafts.map((draft) => draft(parking)))
  const dispatch = createDispatch({ observe, environment: { accountId: '0' } })
  const pipeline = createPipeline({ spool, dispatch, ruleSet: () => ruleSet, observe, clock, maxInFlight: 8 * maxHeld, parking })
  const ledger = createLedger(observe.metrics, () => ({ queued: pipeline.queued(), pending: pipeline.pending() }))
  await pipeline.start()
  const send = (from: number, to: number) =>
    Promise.all(Array.from({ length: to - from + 1 }, (_, index) => pipeline.ingest(toReading(from + index))))
  const until = async (fits: () => boolean) => {
    while (!fits()) await settled()
  }
  const stop = async () => {
    await pipeline.stop(0)
    await parking.stop()
    await spool.stop()
  }
  return { clock, observe, fs, spool, parking, pipeline, ledger, send, until, stop }
}

const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, index) => from + index)

test('a target that is away does not stand in the way of another, and gets everything in order when it is back', async () => {
  const [dead, well] = [aTarget(), aTarget()]
  const filter = 'dt/coldchain/acme/truck-1/+/telemetry'
  const rules = [aRule('well', [well.sink], filter), aRule('dead', [dead.sink], filter)]
  const { send, until, ledger, parking, spool, stop } = await aGateway(rules)
  dead.leave()
  await send(1, 200)
  await until(() => well.got.length === 200 && parking.moving === 0)
  expect(well.got).toEqual(numbers(1, 200))
  // Those it held already wait with it, in the spool; the others have left the spool for the lane.
  await until(() => spool.depth().messages === maxHeld)
  expect(parking.messages).toBe(200 - maxHeld)
  expect(ledger()).toMatchObject({ accepted: 200, delivered: 200 - maxHeld, split: 200 - maxHeld, queued: 200, balanced: true })
  dead.comeBack()
  await until(() => ledger().queued === 0)
  expect(dead.got).toEqual(numbers(1, 200))
  expect(ledger()).toMatchObject({ accepted: 200, delivered: 400 - maxHeld, split: 200 - maxHeld, balanced: true })
  // And then straight again.
  await send(201, 210)
  await until(() => ledger().queued === 0)
  expect(dead.got).toEqual(numbers(1, 210))
  expect(parking.messages).toBe(0)
  await stop()
})

test('a message that goes nowhere else is moved: it is queued once, and ends once', async () => {
  const dead = aTarget()
  const { send, until, ledger, parking, stop } = await aGateway([aRule('dead', [dead.sink])])
  dead.leave()
  await send(1, 50)
  await until(() => parking.messages === 50 - maxHeld && parking.moving === 0)
  await until(() => ledger().queued === 50)
  expect(ledger()).toMatchObject({ accepted: 50, delivered: 0, split: 0, queued: 50, balanced: true })
  dead.comeBack()
  await until(() => ledger().queued === 0)
  expect(dead.got).toEqual(numbers(1, 50))
  expect(ledger()).toMatchObject({ accepted: 50, delivered: 50, split: 0, balanced: true })
  await stop()
})

test('a lane ends while messages go on coming: what comes then waits for its last answers and goes straight', async () => {
  const dead = aTarget()
  const { send, until, clock, observe, ledger, parking, stop } = await aGateway([aRule('dead', [dead.sink])])
  const parked = () => observe.metrics.total('message.parked')
  dead.leave()
  await send(1, 50)
  await until(() => parking.messages === 50 - maxHeld && parking.moving === 0)
  dead.comeBack()
  // Never a moment without a message on its way, from here on: three are.
  dead.answersAfter(() => clock.sleep(12))
  let next = 51
  for (; next < 500; next++) {
    await send(next, next)
    await clock.advance(5)
  }
  expect(parked()).toBeLessThan(100)
  await clock.advance(100)
  await until(() => ledger().queued === 0)
  expect(dead.got).toEqual(numbers(1, next - 1))
  expect(ledger()).toMatchObject({ delivered: next - 1, split: 0, balanced: true })
  await stop()
})

test('of two actions of a rule, the one whose target is there does not wait', async () => {
  const [dead, well] = [aTarget(), aTarget()]
  const { send, until, ledger, stop } = await aGateway([aRule('both', [dead.sink, well.sink])])
  dead.leave()
  await send(1, 100)
  await until(() => well.got.length === 100)
  dead.comeBack()
  await until(() => ledger().queued === 0)
  expect(dead.got).toEqual(numbers(1, 100))
  expect(well.got).toEqual(numbers(1, 100))
  expect(ledger()).toMatchObject({ accepted: 100, dead: 0, balanced: true })
  await stop()
})

test('after a restart what the target held comes first, then the lane, then what had not been dispatched', async () => {
  const fs = createMemoryFs()
  const dead = aTarget()
  const first = await aGateway([aRule('dead', [dead.sink])], { fs })
  dead.leave()
  await first.send(1, 30)
  await first.until(() => first.spool.depth().messages === maxHeld && first.parking.moving === 0)
  await first.stop()
  expect(dead.got).toEqual([])

  const second = await aGateway([aRule('dead', [dead.sink])], { fs })
  await second.send(31, 40)
  expect(second.ledger()).toMatchObject({ recovered: 30, accepted: 40, balanced: true })
  dead.comeBack()
  await second.until(() => second.ledger().queued === 0)
  expect(dead.got).toEqual(numbers(1, 40))
  expect(second.ledger()).toMatchObject({ delivered: 40, split: 0, balanced: true })
  await second.stop()
})

test('what waits for a rule that is gone is wanted by nobody', async () => {
  const fs = createMemoryFs()
  const dead = aTarget()
  const first = await aGateway([aRule('dead', [dead.sink])], { fs })
  dead.leave()
  await first.send(1, 10)
  await first.until(() => first.spool.depth().messages === maxHeld && first.parking.moving === 0)
  await first.stop()
  const second = await aGateway([], { fs })
  await second.until(() => second.ledger().queued === 0)
  expect(second.ledger()).toMatchObject({ recovered: 10, unmatched: 10, balanced: true })
  await second.stop()
})

test('a disk that does not take what is parked: it waits in its order, and so does the spool', async () => {
  const fs = createMemoryFs()
  const dead = aTarget()
  const { send, until, clock, ledger, parking, stop } = await aGateway([aRule('dead', [dead.sink])], { fs })
  dead.leave()
  fs.fault = (call, path) => (call === 'write' && path.startsWith('/overflow/') ? errno('ENOSPC') : undefined)
  await send(1, 40)
  await until(() => parking.moving > 0)
  await clock.advance(2_500)
  expect(parking.messages).toBe(0)
  expect(ledger()).toMatchObject({ accepted: 40, queued: 40, balanced: true })
  fs.fault = () => undefined
  await clock.advance(1_000)
  await until(() => parking.messages === 40 - maxHeld)
  dead.comeBack()
  await until(() => ledger().queued === 0)
  expect(dead.got).toEqual(numbers(1, 40))
  await stop()
})

test('a disk that stays full does not keep what it cannot take from a target that is back', async () => {
  const fs = createMemoryFs()
  const dead = aTarget()
  const { send, until, clock, ledger, parking, stop } = await aGateway([aRule('dead', [dead.sink])], { fs })
  dead.leave()
  await send(1, 10)
  await until(() => parking.messages === 10 - maxHeld && parking.moving === 0)
  fs.fault = (call, path) => (call === 'write' && path.startsWith('/overflow/') ? errno('ENOSPC') : undefined)
  await send(11, 40)
  await until(() => parking.moving > 0)
  dead.comeBack()
  while (ledger().queued > 0) await clock.advance(500)
  expect(dead.got).toEqual(numbers(1, 40))
  expect(ledger()).toMatchObject({ delivered: 40, split: 0, balanced: true })
  fs.fault = () => undefined
  await stop()
})

test('the lanes together stay within their limit, beyond which the spool holds what comes', async () => {
  const dead = aTarget()
  const { send, until, clock, parking, ledger, stop } = await aGateway([aRule('dead', [dead.sink])], { maxBytes: 4_096 })
  dead.leave()
  for (let n = 0; n < 20; n++) await send(1 + n * 10, 10 + n * 10)
  await until(() => parking.moving > 0)
  const { messages } = parking
  expect(messages).toBeGreaterThan(10)
  expect(messages).toBeLessThan(100)
  dead.comeBack()
  while (ledger().queued > 0) await clock.advance(500)
  expect(dead.got).toEqual(numbers(1, 200))
  expect(ledger()).toMatchObject({ delivered: 200, balanced: true })
  await stop()
})

test('after a restart with full lanes, a target that is well gets everything', async () => {
  const fs = createMemoryFs()
  const dead = aTarget()
  const rules = [aRule('dead', [dead.sink])]
  const first = await aGateway(rules, { fs, maxBytes: 4096 })
  dead.leave()
  for (let from = 1; from <= 200; from += 10) {
    await first.send(from, from + 9)
    await first.clock.advance(5)
  }
  await first.clock.advance(3_000)
  expect(first.parking.moving).toBeGreaterThan(0)
  await first.stop()
  expect(first.ledger()).toMatchObject({ pending: 0, balanced: true })
  dead.comeBack()
  const second = await aGateway(rules, { fs, maxBytes: 4096 })
  for (let i = 0; i < 60 && second.ledger().queued > 0; i++) await second.clock.advance(1_000)
  expect(dead.got).toEqual(numbers(1, 200))
  expect(second.ledger()).toMatchObject({ queued: 0, balanced: true })
  await second.stop()
})

test('after a restart on a disk that takes nothing for lanes, a target that is well gets everything', async () => {
  const fs = createMemoryFs()
  const dead = aTarget()
  const rules = [aRule('dead', [dead.sink])]
  const first = await aGateway(rules, { fs })
  dead.leave()
  await first.send(1, 20)
  await first.until(() => first.parking.messages === 20 - maxHeld && first.parking.moving === 0)
  fs.fault = (call, path) => (call === 'write' && path.startsWith('/overflow/') ? errno('ENOSPC') : undefined)
  for (let from = 21; from <= 200; from += 10) {
    await first.send(from, from + 9)
    await first.clock.advance(5)
  }
  await first.clock.advance(3_000)
  await first.stop()
  expect(first.ledger()).toMatchObject({ pending: 0, balanced: true })
  dead.comeBack()
  const second = await aGateway(rules, { fs })
  for (let i = 0; i < 60 && second.ledger().queued > 0; i++) await second.clock.advance(1_000)
  expect(dead.got).toEqual(numbers(1, 200))
  await second.stop()
})
