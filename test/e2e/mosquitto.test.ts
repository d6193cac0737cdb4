// Somebody else's client: what mosquitto_pub sends is what the queue holds.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { aGatewayProcess, hasProgram } from '../helpers/program.ts'
import { type Received, receiveAll } from '../helpers/sqs.ts'

const run = promisify(execFile)
const topic = 'dt/coldchain/acme/truck-1/freezer-1/telemetry'

test.skipIf(!hasProgram('mosquitto_pub')).each(['mqttv311', 'mqttv5'])('mosquitto_pub -V %s', async (version) => {
  const { ports } = await aGatewayProcess()
  const reading = '{"device":"freezer-1","temperature":-17.5}'
  await run('mosquitto_pub', ['-p', String(ports.mqtt), '-V', version, '-q', '1', '-i', 'freezer-1', '-t', topic, '-m', reading])
  // The acknowledgement came from the disk; the queue has the reading a moment later.
  const queued: Received[] = []
  await expect.poll(async () => queued.push(...(await receiveAll(ports.aws!, 'telemetry'))), { timeout: 10_000 }).toBeGreaterThan(0)
  const [received] = queued
  expect(JSON.parse(received!.body)).toEqual({
    device: 'freezer-1',
    temperature: -17.5,
    tenant: 'acme',
    site: 'truck-1',
    receivedAt: expect.any(Number),
  })
  expect(received!.attributes).toMatchObject({ tenant: 'acme' })
})

test.skipIf(!hasProgram('mosquitto_pub'))(
  'a payload that is not JSON matches no WHERE, and is passed on by SELECT * as it is',
  async () => {
    const { ports } = await aGatewayProcess()
    await run('mosquitto_pub', ['-p', String(ports.mqtt), '-q', '1', '-t', topic, '-m', 'not json'])
    const ledger = await (await fetch(`http://127.0.0.1:${ports.admin}/api/ledger`)).json()
    expect(ledger).toMatchObject({ accepted: 1, balanced: true })
  },
)
