import { rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadCertificates } from '../../../device-sim/certs.ts'
import { mqtt, mqtts, mqttWs } from '../../../device-sim/drivers/mqtt.ts'
import { systemClock } from '../../../lib/clock.ts'
import { testDriver } from '../../contract/driver.ts'
import { startBroker } from '../../helpers/device-doors.ts'
import { createManualClock } from '../../helpers/manual-clock.ts'
import { mintForTest } from '../../helpers/test-certificates.ts'

let certificates: Awaited<ReturnType<typeof mintForTest>>
beforeAll(async () => {
  certificates = await mintForTest(['d-1', 'd-2'])
})
afterAll(() => rm(certificates.folder, { recursive: true }))

const secured = async (over: 'tls' | 'wss') => ({
  ...(await startBroker(over, certificates.server)),
  options: await loadCertificates(certificates.folder),
})
const signal = new AbortController().signal

describe('mqtt', () => testDriver({ kind: mqtt, start: () => startBroker() }))
describe('mqtts', () => testDriver({ kind: mqtts, start: () => secured('tls') }))
describe('mqtt-ws', () => testDriver({ kind: mqttWs, start: () => startBroker('ws') }))
describe('mqtt-ws over TLS', () => testDriver({ kind: mqttWs, start: () => secured('wss') }))

test('a server whose certificate nobody known has signed is not spoken to', async () => {
  await using broker = await startBroker('tls', certificates.server)
  const driver = mqtts.create({ target: new URL(broker.url), keepAliveMs: 60_000, clock: systemClock })
  await expect(driver.connect('d-1', signal)).rejects.toThrow('certificate')
  driver.stop()
})

test('a refusal says why', async () => {
  await using broker = await startBroker()
  broker.aedes.authenticate = (_client, _user, _password, done) => done(Object.assign(new Error('no'), { returnCode: 5 }) as never, false)
  const driver = mqtt.create({ target: new URL(broker.url), keepAliveMs: 60_000, clock: systemClock })
  await expect(driver.connect('d-1', signal)).rejects.toThrow('not authorized')
  driver.stop()
})

describe('keep-alive', () => {
  const connectTo = async (answer: (bytes: Buffer) => Buffer | undefined) => {
    const seen: Buffer[] = []
    const server = createServer((socket) =>
      socket
        .on('error', () => undefined)
        .on('data', (bytes) => {
          seen.push(bytes)
          const reply = bytes[0] === 0x10 ? Buffer.from([0x20, 2, 0, 0]) : answer(bytes)
          if (reply) socket.write(reply)
        }),
    )
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const clock = createManualClock()
    const driver = mqtt.create({
      target: new URL(`mqtt://127.0.0.1:${(server.address() as { port: number }).port}`),
      keepAliveMs: 40_000,
      clock,
    })
    return { clock, driver, seen, server, session: await driver.connect('d-1', signal) }
  }

  test('a quiet device pings within its keep-alive, and lives on answers', async () => {
    let pinged: () => void = () => undefined
    const ping = new Promise<void>((resolve) => {
      pinged = resolve
    })
    const { clock, driver, server, session } = await connectTo((bytes) => {
      if (bytes[0] !== 0xc0) return undefined
      pinged()
      return Buffer.from([0xd0, 0])
    })
    await clock.advance(35_000)
    await ping
    driver.stop()
    session.cut()
    server.close()
  })

  test('a server that answers no ping is given up', async () => {
    const { clock, driver, server, session } = await connectTo(() => undefined)
    await clock.advance(90_000)
    await session.closed
    driver.stop()
    server.close()
  })
})
