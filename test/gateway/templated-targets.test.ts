// Rules whose template names the target from the message: devices can invent names, and targets of some tenants can be unavailable.
import { afterEach, expect, test } from 'vitest'
import type { ActionDeps } from '../../gateway/actions/action.ts'
import { type ActionEntry, actionSchema, bindAction } from '../../gateway/actions/index.ts'
import { createDispatch } from '../../gateway/delivery/dispatch.ts'
import { createOutlet, createSink, type OutletDeps } from '../../gateway/delivery/outlet.ts'
import { createPipeline } from '../../gateway/delivery/pipeline.ts'
import { createHealth } from '../../gateway/observe/health.ts'
import { createLedger } from '../../gateway/observe/ledger.ts'
import { createObserve } from '../../gateway/observe/observe.ts'
import { createRuleSet, type Rule } from '../../gateway/rules/rule-set.ts'
import { createFileSpool } from '../../gateway/spool/file.ts'
import { createDeps, createFakeAws, type SqsCall, sdkError, toRef } from '../helpers/delivery.ts'
import { createManualClock } from '../helpers/manual-clock.ts'
import { createMemoryFs } from '../helpers/memory-fs.ts'
import { toReading } from '../helpers/messages.ts'
import { createTestParking } from '../helpers/parking.ts'

const heldShare = 8

/** What a target answers: nothing for accepted, else what the call throws; by its name. */
type Answer = (name: string) => Error | undefined | Promise<Error | undefined>

const missing = (name: string) => (name.includes('invented') ? sdkError('QueueDoesNotExist', 400) : undefined)
const notFound = (name: string) => (name.includes('invented') ? sdkError('NotFoundException', 404) : undefined)
const denied = (name: string) => (name.includes('invented') ? sdkError('AccessDenied', 403) : undefined)
const refused = (name: string) => (name.includes('invented') ? Object.assign(new Error('no'), { code: 'ECONNREFUSED' }) : undefined)

/** A pack has no body of its own until it is sent: its readings count. */
function bodiesOf({ MessageBody, MessageAttributes }: SqsCall['Entries'][number]): readonly string[] {
  const readings = MessageAttributes?.pack?.StringValue
  return readings === undefined ? [MessageBody!] : Array.from({ length: Number(readings) }, () => '{}')
}

let stop = async () => {}
afterEach(() => stop())

/** A pipeline with one rule, whose action has the tenant of the topic in its target, and an error action. */
async function aGateway(entry: object, initialAnswer: Answer, maxInFlight = 64) {
  const maxHeld = maxInFlight / heldShare
  const clock = createManualClock()
  const observe = createObserve()
  const fs = createMemoryFs()
  const state = { answer: initialAnswer }
  const got: { readonly name: string; readonly seq: number }[] = []
  const errors: string[] = []
  const take = async (name: string, bodies: readonly string[]) => {
    const error = await state.answer(name)
    if (error) throw error
    for (const body of bodies) {
      if (name === 'errors') errors.push(body)
      else got.push({ name, seq: JSON.parse(body).seq })
    }
    return {}
  }
  const last = (text: string) => text.slice(Math.max(text.lastIndexOf('/'), text.lastIndexOf(':')) + 1)
  const deps: ActionDeps & Pick<OutletDeps, 'maxHeld'> = {
    ...createDeps({
      aws: createFakeAws({
        sqs: ({ input }) => take(last(input.QueueUrl!), input.Entries.flatMap(bodiesOf)),
        sns: ({ input }) =>
          take(
            last(input.TopicArn!),
            input.PublishBatchRequestEntries.map(({ Message }) => Message!),
          ),
      }),
      fetch: (async (url: URL, { body, signal }: { body: Uint8Array; signal: AbortSignal }) => {
        const gone = new Promise<never>((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
        await Promise.race([take(last(url.pathname), [Buffer.from(body).toString()]), gone])
        return new Response()
      }) as unknown as typeof fetch,
      maxHeld,
    }),
    clock,
    observe,
  }
  const open = (dir: string, limit: number) => createFileSpool({ dir, maxBytes: limit, segmentBytes: 1024 ** 2, clock, observe, fs })
  const spool = open('/spool', 1024 ** 3)
  const parking = createTestParking(fs, {
    open: (name) => open(`/overflow/${name}`, Infinity),
    ...{ maxHeld, maxHeldBytes: 1024 ** 2, maxBytes: 1024 ** 3, observe, clock },
  })
  const bind = (action: object) => bindAction(actionSchema.parse(action) as ActionEntry, deps)
  const rule: Rule = {
    name: 'telemetry',
    filter: 'dt/#',
    evaluate: ({ message }: never) => (message as { payload: Uint8Array }).payload,
    outlets: [createOutlet(bind(entry), toRef('telemetry'), { ...deps, parking })],
    errorSink: createSink(bind({ sqs: { queueUrl: 'errors' } }), deps),
    warnings: [],
  }
  await spool.start()
  const ruleSet = createRuleSet([rule])
  const dispatch = createDispatch({ observe, environment: { accountId: '0' }, maxHeld })
  const pipeline = createPipeline({ spool, dispatch, ruleSet: () => ruleSet, observe, clock, maxInFlight, parking })
  const ledger = createLedger(observe.metrics, () => ({ queued: pipeline.queued(), pending: pipeline.pending() }))
  await pipeline.start()
  stop = async () => {
    await pipeline.stop(0)
    await parking.stop()
    await spool.stop()
  }
  let seq = 0
  const send = (tenant: string) => pipeline.ingest(toReading(++seq, { topic: `dt/coldchain/${tenant}/truck-1/freezer-1/telemetry` }))
  const health = createHealth(observe)
  return { state, clock, observe, got, errors, ledger, send, health }
}

type Gateway = Awaited<ReturnType<typeof aGateway>>

/** Each step 20 readings for names that were never seen before and one for `acme`. Returns the longest wait of acme's in ms. */
async function flood(
  { clock, got, send }: Gateway,
  { steps, names = (n: number) => `invented-${n}` }: { steps: number; names?: (n: number) => string },
) {
  let worst = 0
  let n = 0
  got.length = 0
  for (let step = 0; step < steps; step++) {
    for (let i = 0; i < 20; i++) send(names(++n)).catch(() => undefined)
    const sentAt = clock.monotonic()
    await send('acme')
    while (got.filter(({ name }) => name.includes('acme')).length <= step && clock.monotonic() - sentAt < 15_000) await clock.advance(10)
    worst = Math.max(worst, clock.monotonic() - sentAt)
  }
  return worst
}

const hanging = (clock: { sleep(ms: number): Promise<void> }) => async (name: string) => {
  if (name.includes('invented')) await clock.sleep(3_600_000)
  return undefined
}

const queue = { sqs: { queueUrl: 'telemetry-${topic(3)}' } }
const kinds: readonly (readonly [string, object, Answer, string])[] = [
  ['queues that do not exist', queue, missing, 'ACTION_TARGET_MISSING'],
  ['queues whose use is denied', queue, denied, 'ACTION_FAILED'],
  [
    'queues of a packing action',
    { sqs: { ...queue.sqs, pack: { lingerMs: 5 }, groupId: '${topic(3)}' } },
    missing,
    'ACTION_TARGET_MISSING',
  ],
  [
    'queues in accounts that do not exist',
    { sqs: { queueUrl: 'http://127.0.0.1/${topic(3)}/telemetry-${topic(3)}' } },
    missing,
    'ACTION_TARGET_MISSING',
  ],
  ['FIFO queues', { sqs: { queueUrl: 'telemetry-${topic(3)}.fifo', groupId: '${topic(5)}' } }, missing, 'ACTION_TARGET_MISSING'],
  ['topics', { sns: { targetArn: 'alerts-${topic(3)}' } }, notFound, 'ACTION_TARGET_MISSING'],
]

test.each(kinds)('delivers to other tenants while a device invents %s', async (_, entry, answer, code) => {
  const gateway = await aGateway(entry, answer)
  const { clock, ledger, errors, got, observe, health } = gateway
  expect(await flood(gateway, { steps: 20 })).toBeLessThan(200)
  expect(health().status).toBe('ok')
  await clock.advance(30_000)
  expect(errors).toHaveLength(400)
  expect(errors[0]).toContain(code)
  expect(got).toHaveLength(20)
  expect(ledger()).toMatchObject({ accepted: 420, delivered: 20, dead: 400, queued: 0, balanced: true })
  expect(observe.metrics.total('action.failed', { code })).toBe(400)
})

test.each(kinds)('delivers to other tenants while a device floods one of the %s', async (_, entry, answer) => {
  const gateway = await aGateway(entry, answer)
  expect(await flood(gateway, { steps: 20, names: () => 'invented' })).toBeLessThan(200)
  await gateway.clock.advance(30_000)
  expect(gateway.errors).toHaveLength(400)
  expect(gateway.ledger()).toMatchObject({ delivered: 20, dead: 400, queued: 0, balanced: true })
})

test.each(['', '.fifo'])('delivers to other tenants while the endpoint does not answer for one queue%s', async (suffix) => {
  const fifo = suffix === '' ? {} : { groupId: '${topic(5)}' }
  const gateway = await aGateway({ sqs: { queueUrl: `telemetry-\${topic(3)}${suffix}`, ...fifo } }, refused, 256)
  const worst = await flood(gateway, { steps: 20, names: () => 'invented' })
  expect(worst).toBeLessThan(200)
  // While others accept, the queue is judged by itself.
  for (let i = 0; i < 30; i++) {
    await gateway.send('acme')
    await gateway.clock.advance(1_000)
  }
  expect(gateway.ledger()).toMatchObject({ delivered: 50, dead: 400, queued: 0, balanced: true })
})

test('delivers to other tenants while a device names URLs that never answer', async () => {
  const entry = { http: { url: 'https://hooks.example.com/${topic(3)}', confirmationUrl: 'https://hooks.example.com/' } }
  const gateway = await aGateway(entry, () => undefined, 256)
  gateway.state.answer = hanging(gateway.clock)
  await gateway.send('acme')
  await gateway.clock.advance(100)
  expect(await flood(gateway, { steps: 40 })).toBeLessThan(200)
  await gateway.clock.advance(60_000)
  expect(gateway.errors).toHaveLength(800)
  expect(gateway.ledger()).toMatchObject({ delivered: 41, dead: 800, queued: 0, balanced: true })
})

test('delivers to tenants whose queues accept while devices invent names faster than the endpoint answers', async () => {
  const gateway = await aGateway(queue, () => undefined)
  const { state, clock, got, errors, ledger, send } = gateway
  state.answer = async (name) => {
    if (name.includes('invented')) await clock.sleep(200)
    return missing(name)
  }
  await send('acme')
  await clock.advance(100)
  // 64 at a time and 200 ms each: the endpoint takes six seconds for these.
  for (let n = 0; n < 2_000; n++) void send(`invented-${n}`)
  for (let n = 0; n < 10; n++) {
    await send('acme')
    await clock.advance(100)
  }
  expect(got.filter(({ name }) => name.includes('acme'))).toHaveLength(11)
  expect(ledger().balanced).toBe(true)
  await clock.advance(120_000)
  expect(errors).toHaveLength(2_000)
  expect(ledger()).toMatchObject({ delivered: 11, dead: 2_000, queued: 0, balanced: true })
})

test('waits for the endpoint as a whole, however long it takes, and gives no message up', async () => {
  const gateway = await aGateway(queue, () => sdkError('ServiceUnavailable', 503))
  const { state, clock, got, ledger, health, send } = gateway
  for (let n = 0; n < 15; n++) {
    for (let tenant = 0; tenant < 20; tenant++) void send(`tenant-${tenant}`)
    await clock.advance(100)
  }
  await clock.advance(600_000)
  expect(health()).toEqual({ status: 'degraded', reasons: ['telemetry-${topic(3)}'] })
  expect(ledger()).toMatchObject({ accepted: 300, dead: 0, queued: 300, balanced: true })
  state.answer = () => undefined
  for (let i = 0; i < 60 && ledger().queued > 0; i++) await clock.advance(1_000)
  expect(ledger()).toMatchObject({ delivered: 300, dead: 0, queued: 0, balanced: true })
  expect(new Set(got.map(({ seq }) => seq)).size).toBe(300)
  await clock.advance(2_000)
  expect(health().status).toBe('ok')
})

test('waits for a queue that is created a few seconds after its first messages', async () => {
  const gateway = await aGateway(queue, missing)
  const { state, clock, got, ledger, send } = gateway
  for (let n = 0; n < 8; n++) void send('invented')
  await clock.advance(5_000)
  expect(ledger().dead).toBe(0)
  state.answer = () => undefined
  await clock.advance(6_000)
  expect(got).toHaveLength(8)
  expect(ledger()).toMatchObject({ delivered: 8, dead: 0, queued: 0, balanced: true })
})

test('tries a queue that it gave up again, and delivers when it exists', async () => {
  const gateway = await aGateway(queue, missing)
  const { state, clock, got, send } = gateway
  void send('invented')
  await clock.advance(20_000)
  expect(gateway.ledger().dead).toBe(1)
  state.answer = () => undefined
  void send('invented')
  await clock.advance(6_000)
  expect(got).toHaveLength(1)
})

test.each([
  ['sqs', queue],
  ['sns', { sns: { targetArn: 'alerts-${topic(3)}' } }],
])('gives a name up at once that no target of %s can have, without a call', async (_, entry) => {
  let calls = 0
  const gateway = await aGateway(entry, (name) => void (name === 'errors' || calls++))
  for (const name of ['a b', 'a?x=1', 'a#b', 'x'.repeat(300), 'é', '..', 'a%2fb']) await gateway.send(name)
  await gateway.clock.advance(1_000)
  expect(calls).toBe(0)
  expect(gateway.ledger()).toMatchObject({ dead: 7, queued: 0, balanced: true })
})

test('an error action that does not answer holds a bounded number of messages, and other rules go on', async () => {
  const down = sdkError('ServiceUnavailable', 503)
  const gateway = await aGateway(queue, (name) => (name === 'errors' ? down : missing(name)))
  expect(await flood(gateway, { steps: 20 })).toBeLessThan(200)
  await gateway.clock.advance(60_000)
  const { queued, dead } = gateway.ledger()
  expect(queued).toBeLessThanOrEqual(32)
  expect(dead).toBe(400 - queued)
  gateway.state.answer = missing
  await gateway.clock.advance(30_000)
  expect(gateway.ledger()).toMatchObject({ delivered: 20, dead: 400, queued: 0, balanced: true })
})
