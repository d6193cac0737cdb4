import { rm } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { loadCertificates } from '../../../device-sim/certs.ts'
import { http, https } from '../../../device-sim/drivers/http.ts'
import { systemClock } from '../../../lib/clock.ts'
import { testDriver } from '../../contract/driver.ts'
import { startHttpDoor } from '../../helpers/device-doors.ts'
import { mintForTest } from '../../helpers/test-certificates.ts'

let certificates: Awaited<ReturnType<typeof mintForTest>>
beforeAll(async () => {
  certificates = await mintForTest(['d-1', 'd-2'])
})
afterAll(() => rm(certificates.folder, { recursive: true }))

const plain = async () => {
  const door = await startHttpDoor()
  return { ...door, url: `http://127.0.0.1:${door.port}` }
}
const secured = async () => {
  const door = await startHttpDoor(certificates.server)
  return { ...door, url: `https://127.0.0.1:${door.port}`, options: await loadCertificates(certificates.folder) }
}

describe('http', () => testDriver({ kind: http, start: plain, keepsConnection: false, hasSubscriptions: false }))
describe('https', () => testDriver({ kind: https, start: secured, keepsConnection: false, hasSubscriptions: false }))

test('a lost connection is made again for the next reading', async () => {
  await using door = await startHttpDoor()
  const driver = http.create({ target: new URL(`http://127.0.0.1:${door.port}`), keepAliveMs: 60_000, clock: systemClock })
  const session = await driver.connect('d-1', new AbortController().signal)
  const reading = { topic: 'a/b c', payload: Buffer.from('x'), qos: 1 as const }
  await session.publish(reading)
  door.cutAll()
  await session.publish(reading).catch(() => undefined)
  await session.publish(reading)
  expect(door.published.at(-1)).toMatchObject({ topic: 'a/b c' })
  await session.close()
})

test('a device that has nothing to say closes its connection all the same', async () => {
  const gone = Promise.withResolvers<void>()
  const server = createServer().on('connection', (socket) => socket.once('close', () => gone.resolve()))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  const driver = http.create({ target: new URL(`http://127.0.0.1:${port}`), keepAliveMs: 60_000, clock: systemClock })
  const session = await driver.connect('d-1', new AbortController().signal)
  await session.close()
  await gone.promise
  server.close()
})

test('an answer of 4xx or 5xx is a failure', async () => {
  const server = createServer((_, response) => response.writeHead(429).end())
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const driver = http.create({
    target: new URL(`http://127.0.0.1:${(server.address() as { port: number }).port}`),
    keepAliveMs: 60_000,
    clock: systemClock,
  })
  const session = await driver.connect('d-1', new AbortController().signal)
  await expect(session.publish({ topic: 't', payload: Buffer.from(''), qos: 1 })).rejects.toThrow('answered 429')
  await session.close()
  server.close()
})
