// Two gateways share the messages of one mosquitto over mutual TLS, and one of them dies: what mosquitto acknowledged reaches its queue.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { mqtts } from '../../device-sim/drivers/mqtt.ts'
import { systemClock as clock } from '../../lib/clock.ts'
import { aMosquitto, hasMosquitto } from '../helpers/mosquitto.ts'
import { startNumberedDevices } from '../helpers/numbered-devices.ts'
import { aDirectory, ask, askUntil, long, type Running, startWeir } from '../helpers/program.ts'
import { anSqs, type Received, receiveAll } from '../helpers/sqs.ts'
import { mintForTest } from '../helpers/test-certificates.ts'

const seed = 20_261_123
const runMs = long ? 30_000 : 9_000
const devicesCount = 100
const queued = ({ queued }: { readonly queued: number }) => queued

interface GatewayProcess extends Running {
  readonly admin: number
}

/** One line, as the ledger of a gateway is printed. */
const brief = (ledger: Record<string, unknown>) =>
  ['accepted', 'recovered', 'delivered', 'unmatched', 'dead', 'queued'].map((name) => `${name} ${ledger[name]}`).join(', ')

test.skipIf(!hasMosquitto)(
  `two gateways on one mosquitto, ${devicesCount} devices, one gateway killed twice: nothing acknowledged is missing${hasMosquitto ? '' : ' (skipped: mosquitto is not installed)'}`,
  async () => {
    const { folder: certs } = await mintForTest(['device', 'gateway'])
    const mosquitto = await aMosquitto({ certs })
    const sqs = await anSqs()
    const url = `mqtts://127.0.0.1:${mosquitto.port}`
    const doors = ['http', 'websocket', 'admin'].flatMap((door) => [`--${door}-port`, '0'])
    const tls = [
      '--broker-ca',
      `${certs}/ca.pem`,
      '--broker-cert',
      `${certs}/devices/gateway.pem`,
      '--broker-key',
      `${certs}/devices/gateway.key`,
    ]
    const start = async (dir: string): Promise<GatewayProcess> => {
      const shared = ['--broker', url, '--broker-group', 'weir', '--broker-connections', '2', '--broker-filter', 'dt/#']
      const target = ['--aws-endpoint', `http://127.0.0.1:${sqs.port}`, '--data-dir', dir]
      const running = startWeir(['gateway', ...doors, ...shared, ...tls, ...target])
      return { ...running, admin: JSON.parse(await running.line('gateway.ready')).ports.admin }
    }
    const dirs = [aDirectory(), aDirectory()] as const
    let [one, two] = (await Promise.all(dirs.map(start))) as [GatewayProcess, GatewayProcess]

    const read = (name: string) => readFileSync(join(certs, name), 'utf8')
    const pair = { cert: read('devices/device.pem'), key: read('devices/device.key') }
    const driver = mqtts.create({ target: new URL(url), keepAliveMs: 30_000, clock, ca: read('ca.pem'), credentials: async () => pair })
    const devices = startNumberedDevices({ driver, devices: devicesCount, rate: 10, seed })
    const more = (share: number) => devices.reached(devices.acked.size + Math.round((devicesCount * 10 * runMs * share) / 1_000))

    const found: Received[] = []
    const present = new Set<string>()
    /** Everything that is in the queue now, and which acknowledged readings are in none. */
    const missing = async () => {
      for (const received of await receiveAll(sqs.port, 'telemetry', 4)) {
        found.push(received)
        const { device, seq } = JSON.parse(received.body)
        present.add(`${device}:${seq}`)
      }
      return [...devices.acked].filter((reading) => !present.has(reading)).length
    }
    const kill = async (gateway: GatewayProcess) => {
      const { accepted } = await ask(gateway.admin, '/api/ledger')
      gateway.child.kill('SIGKILL')
      await gateway.finished
      return accepted as number
    }

    await more(0.3)
    const firstLife = await kill(one)
    await more(0.2)
    one = await start(dirs[0])
    await more(0.3)
    const secondLife = await kill(one)
    await more(0.1)
    await devices.stop()

    // What mosquitto gave to the sessions of the dead gateway waits for it, however idle the other one is.
    await askUntil(two.admin, '/api/ledger', (ledger) => queued(ledger) === 0)
    await clock.sleep(1_000)
    const waiting = await missing()
    one = await start(dirs[0])
    const began = clock.monotonic()
    while ((await missing()) > 0 && clock.monotonic() - began < 30_000) await clock.sleep(100)

    const ledgers = await Promise.all(
      [one, two].map(async (gateway) => {
        await askUntil(gateway.admin, '/api/ledger', (ledger) => queued(ledger) === 0)
        gateway.child.kill('SIGTERM')
        const ledger = JSON.parse(await gateway.line('gateway.stopped'))
        expect((await gateway.finished).code).toBe(0)
        expect(ledger).toMatchObject({ queued: 0, dead: 0, balanced: true })
        return ledger
      }),
    )
    const lost = await missing()
    const deliveries = new Set(found.map(({ attributes }) => attributes.messageId))
    console.log(
      [
        `mosquitto acknowledged ${devices.acked.size} of ${devices.sent} sent; lost ${lost}`,
        `while the gateway was dead, ${waiting} waited for it at mosquitto and in its spool; its start brought them`,
        `in the queue ${found.length}: ${deliveries.size - present.size} taken from mosquitto twice, ${found.length - deliveries.size} delivered twice by a gateway`,
        `gateway 1: killed after ${firstLife} and ${secondLife} accepted; third life: ${brief(ledgers[0])}`,
        `gateway 2: ${brief(ledgers[1])}`,
      ].join('\n'),
    )
    expect(devices.acked.size).toBeGreaterThan(1_000)
    expect(firstLife).toBeGreaterThan(0)
    expect(ledgers[1]!.accepted).toBeGreaterThan(0)
    expect(waiting).toBeGreaterThan(0)
    expect(lost).toBe(0)
    expect([...present].filter((reading) => !devices.acked.has(reading))).toEqual([])
  },
  240_000,
)
