// The actions against SQS and SNS over HTTP, through the AWS SDK as the gateway configures it.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { CreateQueueCommand, DeleteMessageCommand, GetQueueUrlCommand, ReceiveMessageCommand, SQSClient } from '@aws-sdk/client-sqs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { actionSchema } from '../../gateway/actions/index.ts'
import { createAws } from '../../gateway/aws/clients.ts'
import { systemClock } from '../../lib/clock.ts'
import { unpack } from '../../lib/pack.ts'
import { bindSink, createDelivery, createDeps, createMessage, delivered } from '../helpers/delivery.ts'
import { startTestAws, type TestAws } from '../helpers/fauxqs.ts'

let local: TestAws
beforeAll(async () => {
  local = await startTestAws()
})
afterAll(() => local.stop())

const signal = new AbortController().signal
const bind = (entry: unknown, aws = local.aws) => {
  const deps = createDeps({ aws, clock: systemClock, fetch })
  return { sink: bindSink(actionSchema.parse(entry), { ...deps, clock: systemClock }), observe: deps.observe }
}

test('a thousand bodies arrive in a queue, each once, with key and tenant', async () => {
  await local.createQueue('telemetry')
  const { sink } = bind({ sqs: { queueUrl: 'telemetry', groupId: '${topic(3)}' } })
  const bodies = Array.from({ length: 1_000 }, (_, i) => `{"n":${i},"note":"cold 🥶 <&> ü"}`)
  await Promise.all(bodies.map((body, i) => delivered(sink, createDelivery({ body, key: `key-${i}` }), signal)))
  const received = await local.receive('telemetry', 1_000)
  const seen = received.map(({ Body = '', MessageAttributes }) => [MessageAttributes?.messageId?.StringValue, JSON.parse(Body).n])
  expect(new Set(seen.map(([key, n]) => `${key} ${n}`))).toEqual(new Set(bodies.map((_, i) => `key-${i} ${i}`)))
  expect(received[0]?.MessageAttributes?.tenant?.StringValue).toBe('acme')
  expect(JSON.parse(received[0]?.Body ?? '').note).toBe('cold 🥶 <&> ü')
})

test('packed readings arrive in few messages and unpack to what was sent', async () => {
  await local.createQueue('packed')
  const { sink } = bind({ sqs: { queueUrl: 'packed', pack: { maxBytes: 10_000, lingerMs: 20 } } })
  const keys = Array.from({ length: 500 }, (_, i) => `key-${i}`)
  await Promise.all(keys.map((key) => delivered(sink, createDelivery({ body: `{"of":"${key}"}`, key }), signal)))
  const received = await local.receive('packed', 2)
  const readings = received.flatMap(({ Body = '' }) => unpack(Buffer.from(Body)))
  expect(readings.map(({ key, body }) => [key, JSON.parse(Buffer.from(body).toString()).of])).toEqual(keys.map((key) => [key, key]))
})

test('a FIFO queue has each group in order', async () => {
  await local.createQueue('doors.fifo')
  const { sink } = bind({ sqs: { queueUrl: 'doors.fifo', groupId: '${topic(1)}' } })
  const sent = Array.from({ length: 60 }, (_, i) => ({ topic: `freezer-${i % 3}`, body: String(i), key: `key-${i}` }))
  await Promise.all(
    sent.map(({ topic, ...rest }) => delivered(sink, createDelivery({ ...rest, message: createMessage({ topic }) }), signal)),
  )
  const order = new Map<string, number[]>()
  for (let i = 0; i < 60; i++) {
    const [message] = await receiveAndDelete('doors.fifo')
    const group = message?.Attributes?.MessageGroupId ?? ''
    order.set(group, [...(order.get(group) ?? []), Number(message?.Body)])
  }
  expect([...order.keys()].sort()).toEqual(['freezer-0', 'freezer-1', 'freezer-2'])
  for (const numbers of order.values()) expect(numbers).toEqual(numbers.toSorted((a, b) => a - b))
})

test('a topic hands its message to its subscribers', async () => {
  await local.createTopic('alerts')
  const { sink } = bind({ sns: { targetArn: 'alerts', attributes: { severity: 'high' } } })
  await Promise.all(Array.from({ length: 25 }, (_, i) => delivered(sink, createDelivery({ body: `{"n":${i}}` }), signal)))
  const received = await local.receive('alerts', 25)
  expect(new Set(received.map(({ Body }) => JSON.parse(Body ?? '').n)).size).toBe(25)
  expect(received[0]?.MessageAttributes?.severity?.StringValue).toBe('high')
})

test('a queue that does not exist yet is waited for, and told about', async () => {
  const { sink, observe } = bind({ sqs: { queueUrl: 'late' } })
  const delivering = Promise.all([1, 2, 3].map(() => delivered(sink, createDelivery(), signal)))
  const degraded = await observe.next('gateway.degraded')
  expect(degraded).toMatchObject({ action: 'sqs', code: 'ACTION_TARGET_MISSING', target: 'late' })
  await local.createQueue('late')
  await delivering
  await observe.next('gateway.recovered')
  expect(await local.receive('late', 3)).toHaveLength(3)
})

test('an endpoint that does not answer is told in a sentence, and leaving it is quick', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  const away = createAws({ endpoint: `http://127.0.0.1:${port}`, region: 'us-east-1', accountId: '000000000000' })
  const { sink, observe } = bind({ sqs: { queueUrl: 'telemetry' } }, away)
  const leave = new AbortController()
  const delivering = delivered(sink, createDelivery(), leave.signal)
  const retried = await observe.next('action.retried')
  expect(retried).toMatchObject({ code: 'ACTION_FAILED', detail: 'SQS does not answer (ECONNREFUSED)' })
  leave.abort()
  await expect(delivering).rejects.toMatchObject({ code: 'ACTION_FAILED', retryable: true })
  away.stop()
})

test('an endpoint that takes calls and never answers is taken for away', async () => {
  const server = createServer(() => undefined).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  const silent = createAws({ endpoint: `http://127.0.0.1:${port}`, region: 'us-east-1', accountId: '000000000000', requestTimeoutMs: 200 })
  await expect(silent.sqs.send(new CreateQueueCommand({ QueueName: 'telemetry' }))).rejects.toMatchObject({ name: 'TimeoutError' })
  silent.stop()
  server.closeAllConnections()
  server.close()
})

test('a queue is made in the Region of the configuration, where any other client finds it', async () => {
  const region = 'eu-central-1'
  const ours = createAws({ endpoint: local.endpoint, region, accountId: '000000000000' })
  await ours.sqs.send(new CreateQueueCommand({ QueueName: 'regional' }))
  const credentials = { accessKeyId: 'other', secretAccessKey: 'other' }
  const theirs = new SQSClient({ endpoint: local.endpoint, region, credentials })
  const { QueueUrl } = await theirs.send(new GetQueueUrlCommand({ QueueName: 'regional' }))
  expect(QueueUrl).toContain('/regional')
  theirs.destroy()
  ours.stop()
})

test('a webhook gets a POST', async () => {
  const { promise: request, resolve } = Promise.withResolvers<{ headers: Record<string, unknown>; body: string }>()
  const server = createServer(async (request, response) => {
    const body = (await request.toArray()).join('')
    response.end()
    resolve({ headers: request.headers, body })
  }).listen(0, '127.0.0.1')
  await new Promise((listening) => server.once('listening', listening))
  const { port } = server.address() as AddressInfo
  const { sink } = bind({ http: { url: `http://127.0.0.1:${port}/warm` } })
  await delivered(sink, createDelivery({ body: '{"t":4}', key: 'k' }), signal)
  expect(await request).toMatchObject({ headers: { 'idempotency-key': 'k', 'content-type': 'application/json' }, body: '{"t":4}' })
  server.closeAllConnections()
  server.close()
})

async function receiveAndDelete(queue: string) {
  const QueueUrl = local.aws.queueUrl(queue)
  const { Messages = [] } = await local.aws.sqs.send(
    new ReceiveMessageCommand({ QueueUrl, MaxNumberOfMessages: 1, WaitTimeSeconds: 5, MessageSystemAttributeNames: ['All'] }),
  )
  for (const { ReceiptHandle } of Messages) await local.aws.sqs.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle }))
  return Messages
}
