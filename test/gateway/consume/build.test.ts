import { afterAll, beforeAll, expect, test } from 'vitest'
import { buildConsumer } from '../../../gateway/consume/build.ts'
import { consumerSchema } from '../../../gateway/consume/consumer-config.ts'
import type { Handler } from '../../../gateway/consume/queue.ts'
import { createSqsQueue } from '../../../gateway/consume/sqs-queue.ts'
import { systemClock as clock } from '../../../lib/clock.ts'
import { pack, packAttribute } from '../../../lib/pack.ts'
import { createRandom } from '../../../lib/random.ts'
import { type LocalSqs, startLocalSqs } from '../../helpers/local-sqs.ts'
import { createSpyObserve } from '../../helpers/spy-observe.ts'

let sqs: LocalSqs
beforeAll(async () => {
  sqs = await startLocalSqs()
})
afterAll(() => sqs.stop())

async function start(queue: string, handler?: Handler) {
  sqs.createQueue(queue)
  const observe = createSpyObserve()
  const config = consumerSchema.parse({ queue, handler: { kind: 'log' }, wait: '1s', retry: { base: '100ms' } })
  const consumer = await buildConsumer(config, { aws: sqs.aws, clock, random: createRandom(7), observe, fetch, handler, print() {} })
  consumer.start()
  return { consumer, observe, queue: createSqsQueue({ aws: sqs.aws, name: queue, visibilityTimeoutSeconds: 30, clock }) }
}

const handledTimes = (observe: ReturnType<typeof createSpyObserve>, times: number) =>
  observe.next('consumer.handled', () => observe.of('consumer.handled').length >= times)

test('a packed message is handled reading by reading, and only the one that failed comes again', async () => {
  const seen: string[] = []
  let fails = 1
  const { consumer, observe, queue } = await start('packed', async ({ key, body }) => {
    seen.push(`${key} ${Buffer.from(body).toString()}`)
    if (key === 'k2' && fails-- > 0) throw new Error('not now')
  })
  const readings = ['k1', 'k2', 'k3'].map((key) => ({ key, body: Buffer.from(`"${key}"`) }))
  await queue.send([{ id: 'p', key: 'p', group: 'acme', body: pack(readings), attributes: { [packAttribute]: '3' } }])
  await handledTimes(observe, 3)
  await consumer.stop()
  expect(seen).toEqual(['k1 "k1"', 'k2 "k2"', 'k3 "k3"', 'k2 "k2"'])
  expect(consumer.stats()).toMatchObject({ handled: 3, failed: 1, buried: 0 })
  expect(await queue.depth()).toEqual({ waiting: 0, inFlight: 0 })
})

test('what is marked as a pack and is none is a dead letter', async () => {
  const { consumer, observe, queue } = await start('broken', async () => {})
  await queue.send([{ id: 'p', key: 'p', group: 'acme', body: Buffer.from('{}'), attributes: { [packAttribute]: '3' } }])
  expect(await observe.next('consumer.buried')).toMatchObject({ code: 'HANDLER_REFUSED' })
  await consumer.stop()
  expect(sqs.server.inspectQueue('broken-dlq')!.messages.ready).toHaveLength(1)
})

test('the configured handler is used where none is given, and a broken one is told before anything is received', async () => {
  const { consumer, observe, queue } = await start('configured')
  await queue.send([{ id: '1', key: '1', group: '', body: Buffer.from('{}'), attributes: {} }])
  await handledTimes(observe, 1)
  await consumer.stop()
  const config = consumerSchema.parse({ queue: 'x', handler: { kind: 'module', path: './absent.mjs' } })
  const deps = { aws: sqs.aws, clock, random: createRandom(7), observe, fetch }
  await expect(buildConsumer(config, deps)).rejects.toMatchObject({ code: 'HANDLER_INVALID' })
})
