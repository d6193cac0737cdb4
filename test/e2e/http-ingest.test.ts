// Devices with minted certificates at the HTTPS door: each is itself, and nobody else.
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { Agent, request } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fastify } from 'fastify'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { mintCertificates } from '../../device-sim/certs.ts'
import { createArns } from '../../gateway/access/arn.ts'
import { createAuthorizer } from '../../gateway/access/authorizer.ts'
import { createIdentities } from '../../gateway/access/identity.ts'
import { loadThings, type Things } from '../../gateway/access/things.ts'
import { createHttpIngest } from '../../gateway/listen/ingest-http.ts'
import type { Publication } from '../../gateway/listen/publisher.ts'
import { systemClock } from '../../lib/clock.ts'
import { createSpyObserve } from '../helpers/spy-observe.ts'

const arns = createArns({ region: 'us-east-1', accountId: '123456789012' })
const devices = ['f-1', 'f-2'].map((id) => ({ id, tenant: id === 'f-1' ? 'acme' : 'globex', site: 's' }))
const options = { now: Date.now(), days: 1, hosts: ['localhost'], region: 'us-east-1', account: '123456789012', product: 'coldchain' }

let folder: string
let things: Things
let port: number
let now = Date.now()
const accepted: (Publication & { readonly tenant?: string | undefined })[] = []
const observe = createSpyObserve()
const read = (name: string) => readFile(join(folder, name))

const identities = createIdentities({ things: () => things, anonymous: 'off', clock: { ...systemClock, now: () => now } })
let server: ReturnType<typeof createDoor>

/** The least a door does: who is it, may it, take it. */
function createDoor(https: { cert: Buffer; key: Buffer; ca: Buffer }) {
  const door = fastify({ logger: false, forceCloseConnections: true, https: { ...https, requestCert: true, rejectUnauthorized: false } })
  door.register(
    createHttpIngest({
      observe,
      uuid: randomUUID,
      maxPayloadBytes: 131_072,
      async publish(publish, credentials) {
        const identity = await identities.identify(credentials)
        const refused = createAuthorizer(identity, arns).publish(publish.topic, publish.retain)
        if (refused) throw refused
        accepted.push({ ...publish, tenant: identity.tenant })
      },
    }),
  )
  return door
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'weir-door-'))
  await mintCertificates(devices, { ...options, out: folder })
  await mintCertificates([devices[0]!], { ...options, out: join(folder, 'foreign') })
  things = await loadThings(join(folder, 'things.json'))
  server = createDoor({ cert: await read('server.pem'), key: await read('server.key'), ca: await read('ca.pem') })
  await server.listen({ host: '127.0.0.1', port: 0 })
  port = (server.server.address() as AddressInfo).port
})
afterAll(async () => {
  await server.close()
  await rm(folder, { recursive: true })
})

async function post(topic: string, certificate?: string, headers: Readonly<Record<string, string>> = {}): Promise<number> {
  const pair = certificate === undefined ? {} : { cert: await read(`${certificate}.pem`), key: await read(`${certificate}.key`) }
  const agent = new Agent({ ...pair, ca: await read('ca.pem'), servername: 'localhost' })
  const sent = request({ host: '127.0.0.1', port, agent, method: 'POST', path: `/topics/${encodeURIComponent(topic)}?qos=1`, headers })
  sent.end('{"temperature":-18}')
  const [response] = await once(sent, 'response')
  response.resume()
  await once(response, 'end')
  agent.destroy()
  return response.statusCode
}

const own = (device: string, tenant: string) => `dt/coldchain/${tenant}/s/${device}/telemetry`

test('a device publishes below its own name', async () => {
  expect(await post(own('f-1', 'acme'), 'devices/f-1')).toBe(200)
  expect(accepted.at(-1)).toMatchObject({ topic: own('f-1', 'acme'), tenant: 'acme', qos: 1 })
})

describe('and not', () => {
  test.each<[what: string, topic: string, certificate: string | undefined, status: number, headers?: Readonly<Record<string, string>>]>([
    ['below another’s', own('f-2', 'globex'), 'devices/f-1', 403],
    ['under another tenant', own('f-1', 'globex'), 'devices/f-1', 403],
    ['to a pattern', 'dt/coldchain/acme/s/f-1/+', undefined, 401],
    ['without a certificate', own('f-1', 'acme'), undefined, 401],
    [
      'without a certificate, as a proxy would name one',
      own('f-1', 'acme'),
      undefined,
      401,
      { 'x-forwarded-for': '127.0.0.1', 'x-client-cert': 'f-1' },
    ],
    ['with the same name from another authority', own('f-1', 'acme'), 'foreign/devices/f-1', 401],
  ])('%s', async (_what, topic, certificate, status, headers) => {
    const before = accepted.length
    expect(await post(topic, certificate, headers)).toBe(status)
    expect(accepted).toHaveLength(before)
  })

  test('after its certificate expired', async () => {
    now += 2 * 86_400_000
    expect(await post(own('f-1', 'acme'), 'devices/f-1')).toBe(401)
    now -= 2 * 86_400_000
    expect(await post(own('f-1', 'acme'), 'devices/f-1')).toBe(200)
  })

  test('after its certificate was revoked', async () => {
    const registry = JSON.parse(String(await read('things.json')))
    const [{ principals }] = registry.things
    const changed = { ...registry, certificates: [{ certificateId: principals[0], status: 'REVOKED' }] }
    await cp(join(folder, 'things.json'), join(folder, 'before.json'))
    await writeFile(join(folder, 'things.json'), JSON.stringify(changed))
    things = await loadThings(join(folder, 'things.json'))
    expect(await post(own('f-1', 'acme'), 'devices/f-1')).toBe(401)
    expect(await post(own('f-2', 'globex'), 'devices/f-2')).toBe(200)
    things = await loadThings(join(folder, 'before.json'))
    expect(await post(own('f-1', 'acme'), 'devices/f-1')).toBe(200)
  })
})

test('the client id of another does not let a device connect', async () => {
  const identity = await identities.identify({ certificate: await read('devices/f-1.pem'), clientId: 'f-2', loopback: true })
  expect(createAuthorizer(identity, arns).connect({ persistent: false })?.code).toBe('NOT_AUTHORIZED')
  expect(identity.tenant).toBe('acme')
  const itself = await identities.identify({ certificate: await read('devices/f-1.pem'), clientId: 'f-1', loopback: true })
  expect(createAuthorizer(itself, arns).connect({ persistent: false })).toBeUndefined()
})
