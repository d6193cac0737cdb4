// The queue goes away under load: memory stays flat, health says so at once, and what waited comes out afterwards, each group in its order.
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { systemClock as clock } from '../../lib/clock.ts'
import { startNumberedDevices } from '../helpers/numbered-devices.ts'
import { aGatewayProcess, ask, askUntil, long } from '../helpers/program.ts'
import { anSqs, receiveAll } from '../helpers/sqs.ts'
import { aTcpProxy } from '../helpers/tcp-proxy.ts'

const seed = 20_260_104
const warmMs = long ? 10_000 : 3_000
const awayMs = long ? 60_000 : 10_000
const MiB = 1024 ** 2

const residentBytes = (pid: number) => Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024

test.skipIf(process.platform !== 'linux')(
  `the queue away for ${awayMs / 1_000} s at 2,000 messages/s`,
  async () => {
    const sqs = await anSqs()
    const proxy = await aTcpProxy(sqs.port)
    const { ports, child, line, finished } = await aGatewayProcess(['--aws-endpoint', `http://127.0.0.1:${proxy.port}`])
    const admin = ports.admin!
    // Every fifth reading is a door event and goes to the FIFO queue, one group per device.
    const kindOf = (n: number) => (n % 5 === 0 ? 'door' : 'telemetry')
    const devices = startNumberedDevices({ port: ports.mqtt!, devices: 200, rate: 10, seed, kindOf })
    await devices.reached(1_000)
    await clock.sleep(warmMs)
    const ackBefore = devices.ackMs()
    const rss = { before: residentBytes(child.pid!), most: 0 }
    const stopSampling = clock.every(100, () => {
      rss.most = Math.max(rss.most, residentBytes(child.pid!))
    })

    await proxy.cut()
    const cutAt = clock.monotonic()
    const { reasons } = await askUntil(admin, '/healthz', ({ status }) => status === 'degraded')
    const degradedMs = clock.monotonic() - cutAt
    await clock.sleep(awayMs - degradedMs)
    const { queued } = await ask(admin, '/api/ledger')
    const ackAway = devices.ackMs()

    await proxy.mend()
    const mendedAt = clock.monotonic()
    await askUntil(admin, '/healthz', ({ status }) => status === 'ok')
    const recoveredMs = clock.monotonic() - mendedAt
    // Devices go on publishing while what waited is delivered.
    await askUntil(admin, '/api/ledger', (ledger) => ledger.queued < 200)
    const caughtUpMs = clock.monotonic() - mendedAt
    const ackCatchingUp = devices.ackMs()
    stopSampling()
    await devices.stop()
    await askUntil(admin, '/api/ledger', (ledger) => ledger.queued === 0)
    child.kill('SIGTERM')
    expect(JSON.parse(await line('gateway.stopped'))).toMatchObject({ accepted: devices.acked.size, queued: 0, dead: 0, balanced: true })
    expect((await finished).code).toBe(0)

    const grown = (rss.most - rss.before) / MiB
    const acks = Object.entries({ before: ackBefore, away: ackAway, catchingUp: ackCatchingUp })
    console.log(
      `away ${awayMs} ms: degraded after ${degradedMs.toFixed(0)} ms (${reasons.join(', ')}), ${queued} waited, ok ${recoveredMs.toFixed(0)} ms after it came back, ` +
        `caught up ${caughtUpMs.toFixed(0)} ms after; resident ${(rss.before / MiB).toFixed(0)} MiB, grown by ${grown.toFixed(0)} MiB; ` +
        `ack p50/p99 ms ${acks.map(([name, ack]) => `${name} ${ack.percentile(50)}/${ack.percentile(99)}`).join(', ')}`,
    )
    expect(queued).toBeGreaterThan(1_000)
    expect(degradedMs).toBeLessThan(2_000)
    expect(grown).toBeLessThan(64)

    const doors = await receiveAll(sqs.port, 'door-events.fifo')
    const telemetry = await receiveAll(sqs.port, 'telemetry', 4)
    const orders = new Map<string, number[]>()
    for (const { body } of doors) {
      const { device, seq } = JSON.parse(body)
      orders.set(device, [...(orders.get(device) ?? []), seq])
    }
    expect(orders.size).toBe(200)
    for (const [device, seqs] of orders) expect({ device, seqs }).toEqual({ device, seqs: seqs.map((_, index) => index * 5) })
    expect(doors.length + telemetry.length).toBeGreaterThanOrEqual(devices.acked.size)
  },
  300_000,
)
