import { afterAll, beforeAll, expect, test } from 'vitest'
import { deadLetterNameOf } from '../../../gateway/aws/clients.ts'
import type { Item, Queue } from '../../../gateway/consume/queue.ts'
import { createSqsQueue } from '../../../gateway/consume/sqs-queue.ts'
import { GatewayError } from '../../../gateway/errors.ts'
import { systemClock as clock } from '../../../lib/clock.ts'
import { testQueue } from '../../contract/queue.ts'
import { type LocalSqs, startLocalSqs } from '../../helpers/local-sqs.ts'

let sqs: LocalSqs
beforeAll(async () => {
  sqs = await startLocalSqs()
})
afterAll(() => sqs.stop())

const { signal } = new AbortController()
const queueOf = (name: string) => createSqsQueue({ aws: sqs.aws, ...sqs.createQueue(name), visibilityTimeoutSeconds: 30, clock })
const outgoing = (id: string, more: object = {}) => ({
  id,
  body: Buffer.from(`{"id":"${id}"}`),
  group: 'acme',
  key: `k-${id}`,
  attributes: {},
  ...more,
})

testQueue({
  create: queueOf,
  async dead({ name }) {
    const letters = sqs.server.inspectQueue(deadLetterNameOf(name))!.messages.ready
    return letters.map(({ messageAttributes }) => ({
      key: messageAttributes.messageId!.StringValue!,
      reason: messageAttributes.reason!.StringValue!,
    }))
  },
})

async function receiveAll(queue: Queue, count: number): Promise<Item[]> {
  const items: Item[] = []
  while (items.length < count) items.push(...(await queue.receive(10, 1_000, signal)))
  return items
}

test('more than ten go in several batches, and deletes share requests', async () => {
  const queue = queueOf('many')
  await queue.send(Array.from({ length: 25 }, (_, i) => outgoing(String(i))))
  expect(await queue.depth()).toEqual({ waiting: 25, inFlight: 0 })
  const items = await receiveAll(queue, 25)
  let requests = 0
  const counting = (next: (args: never) => unknown) => (args: never) => {
    requests++
    return next(args)
  }
  sqs.aws.sqs.middlewareStack.add(counting as never, { step: 'initialize', name: 'count' })
  await Promise.all(items.map((item) => queue.remove([item])))
  sqs.aws.sqs.middlewareStack.remove('count')
  expect(requests).toBe(3)
  expect(await queue.depth()).toEqual({ waiting: 0, inFlight: 0 })
})

test('a FIFO queue stores a second copy of one id once', async () => {
  const queue = queueOf('door.fifo')
  await queue.send([outgoing('1'), outgoing('1')])
  expect(await queue.depth()).toEqual({ waiting: 1, inFlight: 0 })
})

test.each(['held', 'held.fifo'])('%s: a message held for 0 ms is visible at once', async (name) => {
  const queue = queueOf(name)
  await queue.send([outgoing('1')])
  for (const receives of [1, 2, 3]) {
    const [item] = await queue.receive(1, 1_000, signal)
    expect(item).toMatchObject({ key: 'k-1', receives })
    await queue.hold(item!, 0)
  }
})

test('a group of letters SQS does not allow travels all the same', async () => {
  const queue = queueOf('groups')
  await queue.send([outgoing('1', { group: 'Köln · süd' })])
  expect((await queue.receive(1, 1_000, signal))[0]!.group).toBe('Köln · süd')
})

test('a buried item is in the dead-letter queue with its reason, and only there', async () => {
  const queue = queueOf('buried')
  await queue.send([outgoing('1', { attributes: { site: 'truck-7' } })])
  const [item] = await queue.receive(1, 1_000, signal)
  await queue.bury(item!, 'HANDLER_REFUSED: unknown unit')
  expect(await queue.depth()).toEqual({ waiting: 0, inFlight: 0 })
  const dead = createSqsQueue({ aws: sqs.aws, name: 'buried-dlq', visibilityTimeoutSeconds: 30, clock })
  const [letter] = await dead.receive(1, 1_000, signal)
  expect(letter).toMatchObject({ group: 'acme', key: 'k-1', sentAt: item!.sentAt })
  expect(letter!.attributes).toMatchObject({ reason: 'HANDLER_REFUSED: unknown unit', source: 'buried', site: 'truck-7' })
})

test('several parts of one FIFO message are buried, each', async () => {
  const queue = queueOf('parts.fifo')
  await queue.send([outgoing('1')])
  const [item] = await queue.receive(1, 1_000, signal)
  for (const key of ['p1', 'p2', 'p2']) await queue.bury({ ...item!, key }, 'HANDLER_REFUSED: no')
  const dead = createSqsQueue({ aws: sqs.aws, name: 'parts-dlq.fifo', visibilityTimeoutSeconds: 30, clock })
  expect(await dead.depth()).toEqual({ waiting: 2, inFlight: 0 })
})

test('of ten attributes of a sender some give way to the reason', async () => {
  const queue = queueOf('attributes')
  const attributes = Object.fromEntries(Array.from({ length: 8 }, (_, i) => [`a${i}`, String(i)]))
  await queue.send([outgoing('1', { attributes })])
  const [item] = await queue.receive(1, 1_000, signal)
  expect(Object.keys(item!.attributes)).toHaveLength(10)
  await queue.bury(item!, 'HANDLER_REFUSED: no')
  const dead = createSqsQueue({ aws: sqs.aws, name: 'attributes-dlq', visibilityTimeoutSeconds: 30, clock })
  const [letter] = await dead.receive(1, 1_000, signal)
  expect(letter!.attributes).toMatchObject({ messageId: 'k-1', tenant: 'acme', reason: 'HANDLER_REFUSED: no', source: 'attributes' })
})

test('failed entries of a batch are told apart from the others', async () => {
  const queue = queueOf('partial')
  await queue.send([outgoing('1'), outgoing('2')])
  const items = await receiveAll(queue, 2)
  // The emulator accepts any receipt; what the SDK reports is put in its place.
  sqs.aws.sqs.middlewareStack.add(
    (next) => async (args) => {
      const answer = await next(args)
      const failed = { Successful: [{ Id: '0' }], Failed: [{ Id: '1', Code: 'InternalError', SenderFault: false }] }
      return { ...answer, output: { ...answer.output, ...failed } }
    },
    { step: 'initialize', name: 'partial' },
  )
  const error = await queue.remove(items).catch((thrown: unknown) => thrown)
  sqs.aws.sqs.middlewareStack.remove('partial')
  expect(error).toBeInstanceOf(GatewayError)
  expect((error as GatewayError).code).toBe('QUEUE_REFUSED')
  expect((error as GatewayError).details.failed).toEqual([items[1]])
})

test('a missing queue, an absent endpoint and a missing dead-letter queue each have their code', async () => {
  const nowhere = createSqsQueue({ aws: sqs.aws, name: 'nowhere', visibilityTimeoutSeconds: 30, clock })
  await expect(nowhere.receive(1, 0, signal)).rejects.toMatchObject({ code: 'QUEUE_MISSING' })
  const { name } = sqs.createQueue('no-dlq')
  const queue = createSqsQueue({ aws: sqs.aws, name, visibilityTimeoutSeconds: 30, clock })
  await queue.send([outgoing('1')])
  const [item] = await queue.receive(1, 1_000, signal)
  await expect(queue.bury(item!, 'X')).rejects.toMatchObject({ code: 'DEAD_LETTER_QUEUE_MISSING' })
})

test("somebody else's attributes by our names are no numbers of ours", async () => {
  const queue = queueOf('foreign')
  await queue.send([outgoing('1', { attributes: { sentAt: '2026-01-01T00:00:00Z', tries: 'many' } })])
  const [item] = await receiveAll(queue, 1)
  expect(item).toMatchObject({ receives: 1 })
  expect(Math.abs(clock.now() - item!.sentAt)).toBeLessThan(60_000)
})
