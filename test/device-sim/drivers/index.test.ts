import { rm } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type DriverName, driverNames } from '../../../device-sim/drivers/index.ts'
import { runFleet } from '../../../device-sim/fleet.ts'
import { parseScenario } from '../../../device-sim/scenario.ts'
import { startBroker, startHttpDoor, startWebSocketDoor, type TestServer } from '../../helpers/device-doors.ts'
import { mintForTest } from '../../helpers/test-certificates.ts'

let certificates: Awaited<ReturnType<typeof mintForTest>>
beforeAll(async () => {
  certificates = await mintForTest(['freezer', 'vibration', 'freezer'].map((name, i) => `${name}-0000${i}`))
})
afterAll(() => rm(certificates.folder, { recursive: true }))

const doors: Readonly<Record<DriverName, () => Promise<TestServer>>> = {
  mqtt: () => startBroker(),
  mqtts: () => startBroker('tls', certificates.server),
  'mqtt-ws': () => startBroker('ws'),
  'mqtt-js': () => startBroker(),
  http: () => startHttpDoor(),
  https: () => startHttpDoor(certificates.server),
  websocket: () => startWebSocketDoor(),
  'iot-core': () => startBroker('tls', certificates.server),
}
const schemes: Readonly<Partial<Record<DriverName, string>>> = {
  'mqtt-ws': 'ws',
  'mqtt-js': 'mqtt',
  websocket: 'ws',
  'iot-core': 'mqtts',
}

async function send(protocol: DriverName) {
  await using door = await doors[protocol]()
  const target = `${schemes[protocol] ?? protocol}://127.0.0.1:${door.port}`
  const populations = [
    { model: 'freezer' as const, interval: '50ms', share: 2 },
    { model: 'vibration' as const, interval: '50ms' },
  ]
  const report = await runFleet(parseScenario({ devices: 3, count: 5, seed: 7, protocol, target, certs: certificates.folder, populations }))
  expect(report).toMatchObject({ connected: 3, failed: 0, dropped: 0, acked: door.published.length })
  return door.published.map(({ clientId, topic, payload, qos }) => `${clientId} ${topic} ${qos} ${payload.toString('base64')}`).toSorted()
}

test('one scenario sends the same readings whatever the devices speak', async () => {
  const [first, ...others] = await Promise.all(driverNames.map(send))
  expect(first!.length).toBeGreaterThanOrEqual(15)
  for (const other of others) expect(other).toEqual(first)
})
