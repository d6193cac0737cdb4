// The gateway as a process, from a fleet's sockets to the queue, and the figures it gives of itself.
import { describe, expect, test } from 'vitest'
import { aGatewayProcess, askUntil, runWeir } from '../helpers/program.ts'
import { receiveAll } from '../helpers/sqs.ts'

// biome-ignore lint/suspicious/noExplicitAny: whatever the gateway answers
const json = async (url: string): Promise<any> => (await fetch(url)).json()

test('500 devices publish: everything acknowledged is in the books and in the queue', async () => {
  const { ports } = await aGatewayProcess()
  const target = `mqtt://127.0.0.1:${ports.mqtt}`
  const { stdout, code } = await runWeir([
    'fleet',
    '--devices',
    '500',
    '--rate',
    '1/s',
    '--duration',
    '4s',
    '--seed',
    '7',
    '--target',
    target,
    '--json',
  ])
  const report = JSON.parse(stdout)
  expect(code).toBe(0)
  expect(report).toMatchObject({ devices: 500, connected: 500, failed: 0, dropped: 0 })
  expect(report.sent).toBeGreaterThan(1_500)
  expect(report.acked).toBe(report.sent)
  const ledger = await askUntil(ports.admin!, '/api/ledger', ({ queued, pending }) => queued === 0 && pending === 0)
  expect(ledger).toMatchObject({
    accepted: report.acked,
    delivered: report.acked,
    unmatched: 0,
    dead: 0,
    queued: 0,
    refused: {},
    balanced: true,
  })
  const doors = await receiveAll(ports.aws!, 'door-events.fifo')
  const telemetry = await receiveAll(ports.aws!, 'telemetry')
  expect(doors.length + telemetry.length).toBe(report.acked)
})

test('the first line of the log says that it is ready, with the ports', async () => {
  const { finished, child, ports } = await aGatewayProcess()
  child.kill('SIGTERM')
  const [first] = (await finished).stdout.split('\n')
  expect(JSON.parse(first!)).toMatchObject({ event: 'gateway.ready', ports })
  expect(Object.keys(ports).sort()).toEqual(['admin', 'aws', 'http', 'mqtt', 'mqttWs', 'websocket'])
})

test.each(['warn', 'silent'])('and at level %s it is the only line of a run without trouble', async (level) => {
  const { finished, child } = await aGatewayProcess(['--log-level', level])
  child.kill('SIGTERM')
  const { code, stdout } = await finished
  expect([code, stdout.split('\n').map((line) => JSON.parse(line).event)]).toEqual([0, ['gateway.ready']])
})

test('a reading arrives with its tenant, its site and its own values', async () => {
  const { ports } = await aGatewayProcess()
  await runWeir([
    'fleet',
    '--devices',
    '1',
    '--count',
    '2',
    '--interval',
    '100ms',
    '--seed',
    '7',
    '--target',
    `mqtt://127.0.0.1:${ports.mqtt}`,
  ])
  const [first, second] = (await receiveAll(ports.aws!, 'telemetry')).map(({ body }) => JSON.parse(body)).sort((a, b) => a.seq - b.seq)
  expect(first).toMatchObject({ tenant: 'acme', temperature: expect.any(Number), receivedAt: expect.any(Number) })
  expect(second.seq).toBe(first.seq + 1)
})

test('SIGTERM delivers what was accepted, prints the ledger and exits 0', async () => {
  const { ports, child, finished, line } = await aGatewayProcess()
  await runWeir(['fleet', '--devices', '20', '--rate', '5/s', '--duration', '1s', '--target', `mqtt://127.0.0.1:${ports.mqtt}`])
  child.kill('SIGTERM')
  const stopped = JSON.parse(await line('gateway.stopped'))
  expect(stopped).toMatchObject({ queued: 0, balanced: true })
  expect((await finished).code).toBe(0)
})

describe('the admin port', () => {
  test('tells health, metrics, rules, queues and the ledger', async () => {
    const { ports } = await aGatewayProcess()
    const admin = `http://127.0.0.1:${ports.admin}`
    expect(await json(`${admin}/healthz`)).toEqual({ status: 'ok', reasons: [] })
    expect((await fetch(`${admin}/readyz`)).status).toBe(200)
    expect(await (await fetch(`${admin}/metrics`)).text()).toContain('weir_ledger_balanced 1')
    expect(await json(`${admin}/api/rules`)).toContainEqual({ name: 'telemetry', filter: 'dt/coldchain/+/+/+/telemetry', matches: 0 })
    expect(await json(`${admin}/api/queues`)).toContainEqual(expect.objectContaining({ queue: 'telemetry', waiting: 0, outlook: 'level' }))
    expect((await fetch(`${admin}/api/nothing`)).status).toBe(404)
  })

  test('streams events as they happen', async () => {
    const { ports } = await aGatewayProcess()
    const abort = new AbortController()
    const stream = await fetch(`http://127.0.0.1:${ports.admin}/api/events`, { signal: abort.signal })
    await runWeir(['fleet', '--devices', '1', '--count', '1', '--interval', '10ms', '--target', `mqtt://127.0.0.1:${ports.mqtt}`])
    let text = ''
    for await (const chunk of stream.body!) {
      text += Buffer.from(chunk).toString()
      if (text.includes('event: message.settled')) break
    }
    expect(text).toContain('event: client.connected')
    abort.abort()
  })
})

test('a gateway whose queues are away starts degraded, says so, and refuses what it cannot deliver in time', async () => {
  const gateway = await aGatewayProcess(['--aws-endpoint', 'http://127.0.0.1:9'])
  const health = await json(`http://127.0.0.1:${gateway.ports.admin}/healthz`)
  expect(health.status).toBe('degraded')
  expect(JSON.parse(await gateway.line('gateway.degraded'))).toMatchObject({ level: 'warn', code: 'QUEUE_UNREACHABLE' })
})
