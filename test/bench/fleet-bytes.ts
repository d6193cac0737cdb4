// The drivers' byte counters against the kernel's: `node test/bench/fleet-bytes.ts`, which asks `ss -ti` for every connection to the server. Linux, with iproute2.
import { execFileSync } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { loadCertificates } from '../../device-sim/certs.ts'
import { type DriverName, driverNames, drivers } from '../../device-sim/drivers/index.ts'
import { systemClock } from '../../lib/clock.ts'
import { startBroker, startHttpDoor, startWebSocketDoor, type TestServer } from '../helpers/device-doors.ts'
import { mintForTest } from '../helpers/test-certificates.ts'

const [devices, readings, payloadBytes] = [20, 500, 200]
const ids = Array.from({ length: devices }, (_, i) => `d-${i}`)
const { folder, server: tls } = await mintForTest(ids)
const certificates = await loadCertificates(folder)
const signal = new AbortController().signal

const doors: Readonly<Record<DriverName, readonly [scheme: string, start: () => Promise<TestServer>]>> = {
  mqtt: ['mqtt', () => startBroker()],
  mqtts: ['mqtts', () => startBroker('tls', tls)],
  'mqtt-ws': ['ws', () => startBroker('ws')],
  'mqtt-js': ['mqtt', () => startBroker()],
  http: ['http', () => startHttpDoor()],
  https: ['https', () => startHttpDoor(tls)],
  websocket: ['ws', () => startWebSocketDoor()],
  'iot-core': ['mqtts', () => startBroker('tls', tls)],
}

/** What the kernel sent and received on the devices' side of the connections. */
function kernel(port: number): { readonly sent: number; readonly received: number } {
  const text = execFileSync('ss', ['-tinH', 'state', 'established', `dport = :${port}`], { encoding: 'utf8' })
  const sum = (of: string) => [...text.matchAll(new RegExp(`\\b${of}:(\\d+)`, 'g'))].reduce((total, [, n]) => total + Number(n), 0)
  return { sent: sum('bytes_sent') - sum('bytes_retrans'), received: sum('bytes_received') }
}

console.log('| driver | sent: driver | sent: ss | received: driver | received: ss | bytes sent per reading |\n|---|---|---|---|---|---|')
for (const name of driverNames) {
  const [scheme, start] = doors[name]
  await using door = await start()
  const target = new URL(`${scheme}://127.0.0.1:${door.port}`)
  const driver = drivers[name].create({ target, keepAliveMs: 60_000, clock: systemClock, ...certificates })
  const sessions = await Promise.all(ids.map((id) => driver.connect(id, signal)))
  const before = driver.wire.sent
  const reading = { topic: 'dt/coldchain/acme/site-1/d-1/telemetry', payload: Buffer.alloc(payloadBytes, 'x'), qos: 1 as const }
  for (let i = 0; i < readings; i++) await Promise.all(sessions.map((session) => session.publish(reading)))
  // The last bytes have left the process, not necessarily the wire.
  await systemClock.sleep(200)
  const { wire } = driver
  const { sent, received } = kernel(door.port)
  const apart = (a: number, b: number) => `${b} (${((100 * (b - a)) / a).toFixed(3)} %)`
  const each = ((wire.sent - before) / (devices * readings)).toFixed(1)
  console.log(`| \`${name}\` | ${wire.sent} | ${apart(wire.sent, sent)} | ${wire.received} | ${apart(wire.received, received)} | ${each} |`)
  await Promise.all(sessions.map((session) => session.close()))
  driver.stop()
}
await rm(folder, { recursive: true })
process.exit()
