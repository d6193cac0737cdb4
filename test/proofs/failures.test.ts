// What becomes of messages that cannot be delivered, handled or taken: each ends in a place a person can look at, under a name.
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { MqttClient } from 'mqtt'
import { expect, onTestFinished, test } from 'vitest'
import { aDevice, closed } from '../helpers/mqtt-client.ts'
import { startNumberedDevices } from '../helpers/numbered-devices.ts'
import { aDirectory, aGatewayProcess, ask, askUntil } from '../helpers/program.ts'
import { anSqs, call, queueUrl, receiveAll } from '../helpers/sqs.ts'

type RuleFile = { readonly name: string; readonly sql: string; readonly actions: readonly object[]; readonly errorAction?: object }

function rulesIn(...rules: readonly RuleFile[]): string {
  const dir = aDirectory()
  for (const rule of rules) writeFileSync(join(dir, `${rule.name}.json`), JSON.stringify({ awsIotSqlVersion: '2016-03-23', ...rule }))
  return dir
}

async function device(port: number, options = {}): Promise<MqttClient> {
  const client = await aDevice(port, options)
  onTestFinished(() => void client.end(true))
  return client
}

const linesOf = (file: string) => (existsSync(file) ? readFileSync(file, 'utf8').trim().split('\n') : [])

test('of packed readings, only those the handler failed on are tried again or buried', async () => {
  const dir = aDirectory()
  const handled = join(dir, 'handled.txt')
  const handler = join(dir, 'handler.mjs')
  writeFileSync(
    handler,
    `import { appendFileSync } from 'node:fs'
    class PermanentFailure extends Error { name = 'PermanentFailure'; constructor(reason) { super(reason); this.reason = reason } }
    const failed = new Set()
    export default async ({ body, key }) => {
      const { seq } = JSON.parse(Buffer.from(body).toString())
      if (seq % 10 === 7) throw new PermanentFailure('unknown unit')
      if (seq % 10 === 3 && !failed.has(key) && failed.add(key)) throw new Error('not now')
      appendFileSync(${JSON.stringify(handled)}, key + ' ' + seq + '\\n')
    }`,
  )
  const config = join(dir, 'gateway.json')
  const consumer = { queue: 'telemetry', handler: { kind: 'module', path: handler }, wait: '1s', retry: { base: '100ms', cap: '1s' } }
  writeFileSync(config, JSON.stringify({ consumers: [consumer] }))
  const rules = rulesIn({
    name: 'packed',
    sql: "SELECT * FROM 'dt/coldchain/+/+/+/telemetry'",
    actions: [{ sqs: { queueUrl: 'telemetry', groupId: '${topic(3)}', pack: { maxBytes: 4_096, lingerMs: 200 } } }],
  })
  const { ports, line } = await aGatewayProcess(['--config', config, '--rules', rules])
  const devices = startNumberedDevices({ port: ports.mqtt!, devices: 20, rate: 50, seed: 7 })
  await devices.reached(600)
  await devices.stop()
  await askUntil(ports.admin!, '/api/ledger', ({ queued }) => queued === 0)

  const seqs = [...devices.acked].map((reading) => Number(reading.split(':')[1]))
  const [poison, fine] = [seqs.filter((seq) => seq % 10 === 7), seqs.filter((seq) => seq % 10 !== 7)]
  while (linesOf(handled).length < fine.length) await askUntil(ports.admin!, '/healthz', () => true)
  await askUntil(ports.admin!, '/api/queues', (queues) =>
    queues.some(({ queue, waiting }: { queue: string; waiting: number }) => queue === 'telemetry-dlq' && waiting === poison.length),
  )
  const lines = linesOf(handled)
  expect(new Set(lines.map((entry) => entry.split(' ')[0])).size).toBe(lines.length)
  expect(lines.map((entry) => Number(entry.split(' ')[1])).sort()).toEqual(fine.sort())
  const dead = await receiveAll(ports.aws!, 'telemetry-dlq')
  expect(dead).toHaveLength(poison.length)
  for (const { body, attributes } of dead) {
    expect(JSON.parse(body).seq % 10).toBe(7)
    expect(attributes).toMatchObject({ reason: 'HANDLER_REFUSED: unknown unit', source: 'telemetry' })
    expect(attributes).not.toHaveProperty('pack')
  }
  expect(JSON.parse(await line('consumer.buried'))).toMatchObject({ level: 'error', queue: 'telemetry', code: 'HANDLER_REFUSED' })
})

test('a circle of rules is cut, and the message is dead with rule and code', async () => {
  const rules = rulesIn({ name: 'circle', sql: "SELECT * FROM 'a/b'", actions: [{ republish: { topic: 'a/b', qos: 1 } }] })
  const { ports, line } = await aGatewayProcess(['--rules', rules])
  const client = await device(ports.mqtt!)
  await client.publishAsync('a/b', '{}', { qos: 1 })
  expect(JSON.parse(await line('message.dead'))).toMatchObject({ level: 'error', rule: 'circle', code: 'REPUBLISH_LOOP', topic: 'a/b' })
  // Eight republished copies: each but the last was delivered to the next round.
  expect(await askUntil(ports.admin!, '/api/ledger', ({ dead }) => dead > 0)).toMatchObject({
    accepted: 9,
    delivered: 8,
    dead: 1,
    queued: 0,
    balanced: true,
  })
})

test('a queue that does not exist holds up nobody else, over a kill as well, and gets everything when it is made', async () => {
  const all = (name: string, queueUrl: string) => ({
    ...{ name, sql: "SELECT * FROM 'dt/coldchain/+/+/+/telemetry'", actions: [{ sqs: { queueUrl } }] },
  })
  const rules = rulesIn(all('dead', 'not-there-yet'), all('well', 'telemetry'))
  const dir = aDirectory()
  const config = join(dir, 'gateway.json')
  writeFileSync(config, JSON.stringify({ delivery: { maxInFlight: 64 } }))
  const sqs = await anSqs()
  const endpoint = `http://127.0.0.1:${sqs.port}`
  const args = ['--config', config, '--rules', rules, '--data-dir', dir, '--aws-endpoint', endpoint]
  const first = await aGatewayProcess(args)
  const devices = startNumberedDevices({ port: first.ports.mqtt!, devices: 20, rate: 20, seed: 11 })
  await devices.reached(600)
  await devices.stop()
  const { size } = devices.acked
  // What the missing queue held before it was known to be missing is still in flight, 64 at most; the rest has made way.
  const ledger = await askUntil(first.ports.admin!, '/api/ledger', ({ delivered, pending }) => delivered >= size - 64 && pending === 0)
  expect(ledger).toMatchObject({ accepted: size, split: ledger.delivered, queued: size, dead: 0, balanced: true })
  expect(await ask(first.ports.admin!, '/healthz')).toMatchObject({ status: 'degraded', reasons: ['not-there-yet'] })
  await new Promise((resolve) => setTimeout(resolve, 600)) // two cursors on
  first.child.kill('SIGKILL')
  await first.finished

  const second = await aGatewayProcess(args)
  await call(sqs.port, 'CreateQueue', { QueueName: 'not-there-yet' })
  await askUntil(second.ports.admin!, '/api/ledger', ({ queued }) => queued === 0)
  second.child.kill('SIGTERM')
  expect(JSON.parse(await second.line('gateway.stopped'))).toMatchObject({ queued: 0, dead: 0, balanced: true })
  const readings = (received: readonly { body: string }[]) =>
    new Set(received.map(({ body }) => `${JSON.parse(body).device}:${JSON.parse(body).seq}`))
  for (const queue of ['telemetry', 'not-there-yet']) expect(readings(await receiveAll(sqs.port, queue, 4))).toEqual(devices.acked)
})

test('the error action gets one envelope with every failure of the rule in it', async () => {
  const rules = rulesIn({
    name: 'two_ways_to_fail',
    sql: "SELECT * FROM 'binary'",
    actions: [{ sqs: { queueUrl: 'telemetry' } }, { sns: { targetArn: 'alerts', messageFormat: 'RAW' } }],
    errorAction: { sqs: { queueUrl: 'rule-errors' } },
  })
  const { ports, line } = await aGatewayProcess(['--rules', rules])
  const client = await device(ports.mqtt!, { clientId: 'freezer-1' })
  const payload = Buffer.from([0xff, 0xfe, 0, 1])
  await client.publishAsync('binary', payload, { qos: 1 })
  expect(await askUntil(ports.admin!, '/api/ledger', ({ dead }) => dead > 0)).toMatchObject({ accepted: 1, dead: 1, balanced: true })
  expect(JSON.parse(await line('message.dead'))).toMatchObject({ rule: 'two_ways_to_fail' })
  const [error, ...more] = await receiveAll(ports.aws!, 'rule-errors')
  expect(more).toEqual([])
  expect(JSON.parse(error!.body)).toMatchObject({
    ruleName: 'two_ways_to_fail',
    topic: 'binary',
    clientId: 'freezer-1',
    base64OriginalPayload: payload.toString('base64'),
    failures: [
      { failedAction: 'SqsAction', failedResource: 'telemetry', errorMessage: expect.stringContaining('BODY_NOT_TEXT') },
      { failedAction: 'SnsAction', failedResource: 'alerts', errorMessage: expect.stringContaining('BODY_NOT_TEXT') },
    ],
  })
})

test('every refusal is in the ledger under its code, and in the log in a few lines however many there are', async () => {
  const { ports, child, finished } = await aGatewayProcess()
  const refuse = async (code: string, times: number, publish: (client: MqttClient) => unknown) => {
    for (let time = 0; time < times; time++) {
      const client = await device(ports.mqtt!, { clientId: `${code}-${time}` })
      client.on('error', () => undefined)
      publish(client)
      await closed(client)
    }
  }
  await refuse('TOPIC_INVALID', 12, (client) => client.publish('a/b/c/d/e/f/g/h/i', 'x', { qos: 1 }))
  await refuse('PAYLOAD_TOO_LARGE', 3, (client) => client.publish('a/b', Buffer.alloc(131_073), { qos: 1 }))
  await refuse('QOS_NOT_SUPPORTED', 3, (client) => client.publish('a/b', 'x', { qos: 2 }))
  expect(await ask(ports.admin!, '/api/ledger')).toMatchObject({
    accepted: 0,
    refused: { TOPIC_INVALID: 12, PAYLOAD_TOO_LARGE: 3, QOS_NOT_SUPPORTED: 3 },
    balanced: true,
  })
  const metrics = await (await fetch(`http://127.0.0.1:${ports.admin}/metrics`)).text()
  expect(metrics).toContain('weir_refused_total{code="TOPIC_INVALID"} 12')
  child.kill('SIGTERM')
  const { stdout } = await finished
  const logged = (code: string) => stdout.split('\n').filter((line) => line.includes('"message.refused"') && line.includes(code)).length
  expect(logged('TOPIC_INVALID')).toBeGreaterThan(0)
  expect(logged('TOPIC_INVALID')).toBeLessThan(12)
  expect(logged('PAYLOAD_TOO_LARGE')).toBe(3)
  expect(logged('QOS_NOT_SUPPORTED')).toBe(3)
})

test('a message the queue itself refuses is dead, and its neighbours of the same call are delivered', async () => {
  const rules = rulesIn({
    name: 'by_topic',
    sql: "SELECT * FROM 'to/+'",
    actions: [{ sqs: { queueUrl: 'door-events.fifo', groupId: '${topic(2)}${name}' } }],
  })
  const { ports, line } = await aGatewayProcess(['--rules', rules])
  const client = await device(ports.mqtt!)
  // An empty group id is something SQS never takes.
  await Promise.all(['{"name":"a"}', '{"name":"b"}'].map((body) => client.publishAsync('to/x', body, { qos: 1 })))
  await client.publishAsync('to/', '{"name":""}', { qos: 1 })
  const ledger = await askUntil(ports.admin!, '/api/ledger', ({ queued }) => queued === 0)
  expect(ledger).toMatchObject({ accepted: 3, delivered: 2, dead: 1, balanced: true })
  expect(JSON.parse(await line('message.dead'))).toMatchObject({ rule: 'by_topic', code: 'ACTION_REFUSED' })
  const { Attributes } = await call(ports.aws!, 'GetQueueAttributes', {
    QueueUrl: queueUrl(ports.aws!, 'door-events.fifo'),
    AttributeNames: ['ApproximateNumberOfMessages'],
  })
  expect(Attributes.ApproximateNumberOfMessages).toBe('2')
})
