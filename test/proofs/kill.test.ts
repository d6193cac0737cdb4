// The promise itself: whatever was acknowledged reaches its queue, though the gateway dies five times and its queue is away twice.
import { expect, test } from 'vitest'
import { systemClock as clock } from '../../lib/clock.ts'
import { createRandom } from '../../lib/random.ts'
import { startNumberedDevices } from '../helpers/numbered-devices.ts'
import { aDirectory, aGatewayProcess, askUntil, long } from '../helpers/program.ts'
import { anSqs, receiveAll } from '../helpers/sqs.ts'
import { aTcpProxy } from '../helpers/tcp-proxy.ts'

const seed = 20_260_104
const runMs = long ? 30_000 : 12_000
const awayMs = runMs / 6
const kills = 5

test(`200 devices, ${kills} kills with -9, the queue away twice for ${awayMs} ms: nothing acknowledged is missing`, async () => {
  const random = createRandom(seed, 'kills')
  const sqs = await anSqs()
  const proxy = await aTcpProxy(sqs.port)
  const dir = aDirectory()
  const start = (mqttPort: number) =>
    aGatewayProcess(['--data-dir', dir, '--mqtt-port', String(mqttPort), '--aws-endpoint', `http://127.0.0.1:${proxy.port}`])

  let gateway = await start(0)
  const { mqtt } = gateway.ports
  const devices = startNumberedDevices({ port: mqtt!, devices: 200, rate: 10, seed })
  const began = clock.monotonic()
  const at = (share: number) => clock.sleep(Math.max(0, began + share * runMs - clock.monotonic()))

  const outages = async () => {
    for (const share of [0.2, 0.6]) {
      await at(share)
      await devices.reached(devices.acked.size + 100)
      await proxy.cut()
      await clock.sleep(awayMs)
      await proxy.mend()
    }
  }
  const deaths = async () => {
    let recovered = 0
    for (let life = 0; life < kills; life++) {
      await at((life + random()) / kills)
      await devices.reached(devices.acked.size + 200 + Math.floor(random() * 400))
      gateway.child.kill('SIGKILL')
      await gateway.finished
      gateway = await start(mqtt!)
      recovered += (await askUntil(gateway.ports.admin!, '/api/ledger', () => true)).recovered
    }
    return recovered
  }
  const [recovered] = await Promise.all([deaths(), outages(), at(1)])
  await devices.stop()

  await askUntil(gateway.ports.admin!, '/api/ledger', ({ queued }) => queued === 0)
  gateway.child.kill('SIGTERM')
  const ledger = JSON.parse(await gateway.line('gateway.stopped'))
  expect((await gateway.finished).code).toBe(0)
  expect(ledger).toMatchObject({ queued: 0, dead: 0, unmatched: 0, pending: 0, balanced: true })

  const found = await receiveAll(sqs.port, 'telemetry', 4)
  const readings = found.map(({ body }) => JSON.parse(body) as { device: string; seq: number })
  const present = new Set(readings.map(({ device, seq }) => `${device}:${seq}`))
  const missing = [...devices.acked].filter((reading) => !present.has(reading))
  const deliveries = new Set(found.map(({ attributes }) => attributes.messageId))
  console.log(
    `acknowledged ${devices.acked.size} of ${devices.sent} sent, missing ${missing.length}; in the queue ${found.length}: ` +
      `${deliveries.size - present.size} sent again by devices, ${found.length - deliveries.size} delivered again by the gateway; ` +
      `${recovered} found in the spool by ${kills} starts`,
  )
  expect(devices.acked.size).toBeGreaterThan(kills * 200)
  expect(recovered).toBeGreaterThan(0)
  expect(missing).toEqual([])
  expect([...present].filter((reading) => !devices.acked.has(reading))).toEqual([])
}, 240_000)
