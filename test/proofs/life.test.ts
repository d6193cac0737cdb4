// How a gateway begins and ends: what it leaves behind, what it finds again, and whom it lets in.
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type NumberedDevices, startNumberedDevices } from '../helpers/numbered-devices.ts'
import { aDirectory, aGatewayProcess, anyPorts, ask, askUntil, runWeir } from '../helpers/program.ts'
import { anSqs, call, receiveAll } from '../helpers/sqs.ts'
import { aTcpProxy } from '../helpers/tcp-proxy.ts'

const nowhere = 'http://127.0.0.1:9'

async function publish(port: number, count: number): Promise<NumberedDevices> {
  const devices = startNumberedDevices({ port, devices: 20, rate: 50, seed: 7 })
  await devices.reached(count)
  await devices.stop()
  return devices
}

test('SIGTERM while the queue is away: ends in time with everything in the spool, and the next start delivers it', async () => {
  const sqs = await anSqs()
  const dir = aDirectory()
  const first = await aGatewayProcess(['--data-dir', dir, '--aws-endpoint', nowhere, '--drain-timeout', '500ms'])
  const devices = await publish(first.ports.mqtt!, 300)
  const accepted = devices.acked.size
  first.child.kill('SIGTERM')
  const left = JSON.parse(await first.line('gateway.stopped'))
  expect(left).toMatchObject({ accepted, delivered: 0, queued: accepted, dead: 0, pending: 0, balanced: true })
  expect((await first.finished).code).toBe(0)

  const second = await aGatewayProcess(['--data-dir', dir, '--aws-endpoint', `http://127.0.0.1:${sqs.port}`])
  await askUntil(second.ports.admin!, '/api/ledger', ({ queued }) => queued === 0)
  // What the first start had created is found as it should be.
  const third = await aGatewayProcess(['--aws-endpoint', `http://127.0.0.1:${sqs.port}`])
  expect(await ask(third.ports.admin!, '/healthz')).toEqual({ status: 'ok', reasons: [] })
  second.child.kill('SIGTERM')
  expect(JSON.parse(await second.line('gateway.stopped'))).toMatchObject({
    accepted,
    recovered: accepted,
    delivered: accepted,
    queued: 0,
    balanced: true,
  })
  const seen = (await receiveAll(sqs.port, 'telemetry')).map(({ body }) => JSON.parse(body))
  expect(new Set(seen.map(({ device, seq }) => `${device}:${seq}`))).toEqual(devices.acked)
  // A stop, unlike a crash, leaves nothing behind that is delivered twice.
  expect(seen).toHaveLength(accepted)
})

test('a second gateway on the same data directory is refused with one sentence', async () => {
  const dir = aDirectory()
  const first = await aGatewayProcess(['--data-dir', dir])
  const { code, stdout, stderr } = await runWeir(['gateway', ...anyPorts, '--data-dir', dir])
  expect(stderr).toBe(`weir: process ${first.child.pid} already uses ${join(dir, 'spool')}; stop it, or give this one another directory\n`)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
  expect(await ask(first.ports.admin!, '/healthz')).toEqual({ status: 'ok', reasons: [] })
})

test('a data directory that cannot be made is told with its path', async () => {
  const file = join(aDirectory(), 'file')
  writeFileSync(file, '')
  const { code, stdout, stderr } = await runWeir(['gateway', ...anyPorts, '--data-dir', join(file, 'data')])
  expect(stderr).toBe(`weir: the data directory cannot be used: ${file} is not a directory\n`)
  expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
})

test('a gateway that starts before SQS does waits for it, says so, and then delivers', async () => {
  const sqs = await anSqs()
  const proxy = await aTcpProxy(sqs.port)
  await proxy.cut()
  const { ports, line } = await aGatewayProcess(['--aws-endpoint', `http://127.0.0.1:${proxy.port}`])
  expect(JSON.parse(await line('gateway.degraded'))).toMatchObject({
    level: 'warn',
    code: 'QUEUE_UNREACHABLE',
    detail: expect.stringContaining('does not answer'),
  })
  expect(await ask(ports.admin!, '/healthz')).toMatchObject({ status: 'degraded' })
  const { acked } = await publish(ports.mqtt!, 100)
  await proxy.mend()
  await askUntil(ports.admin!, '/healthz', ({ status }) => status === 'ok')
  await askUntil(ports.admin!, '/api/ledger', ({ queued }) => queued === 0)
  expect(await receiveAll(sqs.port, 'telemetry')).toHaveLength(acked.size)
})

test('a queue that nobody has created yet is waited for, by its name', async () => {
  const sqs = await anSqs()
  const rules = aDirectory()
  const telemetry = JSON.parse(readFileSync(join(import.meta.dirname, '../../infra/rules/telemetry.json'), 'utf8'))
  writeFileSync(join(rules, 'late.json'), JSON.stringify({ ...telemetry, name: 'late', actions: [{ sqs: { queueUrl: 'late' } }] }))
  const { ports, line } = await aGatewayProcess(['--rules', rules, '--aws-endpoint', `http://127.0.0.1:${sqs.port}`])
  const { acked } = await publish(ports.mqtt!, 100)
  expect(JSON.parse(await line('gateway.degraded'))).toMatchObject({ rule: 'late', code: 'ACTION_TARGET_MISSING', target: 'late' })
  await call(sqs.port, 'CreateQueue', { QueueName: 'late' })
  await askUntil(ports.admin!, '/api/ledger', ({ queued }) => queued === 0)
  expect(await askUntil(ports.admin!, '/healthz', ({ status }) => status === 'ok')).toEqual({ status: 'ok', reasons: [] })
  expect(await receiveAll(sqs.port, 'late')).toHaveLength(acked.size)
})
