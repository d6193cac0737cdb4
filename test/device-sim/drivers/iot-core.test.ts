import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadCertificates } from '../../../device-sim/certs.ts'
import { iotCore } from '../../../device-sim/drivers/iot-core.ts'
import { systemClock } from '../../../lib/clock.ts'
import { testDriver } from '../../contract/driver.ts'
import { startBroker } from '../../helpers/device-doors.ts'
import { mintForTest } from '../../helpers/test-certificates.ts'

let certificates: Awaited<ReturnType<typeof mintForTest>>
let strangers: typeof certificates
beforeAll(async () => {
  certificates = await mintForTest(['d-1', 'd-2'])
  strangers = await mintForTest(['d-1'])
})
afterAll(() => Promise.all([certificates, strangers].map(({ folder }) => rm(folder, { recursive: true }))))

function hasMosquitto(): boolean {
  try {
    execFileSync('mosquitto', ['-h'], { stdio: 'ignore' })
    return true
  } catch (error) {
    return (error as { code?: string }).code !== 'ENOENT'
  }
}

const signal = new AbortController().signal
const reading = { topic: 'dt/a', payload: Buffer.from('x'), qos: 1 as const }

describe.each(['3.1.1', '5'] as const)('iot-core over MQTT %s', (mqttVersion) => {
  const start = async () => ({
    ...(await startBroker('tls', certificates.server)),
    options: { ...(await loadCertificates(certificates.folder)), mqttVersion },
  })
  const connectWith = async (options: object, withinMs = 10_000) => {
    await using broker = await start()
    const driver = iotCore.create({ target: new URL(broker.url), keepAliveMs: 60_000, clock: systemClock, mqttVersion, ...options })
    try {
      const session = await driver.connect('d-1', AbortSignal.timeout(withinMs))
      // In TLS 1.3 a client learns only after its handshake that its certificate was refused.
      await session.publish(reading).finally(() => session.close())
    } finally {
      driver.stop()
    }
  }

  testDriver({ kind: iotCore, start })

  test('a server that the CA given has not signed is not spoken to, and the sentence at the end of patience says what to look at', async () => {
    const { ca } = await loadCertificates(strangers.folder)
    const { credentials } = await loadCertificates(certificates.folder)
    await expect(connectWith({ ca, credentials }, 300)).rejects.toThrow("see that the server's certificate is from the CA given")
  })

  test('a device that the server does not know is refused', async () => {
    const { ca } = await loadCertificates(certificates.folder)
    const { credentials } = await loadCertificates(strangers.folder)
    await expect(connectWith({ ca, credentials })).rejects.toThrow("the server hung up; it may not accept the device's certificate")
  })

  test('a device without a certificate cannot even try', async () => {
    await expect(connectWith({})).rejects.toThrow('needs a certificate for each device')
  })

  test('a broker that refuses the connection is told from one that is not there', async () => {
    await using broker = await start()
    broker.aedes.authenticate = (_client, _user, _password, done) => done(Object.assign(new Error('no'), { returnCode: 5 }) as never, false)
    const driver = iotCore.create({ target: new URL(broker.url), keepAliveMs: 60_000, clock: systemClock, ...broker.options })
    await expect(driver.connect('d-1', signal)).rejects.toThrow('the server refused the connection')
    driver.stop()
  })

  test('each device shows its own certificate', async () => {
    await using broker = await start()
    const subjects: string[] = []
    broker.aedes.preConnect = (client, _, done) => {
      subjects.push((client.conn as unknown as { getPeerCertificate(): { subject: { CN: string } } }).getPeerCertificate().subject.CN)
      done(null, true)
    }
    const driver = iotCore.create({ target: new URL(broker.url), keepAliveMs: 60_000, clock: systemClock, ...broker.options })
    for (const id of ['d-1', 'd-2']) await (await driver.connect(id, signal)).close()
    driver.stop()
    expect(subjects).toEqual(['d-1', 'd-2'])
  })
})

test('MQTT 5: a session knows that another client took it over', async () => {
  await using broker = await startBroker('tls', certificates.server)
  broker.aedes.on('clientReady', ({ conn }) => conn.end(Buffer.from('e0028e00', 'hex'))) // DISCONNECT with reason code 0x8e
  const options = { ...(await loadCertificates(certificates.folder)), mqttVersion: '5' as const }
  const driver = iotCore.create({ target: new URL(broker.url), keepAliveMs: 60_000, clock: systemClock, ...options })
  const session = await driver.connect('d-1', signal)
  await session.closed
  expect(session.takenOver).toBe(true)
  driver.stop()
})

test.skipIf(!hasMosquitto())('mosquitto over mutual TLS is spoken to in both versions (skipped where it is not installed)', async () => {
  const { folder } = certificates
  const port = await freePort()
  const lines = [
    `listener ${port} 127.0.0.1`,
    ...['cafile ca.pem', 'certfile server.pem', 'keyfile server.key'].map((line) => line.replace(' ', ` ${folder}/`)),
    'require_certificate true',
    // Started by root it would become somebody who may not read the key.
    `user ${userInfo().username}`,
    'use_identity_as_username true',
  ]
  await writeFile(join(folder, 'mosquitto.conf'), lines.join('\n'))
  const mosquitto = spawn('mosquitto', ['-c', join(folder, 'mosquitto.conf'), '-v'], { stdio: ['ignore', 'ignore', 'pipe'] })
  const ended = once(mosquitto, 'close').then(() => {
    if (!log.join('').includes('running')) throw new Error(`mosquitto did not start: ${log.join('')}`)
  })
  const log: string[] = []
  mosquitto.stderr.on('data', (text) => log.push(String(text)))
  while (!log.join('').includes('running')) await Promise.race([once(mosquitto.stderr, 'data'), ended])
  for (const mqttVersion of ['3.1.1', '5'] as const) {
    const driver = iotCore.create({
      target: new URL(`mqtts://localhost:${port}`),
      keepAliveMs: 60_000,
      clock: systemClock,
      ...(await loadCertificates(folder)),
      mqttVersion,
    })
    const session = await driver.connect('d-1', signal)
    await session.publish(reading)
    await session.close()
    driver.stop()
  }
  mosquitto.kill()
  await ended
  expect(log.join('').match(/Received PUBLISH from d-1/g)).toHaveLength(2)
  expect(log.join('').match(/as d-1 \(p\d/g)).toEqual(['as d-1 (p2', 'as d-1 (p5'])
})

/** Mosquitto does not say which port it was given. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  server.close()
  await once(server, 'close')
  return port
}
