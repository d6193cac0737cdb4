// What leaves the gateway when things go wrong, other than answers to clients: reasons of dead letters, bodies of error actions, alerts, replies, and how healthy it is.
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { insideOf } from '../helpers/inside.ts'
import { aDevice } from '../helpers/mqtt-client.ts'
import { aDirectory, aGatewayProcess, ask } from '../helpers/program.ts'
import { type Received, receiveAll } from '../helpers/sqs.ts'

const topic = 'dt/coldchain/acme/truck-7/f-1/telemetry'

/** Fails in the ways programs fail: with a stack, a path, an address and a password in what it says. */
const handler = `
export default async ({ body }) => {
  const { how } = JSON.parse(Buffer.from(body).toString())
  const said = 'connect ECONNREFUSED 10.1.2.3:5432 (db-7.prod.internal) at Object.run (/srv/app/node_modules/pg/lib/client.js:10:3), password=hunter2'
  const error = new Error(said)
  error.stack = said + '\\n    at Object.run (/srv/app/node_modules/pg/lib/client.js:10:3)'
  if (how === 'refuse') throw Object.assign(error, { name: 'PermanentFailure', reason: said + ' ' + error.stack })
  if (how === 'missing') return (await import('/srv/app/nothing.mjs')).default()
  if (how === 'type') return undefined.property
  if (how === 'hang') return new Promise(() => {})
  if (how === 'text') throw said
  throw error
}`
const failures = ['refuse', 'missing', 'type', 'hang', 'text', 'throw'] as const

const sql = (where: string) => `SELECT * FROM 'dt/#' WHERE how = '${where}'`
const errorAction = { sqs: { queueUrl: 'rule-errors' } }

/** A port where nobody listens, and one that hangs up. */
async function brokenServer(): Promise<number> {
  const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await new Promise((resolve) => server.once('listening', resolve))
  return (server.address() as { port: number }).port
}

async function aFailingGateway() {
  const dir = aDirectory()
  const broken = await brokenServer()
  mkdirSync(join(dir, 'rules'))
  const rules = {
    hand: { sql: "SELECT * FROM 'dt/#' WHERE to = 'handler'", actions: [{ sqs: { queueUrl: 'telemetry' } }] },
    gone: { sql: sql('queue-gone'), actions: [{ sqs: { queueUrl: 'nowhere' } }], errorAction },
    'hangs-up': { sql: sql('hangs-up'), actions: [{ http: { url: `http://127.0.0.1:${broken}/secret` } }], errorAction },
    'no-host': { sql: sql('no-host'), actions: [{ http: { url: 'http://db-7.prod.internal/secret' } }], errorAction },
    'not-text': { sql: "SELECT * FROM 'raw/#'", actions: [{ sqs: { queueUrl: 'telemetry-overflow' } }], errorAction },
    loop: { sql: sql('loop'), actions: [{ republish: { topic: '#/no/topic' } }], errorAction },
    alert: { sql: sql('alert'), actions: [{ republish: { topic: '+' } }], errorAction: { sns: { targetArn: 'alerts' } } },
    warm: {
      sql: "SELECT 'warm' AS alert, topic(5) AS device, temperature FROM 'dt/#' WHERE temperature > 0",
      actions: [{ sns: { targetArn: 'alerts' } }],
    },
    // What cannot be computed is left out, not explained.
    odd: {
      sql: "SELECT topic(99) AS b, cast(how AS Decimal) / 0 AS c, how FROM 'dt/#' WHERE how = 'odd'",
      actions: [{ sqs: { queueUrl: 'telemetry-overflow' } }],
    },
    reply: {
      sql: "SELECT * FROM 'cmd/+/+/+/+/+/res/+' WHERE startswith(topic(8), 'async-')",
      actions: [{ sqs: { queueUrl: 'command-replies' } }],
    },
  } // prettier-ignore
  for (const [name, rule] of Object.entries(rules))
    writeFileSync(
      join(dir, `rules/${name}.json`),
      JSON.stringify({ name: name.replace('-', '_'), awsIotSqlVersion: '2016-03-23', ...rule }),
    )
  writeFileSync(join(dir, 'handler.mjs'), handler)
  const consumer = {
    queue: 'telemetry',
    handler: { kind: 'module', path: './handler.mjs' },
    ...{ wait: '1s', handlerTimeout: '200ms', maxReceives: 1 },
  }
  writeFileSync(join(dir, 'gateway.json'), JSON.stringify({ consumers: [consumer] }))
  return aGatewayProcess(['--config', join(dir, 'gateway.json'), '--rules', join(dir, 'rules')])
}

test('dead letters, error actions, alerts and replies say nothing of what is inside', async () => {
  const { ports } = await aFailingGateway()
  const device = await aDevice(ports.mqtt!, { clientId: 'f-1' })
  onTestFinished(() => void device.end(true))
  const publish = (value: object) => device.publishAsync(topic, JSON.stringify(value), { qos: 1 })
  for (const how of failures) await publish({ to: 'handler', how })
  for (const how of ['hangs-up', 'no-host', 'loop', 'alert', 'odd', 'queue-gone']) await publish({ how })
  await publish({ temperature: 4 })
  await device.publishAsync('raw/1', Buffer.from([0xff, 0]), { qos: 1 })

  // A device whose reply is an error of its own, asked without waiting.
  await device.subscribeAsync('cmd/coldchain/acme/truck-7/f-1/+/req/+', { qos: 1 })
  device.on('message', (asked) =>
    device.publish(asked.replace('/req/', '/res/'), '{"status":"error","error":"unknown command"}', { qos: 1 }),
  )
  const asked = await fetch(`http://127.0.0.1:${ports.admin}/api/devices/f-1/commands/nonsense`, {
    ...{ method: 'POST', headers: { prefer: 'respond-async' } },
  })
  expect(asked.status).toBe(202)

  const read = async (queue: string, count: number): Promise<readonly Received[]> => {
    const all: Received[] = []
    await expect.poll(async () => all.push(...(await receiveAll(ports.aws!, queue))), { timeout: 20_000 }).toBeGreaterThanOrEqual(count)
    return all
  }
  const dead = await read('telemetry-dlq', failures.length)
  expect(dead.map(({ body }) => JSON.parse(body).how).toSorted()).toEqual([...failures].toSorted())
  const reasons = dead.map(({ attributes }) => attributes.reason!)
  expect(reasons.map((reason) => reason.split(':', 1)[0]).toSorted()).toEqual(
    ['HANDLER_FAILED', 'HANDLER_FAILED', 'HANDLER_FAILED', 'HANDLER_FAILED', 'HANDLER_REFUSED', 'HANDLER_TIMEOUT'].toSorted(),
  )
  expect(reasons.find((reason) => reason.startsWith('HANDLER_REFUSED'))).toContain('ECONNREFUSED')

  const envelopes = await read('rule-errors', 4)
  expect(envelopes.map(({ body }) => JSON.parse(body).ruleName)).toEqual(
    expect.arrayContaining(['hangs_up', 'no_host', 'not_text', 'loop']),
  )
  const alerts = await read('alerts', 2)
  const replies = await read('command-replies', 1)
  for (const { body, attributes } of [...dead, ...envelopes, ...alerts, ...replies])
    expect(insideOf(spoken(body) + JSON.stringify(attributes)), body).toEqual([])

  // The queue that is gone is waited for, and everybody who asks may know that.
  await expect.poll(() => ask(ports.admin!, '/healthz'), { timeout: 20_000 }).toMatchObject({ status: 'degraded' })
  for (const path of ['/healthz', '/readyz', '/api/ledger', '/api/queues', '/api/rules', '/api/tenants'])
    expect(insideOf(JSON.stringify(await ask(ports.admin!, path))), path).toEqual([])
})

/** Without what the device itself sent; SNS's own envelope names its topic and its sender, and what it carries is the alert. */
function spoken(body: string): string {
  const { base64OriginalPayload, Type, Message, ...rest } = JSON.parse(body)
  return Type === 'Notification' ? spoken(Message) : JSON.stringify(rest)
}
